//! Limit of requests without a valid credential, per address.

use actix_web::http::Method;
use quietline::domain::actor::Role;
use quietline::domain::api_key::PlaintextApiKey;
use quietline::domain::scope::Scope;
use quietline::limits::LimitSettings;

use crate::db::parallel::in_parallel;

use super::{Limited, assert_refused, per_minute};

const LIMIT: (&str, u32) = ("failed-authentication", 3);

async fn server() -> Limited {
    Limited::new(LimitSettings {
        address_failures: per_minute(3),
        ..LimitSettings::default()
    })
    .await
}

#[actix_web::test]
async fn an_address_with_too_many_failures_is_refused_in_both_dialects() {
    let server = server().await;
    let app = &server.app;
    let key = app.api_key(&[Scope::OrgRead]).await;
    let unknown = "am_live_0123456789abcdefghijABCDEFGHIJ0123";
    assert_eq!(server.read("x").await.status, 401);
    assert_eq!(server.read(unknown).await.status, 401);
    assert_eq!(server.read_message("x.y.z").await.status, 401);
    // A valid credential gets the same response. Otherwise a success would confirm a guess.
    for credential in [key.as_str(), unknown, "x", ""] {
        let refused = server.read(credential).await;
        assert_refused(&refused, LIMIT, 20);
        assert!(!refused.headers.contains_key("www-authenticate"));
    }
    for token in [app.jwt(Role::Admin).as_str(), "x"] {
        assert_refused(&server.read_message(token).await, LIMIT, 20);
    }
    let none = app.request(Method::GET, super::ORGANIZATION).send().await;
    assert_refused(&none, LIMIT, 20);
}

#[actix_web::test]
async fn the_address_is_accepted_again_after_retry_after() {
    let server = server().await;
    let key = server.app.api_key(&[Scope::OrgRead]).await;
    for _ in 0..3 {
        assert_eq!(server.read("x").await.status, 401);
    }
    server.advance(19_999);
    assert_refused(&server.read(&key).await, LIMIT, 1);
    server.advance(1);
    for _ in 0..5 {
        assert_eq!(server.read(&key).await.status, 200);
    }
    assert_eq!(server.read("x").await.status, 401);
    assert_eq!(server.read("x").await.status, 429);
}

/// Neighbours of an address must not lose their access to a client with a forgotten key.
#[actix_web::test]
async fn a_key_in_use_is_served_while_its_address_has_too_many_failures() {
    let server = server().await;
    let app = &server.app;
    let (used, unused) = (
        app.api_key(&[Scope::OrgRead]).await,
        app.api_key(&[Scope::OrgRead]).await,
    );
    let revoked = app.api_key(&[Scope::OrgRead]).await;
    for key in [&used, &revoked] {
        assert_eq!(server.read(key).await.status, 200);
    }
    app.revoke_key(app.key_id(&revoked).await).await;
    for _ in 0..3 {
        assert_eq!(server.read(&revoked).await.status, 401);
    }
    for _ in 0..5 {
        assert_eq!(server.read(&used).await.status, 200);
        assert_refused(&server.read(&unused).await, LIMIT, 20);
        assert_refused(&server.read(&revoked).await, LIMIT, 20);
    }
}

#[actix_web::test]
async fn only_failures_count_and_only_those_of_the_same_address() {
    let server = server().await;
    let key = server.app.api_key(&[Scope::OrgRead]).await;
    for _ in 0..10 {
        assert_eq!(server.read_from("192.0.2.1", &key).await.status, 200);
    }
    for _ in 0..3 {
        let failed = server.read_from("192.0.2.1", "x").await;
        assert_eq!(failed.status, 401);
        assert!(!failed.headers.contains_key("ratelimit"));
    }
    assert_eq!(server.read_from("192.0.2.1", "x").await.status, 429);
    assert_eq!(server.read_from("192.0.2.2", &key).await.status, 200);
}

#[actix_web::test]
async fn an_ipv6_site_that_fails_to_authenticate_takes_nothing_from_others() {
    let server = server().await;
    let key = server.app.api_key(&[Scope::OrgRead]).await;
    let address = |site: u16, network: usize| format!("2001:db8:{site:x}:{network:x}::1");
    let mut failures = 0;
    for network in 0..20 {
        let response = server.read_from(&address(1, network), "x").await;
        failures += usize::from(response.status == 401);
    }
    assert_eq!(failures, 12);
    let refused = server.read_from(&address(1, 99), &key).await;
    assert_refused(&refused, ("failed-authentication", 12), 5);
    for honest in ["192.0.2.1", &address(2, 0)] {
        assert_eq!(server.read_from(honest, &key).await.status, 200);
        assert_eq!(server.read_from(honest, "x").await.status, 401);
    }
}

#[actix_web::test]
async fn a_missing_permission_does_not_count_as_a_failure() {
    let server = server().await;
    let key = server.app.api_key(&[Scope::AuditRead]).await;
    let token = server.app.jwt(Role::SalesRep);
    for _ in 0..5 {
        assert_eq!(server.read(&key).await.status, 403);
        assert_eq!(server.read_message(&token).await.status, 403);
    }
}

/// Goal: concurrent guesses reveal no more than sequential guesses. Method: concurrent requests
/// with one valid key among them. Once the failures are used up, the valid key gets the same
/// response.
#[actix_web::test]
async fn concurrent_failures_do_not_exceed_the_limit() {
    let server = server().await;
    let app = &server.app;
    let statuses = in_parallel(20, async |_| {
        let unknown = PlaintextApiKey::generate();
        app.get(super::ORGANIZATION, unknown.reveal()).await.status
    });
    let answered = statuses.iter().filter(|status| **status == 401).count();
    assert_eq!(answered, 3, "{statuses:?}");
    assert!(statuses.iter().all(|status| [401, 429].contains(status)));
}
