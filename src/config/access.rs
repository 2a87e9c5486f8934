//! Settings of who may ask how often, and which pages may read the answers.

use std::net::IpAddr;
use std::num::NonZeroU32;

use ipnet::IpNet;
use url::Url;

use crate::limits::LimitSettings;

use super::sources::{Setting, Sources};
use super::{
    ADDRESS_FAILURES, ADDRESS_REQUESTS, CORS_ORIGINS, CREDENTIAL_REQUESTS, ORGANIZATION_REQUESTS,
    TRUSTED_PROXIES,
};

/// The largest limit; more in a minute than one process answers.
const MAX_PER_MINUTE: u32 = 1_000_000;

pub(super) fn limits(sources: &mut Sources<'_>) -> LimitSettings {
    let mut limit = |setting: &Setting| sources.parse(setting, limit_per_minute).flatten();
    LimitSettings {
        credential_requests: limit(&CREDENTIAL_REQUESTS),
        organization_requests: limit(&ORGANIZATION_REQUESTS),
        address_requests: limit(&ADDRESS_REQUESTS),
        address_failures: limit(&ADDRESS_FAILURES),
        trusted_proxies: list(sources, &TRUSTED_PROXIES, network),
    }
}

pub(super) fn cors_origins(sources: &mut Sources<'_>) -> Vec<String> {
    list(sources, &CORS_ORIGINS, origin)
}

/// What stands between the commas; nothing if the setting is absent.
fn list<T>(
    sources: &mut Sources<'_>,
    setting: &Setting,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Vec<T> {
    let all = |text: &str| text.split(',').map(|item| parse(item.trim())).collect();
    sources.parse(setting, all).unwrap_or_default()
}

fn limit_per_minute(text: &str) -> Result<Option<NonZeroU32>, String> {
    let number = text.parse().ok().filter(|number| *number <= MAX_PER_MINUTE);
    let wrong = || format!("{text:?} is not a whole number from 0 to {MAX_PER_MINUTE}");
    number.map(NonZeroU32::new).ok_or_else(wrong)
}

fn network(text: &str) -> Result<IpNet, String> {
    let single = || text.parse().map(|address: IpAddr| IpNet::from(address));
    match text.parse().or_else(|_| single()) {
        Ok(network) if network.prefix_len() > 0 => Ok(network),
        Ok(_) => Err(format!(
            "{text:?} is everybody: nobody can be believed then"
        )),
        Err(_) => Err(format!(
            "{text:?} is not an address or a network such as 10.0.0.0/8"
        )),
    }
}

/// An origin exactly as browsers write it in `Origin`, since it is compared as text.
fn origin(text: &str) -> Result<String, String> {
    let written = Url::parse(text)
        .ok()
        .filter(|url| ["http", "https"].contains(&url.scheme()))
        .map(|url| url.origin().ascii_serialization());
    match written {
        _ if text.contains('*') => Err("* would let in every page; list the origins".to_owned()),
        Some(written) if written == text => Ok(written),
        Some(written) => Err(format!("{text:?} is not an origin; is {written:?} meant?")),
        None => Err(format!(
            "{text:?} is not an origin such as https://app.example.com"
        )),
    }
}
