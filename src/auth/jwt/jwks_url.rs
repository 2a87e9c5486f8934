//! Address of a JWK set, and its bounded download.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};

use crate::error::chain;

/// Maximum duration of a download, connecting included.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum length of a set, in bytes. Sets of large issuers have a few KiB.
const MAX_BYTES: usize = 256 * 1024;

/// Address of a JWK set: https, or http on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwksUrl(Url);

/// Address of a JWK set that is downloaded again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwksSource {
    pub url: JwksUrl,
    /// Interval between downloads.
    pub refresh: Duration,
}

impl FromStr for JwksUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).ok();
        let url = url.filter(|url| url.scheme() == "https" || is_local(url));
        let Some(url) = url else {
            // Without the text, which may hold a password.
            return Err("must be an https URL, or an http URL of this machine".to_owned());
        };
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err("must not have a user, a password or a fragment".to_owned());
        }
        Ok(Self(url))
    }
}

impl fmt::Display for JwksUrl {
    /// Shows the address without its query, which may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        shown.set_query(None);
        f.write_str(shown.as_str())
    }
}

/// Returns whether only a program on this machine can answer an http request to `url`.
fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = address
        .parse()
        .is_ok_and(|address: IpAddr| address.is_loopback());
    url.scheme() == "http" && (is_loopback || host == "localhost")
}

impl JwksUrl {
    /// Downloads the set. Follows no redirect, because a redirect could lead away from https.
    ///
    /// # Errors
    ///
    /// The reason, in one line.
    pub(super) async fn download(&self) -> Result<String, String> {
        // Made for each download, which is rare, so that renewed certificates are used.
        // Without the proxies of the environment, which could answer for http on this machine.
        let mut client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(Policy::none())
            .no_proxy();
        if self.0.scheme() == "http" {
            // Otherwise it would fail on a system without certificate authorities.
            client = client.tls_certs_only([]);
        }
        let error = |error: reqwest::Error| chain(&error.without_url());
        let request = client.build().map_err(error)?.get(self.0.clone());
        let mut response = request.send().await.map_err(error)?;
        if response.status() != StatusCode::OK {
            return Err(format!("the response has status {}", response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(error)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BYTES {
                return Err(format!("the response is longer than {MAX_BYTES} bytes"));
            }
        }
        String::from_utf8(body).map_err(|_other| "the response is not UTF-8".to_owned())
    }
}
