//! Parsers of single values. Secrets are not parsed here, because problems quote the text.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use ipnet::IpNet;
use url::Url;

use crate::logging::LogFormat;

pub fn any_text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

/// Makes a parser of whole numbers in `range`.
pub fn number_in<N: TryFrom<u32>>(
    range: RangeInclusive<u32>,
) -> impl Fn(&str) -> Result<N, String> {
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        let number = number.and_then(|number| N::try_from(number).ok());
        let (least, most) = (range.start(), range.end());
        number.ok_or_else(|| format!("{text:?} must be a whole number from {least} to {most}"))
    }
}

pub fn listen(text: &str) -> Result<String, String> {
    let is_host = |host: &str| {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        !host.is_empty() && host.chars().all(is_allowed)
    };
    let has_host = text
        .rsplit_once(':')
        .is_some_and(|(host, port)| is_host(host) && port.parse::<u16>().is_ok());
    if has_host || text.parse::<SocketAddr>().is_ok() {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} must be address:port or host:port"))
    }
}

/// Returns whether only this machine can connect to `listen`.
pub fn is_loopback(listen: &str) -> bool {
    match listen.parse::<SocketAddr>() {
        Ok(address) => address.ip().is_loopback(),
        // Any other name may resolve to an address of the network.
        Err(_) => listen.starts_with("localhost:"),
    }
}

pub fn on_or_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        other => Err(format!("{other:?} must be on or off")),
    }
}

pub fn log_filter(text: &str) -> Result<String, String> {
    // env_logger takes a word that is not a level for the name of a module. No module has that
    // name, so that nothing would be logged.
    let directives = text.split('/').next().unwrap_or_default().split(',');
    let is_module = |word: &str| word.starts_with("quietline") || word.contains(['=', ':']);
    if let Some(word) = directives.map(str::trim).find(|word| {
        !word.is_empty() && !is_module(word) && word.parse::<log::LevelFilter>().is_err()
    }) {
        return Err(format!(
            "{word:?} must be a level (off, error, warn, info, debug or trace) or module=level"
        ));
    }
    match env_filter::Builder::new().try_parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("{text:?} must be a log filter: {error}")),
    }
}

pub fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        other => Err(format!("{other:?} must be text or json")),
    }
}

pub fn network(text: &str) -> Result<IpNet, String> {
    let single = || text.parse().map(|address: IpAddr| IpNet::from(address));
    match text.parse().or_else(|_| single()) {
        Ok(network) if network.prefix_len() > 0 => Ok(network),
        Ok(_) => Err(format!(
            "{text:?} must not contain every address: any client could then claim any address"
        )),
        Err(_) => Err(format!(
            "{text:?} must be an address, or a network such as 10.0.0.0/8"
        )),
    }
}

/// Checks that an origin is written as browsers write it in `Origin`, since it is compared as text.
pub fn origin(text: &str) -> Result<String, String> {
    let written = Url::parse(text)
        .ok()
        .filter(|url| ["http", "https"].contains(&url.scheme()))
        .map(|url| url.origin().ascii_serialization());
    match written {
        // First, because `https://*.example.com` is a valid URL.
        _ if text.contains('*') => {
            Err("must not contain *, which would allow every page".to_owned())
        }
        Some(written) if written == text => Ok(written),
        Some(written) => Err(format!("{text:?} must be an origin, perhaps {written:?}")),
        None => Err(format!(
            "{text:?} must be an origin such as https://app.example.com"
        )),
    }
}
