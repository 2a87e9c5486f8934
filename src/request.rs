//! Facts about a request, noted in its extensions while it is processed.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use actix_web::{HttpMessage, HttpRequest};
use ipnet::IpNet;

use crate::domain::ids::{ApiKeyId, RequestId};
use crate::error::BoxError;

/// State of a rate limit after a request, for the response headers. `limits` does the counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Name of the limit.
    pub policy: &'static str,
    /// Requests allowed in `window_secs`.
    pub quota: u32,
    pub window_secs: u64,
    pub remaining: u32,
    /// Seconds until one more request is allowed, at least 1.
    pub seconds: u64,
}

/// Caller of a request in the access log.
#[derive(Debug)]
pub enum KnownCaller {
    ApiKey(ApiKeyId),
    /// User of a valid token, by its `sub`.
    User(String),
}

impl fmt::Display for KnownCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiKey(id) => write!(f, "api_key:{id}"),
            // Escaped, because an issuer may put any character into `sub`, and a line of the log is
            // one event.
            Self::User(subject) => write!(f, "user:{}", subject.escape_debug()),
        }
    }
}

/// Facts for the access log, the error bodies and the response headers.
#[derive(Debug)]
pub struct RequestContext {
    /// Id of the request, in the log and in the response.
    pub id: RequestId,
    /// Path template of the operation. `None` if the request reached no operation.
    pub route: Option<&'static str>,
    /// Address of the client, which may be behind trusted proxies.
    pub client: IpAddr,
    /// Network of the client for the audit log. `None` unless the server records networks.
    pub recorded_network: Option<IpNet>,
    /// Prefix of the API key, whether the key is valid or not. `None` without a well-formed key.
    pub key_prefix: Option<String>,
    /// `None` until the credential is verified.
    pub caller: Option<KnownCaller>,
    /// Error that ended the request, with the code or message that the caller got.
    pub failure: Option<(&'static str, BoxError)>,
    /// Rate limit that leaves the least. `None` is unlimited.
    pub rate_limit: Option<RateLimit>,
}

impl RequestContext {
    pub fn new(id: RequestId, client: IpAddr) -> Self {
        Self {
            id,
            route: None,
            client,
            recorded_network: None,
            key_prefix: None,
            caller: None,
            failure: None,
            rate_limit: None,
        }
    }
}

/// Returns the id that the outermost middleware gave `request`.
pub fn id_of(request: &HttpRequest) -> RequestId {
    let context = request.extensions();
    // Only a request that did not pass the middleware, as in a test, gets a new id.
    context
        .get::<RequestContext>()
        .map_or_else(RequestId::generate, |context| context.id)
}

/// Returns the address of the client that sent `request`.
pub fn client_of(request: &HttpRequest) -> IpAddr {
    let context = request.extensions();
    // Only a request that did not pass the middleware has no address.
    let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    context
        .get::<RequestContext>()
        .map_or(unknown, |context| context.client)
}

/// Returns the network of the client for the audit log, if the server records networks.
pub fn recorded_network(request: &HttpRequest) -> Option<IpNet> {
    let context = request.extensions();
    context.get::<RequestContext>()?.recorded_network
}

/// Returns the network of `client` as the audit log names it: IPv4 /24, IPv6 /48. It says where a
/// request came from, and is shared by many persons.
pub fn network_of(client: IpAddr) -> IpNet {
    let bits = if client.is_ipv4() { 24 } else { 48 };
    let network = IpNet::new(client, bits).expect("a prefix is not longer than its address");
    network.trunc()
}

/// Changes the context of `request`.
pub fn note(request: &HttpRequest, change: impl FnOnce(&mut RequestContext)) {
    if let Some(context) = request.extensions_mut().get_mut::<RequestContext>() {
        change(context);
    }
}
