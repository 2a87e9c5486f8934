//! Client addresses of the rate limits: headers of an untrusted client have no effect.

use actix_web::http::Method;
use quietline::domain::scope::Scope;
use quietline::limits::LimitSettings;

use super::{Limited, ORGANIZATION, per_minute};

/// Server behind these proxies that allows each address one request a minute.
struct Server {
    limited: Limited,
    key: String,
}

impl Server {
    async fn behind(proxies: &[&str]) -> Self {
        let networks = proxies.iter().map(|proxy| proxy.parse().unwrap());
        let limited = Limited::new(LimitSettings {
            address_requests: per_minute(1),
            trusted_proxies: networks.collect(),
            ..LimitSettings::default()
        })
        .await;
        let key = limited.app.api_key(&[Scope::OrgRead]).await;
        Self { limited, key }
    }

    /// Returns the status of a request over a connection from `peer` with these headers.
    async fn status(&self, peer: &str, headers: &[(&str, &str)]) -> u16 {
        let request = self.limited.app.request(Method::GET, ORGANIZATION);
        let request = request.bearer(&self.key).from(peer);
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        request.send().await.status
    }
}

#[actix_web::test]
async fn without_a_trusted_proxy_headers_do_not_change_the_client_address() {
    let server = Server::behind(&[]).await;
    assert_eq!(server.status("192.0.2.1", &[]).await, 200);
    for headers in [
        [("x-forwarded-for", "198.51.100.1")],
        [("forwarded", "for=198.51.100.2")],
        [("x-real-ip", "198.51.100.3")],
    ] {
        assert_eq!(server.status("192.0.2.1", &headers).await, 429);
    }
    // An attacker cannot use up the quota of another address either.
    assert_eq!(server.status("198.51.100.1", &[]).await, 200);
    assert_eq!(server.status("198.51.100.2", &[]).await, 200);
}

#[actix_web::test]
async fn behind_trusted_proxies_the_last_untrusted_address_counts() {
    let server = Server::behind(&["10.0.0.0/8", "2001:db8:ffff::/48"]).await;
    let proxy = "10.0.0.1";
    let forwarded_for = |chain| [("x-forwarded-for", chain)];
    assert_eq!(server.status(proxy, &forwarded_for("192.0.2.1")).await, 200);
    for same in [
        "192.0.2.1",
        "203.0.113.9, 192.0.2.1",
        "203.0.113.10,192.0.2.1, 10.9.9.9",
        "nonsense, 192.0.2.1, 2001:db8:ffff::1, 10.9.9.9",
        "::ffff:192.0.2.1",
        "192.0.2.1:4711",
    ] {
        assert_eq!(
            server.status(proxy, &forwarded_for(same)).await,
            429,
            "{same}"
        );
    }
    let lines = [
        ("x-forwarded-for", "203.0.113.1"),
        ("x-forwarded-for", "192.0.2.1"),
    ];
    assert_eq!(
        server.status(proxy, &lines).await,
        429,
        "two lines are one list"
    );
    assert_eq!(server.status(proxy, &forwarded_for("192.0.2.2")).await, 200);
    assert_eq!(
        server.status("192.0.2.1", &[]).await,
        429,
        "the same directly"
    );
    let by_forwarded = [(
        "forwarded",
        "for=203.0.113.1, for=\"[2001:db8::1]:80\";proto=https",
    )];
    assert_eq!(server.status(proxy, &by_forwarded).await, 200);
    let same_network = forwarded_for("2001:db8::abcd");
    assert_eq!(server.status(proxy, &same_network).await, 429);
}

#[actix_web::test]
async fn an_invalid_chain_counts_for_the_proxy() {
    let server = Server::behind(&["10.0.0.1/32"]).await;
    let proxy = "10.0.0.1";
    assert_eq!(server.status(proxy, &[]).await, 200);
    for headers in [
        vec![("x-forwarded-for", "192.0.2.1, unknown")],
        vec![("x-forwarded-for", "")],
        vec![("forwarded", "for=_hidden")],
        vec![("forwarded", "proto=https")],
        vec![("forwarded", "for=\"192.0.2.1, for=192.0.2.2")],
        vec![
            ("x-forwarded-for", "192.0.2.1"),
            ("forwarded", "for=192.0.2.2"),
        ],
    ] {
        assert_eq!(server.status(proxy, &headers).await, 429, "{headers:?}");
    }
    let agreed = [
        ("x-forwarded-for", "192.0.2.1"),
        ("forwarded", "for=192.0.2.1"),
    ];
    assert_eq!(server.status(proxy, &agreed).await, 200);
}

#[actix_web::test]
async fn all_addresses_of_one_ipv6_network_are_one_client() {
    let server = Server::behind(&[]).await;
    assert_eq!(server.status("2001:db8:1:2::1", &[]).await, 200);
    for same in ["2001:db8:1:2::2", "2001:db8:1:2:ffff:ffff:ffff:ffff"] {
        assert_eq!(server.status(same, &[]).await, 429, "{same}");
    }
    for other in ["2001:db8:1:3::1", "192.0.2.1", "192.0.2.2"] {
        assert_eq!(server.status(other, &[]).await, 200, "{other}");
    }
    assert_eq!(server.status("::ffff:192.0.2.1", &[]).await, 429);
}

#[actix_web::test]
async fn the_networks_of_an_ipv6_site_share_a_multiple_of_the_quota() {
    let server = Server::behind(&[]).await;
    let status = async |site: u16, network: u16| {
        let address = format!("2001:db8:{site:x}:{network:x}::1");
        server.status(&address, &[]).await
    };
    // A /56 has 4 times the quota of a /64.
    for network in 0x100..0x104 {
        assert_eq!(status(1, network).await, 200, "{network:x}");
    }
    assert_eq!(status(1, 0x104).await, 429);
    // A /48 has 16 times the quota of a /64.
    for number in 2..14 {
        assert_eq!(status(1, number << 8).await, 200, "{number}");
    }
    assert_eq!(status(1, 0xff00).await, 429);
    assert_eq!(status(2, 0xff00).await, 200);
    assert_eq!(server.status("192.0.2.1", &[]).await, 200);
}
