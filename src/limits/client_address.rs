//! Finds the client address of a request. Only headers of trusted proxies count, and only for the
//! peer that the proxy received the request from. A client's own claim is ignored.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use actix_web::HttpRequest;
use actix_web::http::header::{FORWARDED, HeaderName, X_FORWARDED_FOR};
use ipnet::IpNet;

/// Lengths of the prefixes at which an IPv6 client counts, in bits. A host can use every address of
/// its /64 network (RFC 4291, section 2.5.4), and a site has a /56 or a /48 (RFC 6177, section 2).
const IPV6_PREFIXES: [u8; 3] = [64, 56, 48];

/// Returns the networks that `address` counts for, narrowest first. An IPv4 address is its own
/// network.
pub fn networks(address: IpAddr) -> impl Iterator<Item = IpNet> + Clone {
    let prefixes: &[u8] = match address {
        IpAddr::V4(_) => &[32],
        IpAddr::V6(_) => &IPV6_PREFIXES,
    };
    prefixes.iter().map(move |bits| {
        let network = IpNet::new(address, *bits).expect("a prefix is not longer than its address");
        network.trunc()
    })
}

/// Returns whether `address`, in its canonical form, is a trusted proxy.
pub(super) fn is_trusted(address: &IpAddr, trusted_proxies: &[IpNet]) -> bool {
    trusted_proxies.iter().any(|net| net.contains(address))
}

/// Returns the peer of `request` if it is probably a proxy that is missing in `trusted_proxies`: it
/// is in the same network, and says that it forwards for another client.
pub(super) fn unlisted_proxy(request: &HttpRequest, trusted_proxies: &[IpNet]) -> Option<IpAddr> {
    let headers = request.headers();
    if !headers.contains_key(X_FORWARDED_FOR) && !headers.contains_key(FORWARDED) {
        return None;
    }
    let peer = request.peer_addr()?.ip().to_canonical();
    let is_near = match peer {
        IpAddr::V4(peer) => peer.is_loopback() || peer.is_private(),
        IpAddr::V6(peer) => peer.is_loopback() || peer.is_unique_local(),
    };
    (is_near && !is_trusted(&peer, trusted_proxies)).then_some(peer)
}

/// Returns the peer, or behind a trusted proxy the last address of the chain that is not one.
pub(super) fn client_address(request: &HttpRequest, trusted_proxies: &[IpNet]) -> IpAddr {
    let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let peer = request.peer_addr().map_or(unknown, |peer| peer.ip());
    // A socket for both protocols shows IPv4 peers as IPv6 addresses, which no IPv4 network
    // contains.
    let peer = peer.to_canonical();
    let is_trusted = |address: &IpAddr| is_trusted(address, trusted_proxies);
    if !is_trusted(&peer) {
        return peer;
    }
    let last_outside = |chain: Option<Vec<Option<IpAddr>>>| {
        let mut address = peer;
        for hop in chain?.into_iter().rev() {
            // An obfuscated or unknown peer (RFC 7239, section 6) counts as the proxy itself.
            let Some(hop) = hop else { break };
            address = hop;
            if !is_trusted(&address) {
                break;
            }
        }
        Some(address)
    };
    let by_x_forwarded_for = last_outside(x_forwarded_for(request));
    let by_forwarded = last_outside(forwarded(request));
    // A proxy writes one of the two headers, and may forward the other as the client invented it.
    match (by_x_forwarded_for, by_forwarded) {
        (Some(one), Some(other)) if one != other => peer,
        (one, other) => one.or(other).unwrap_or(peer),
    }
}

/// Joins all lines of a header to one list. Returns `None` if the header is absent.
fn joined(request: &HttpRequest, name: HeaderName) -> Option<String> {
    let lines: Vec<&str> = request
        .headers()
        .get_all(name)
        // A line that is not text stays a hop, so that the hops before it are not trusted.
        .map(|line| line.to_str().unwrap_or("?"))
        .collect();
    (!lines.is_empty()).then(|| lines.join(","))
}

/// Reads the list `X-Forwarded-For`, with `None` for an item that is not an address.
fn x_forwarded_for(request: &HttpRequest) -> Option<Vec<Option<IpAddr>>> {
    let list = joined(request, X_FORWARDED_FOR)?;
    Some(list.split(',').map(node_address).collect())
}

/// Reads the `for` parameters of `Forwarded` (RFC 7239, section 4) in the same way.
fn forwarded(request: &HttpRequest) -> Option<Vec<Option<IpAddr>>> {
    let list = joined(request, FORWARDED)?;
    let elements = split_unquoted(&list, ',').into_iter().map(|element| {
        let mut nodes = split_unquoted(element, ';').into_iter().filter_map(|pair| {
            let (name, node) = pair.split_once('=')?;
            name.trim().eq_ignore_ascii_case("for").then_some(node)
        });
        node_address(nodes.next_back()?)
    });
    Some(elements.collect())
}

/// Splits at a separator outside of quotes. Text after an unclosed quote stays whole.
fn split_unquoted(text: &str, separator: char) -> Vec<&str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(|c| {
        let is_separator = c == separator && !is_quoted;
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ => {}
        }
        is_separator
    })
    .collect()
}

/// Reads `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:4711`, in
/// quotes or not.
fn node_address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse().ok();
    let with_port = || text.parse().ok().map(|node: SocketAddr| node.ip());
    address
        .or_else(with_port)
        .map(|address: IpAddr| address.to_canonical())
}
