//! Rate limits per credential, per organization and per address.

use actix_web::http::Method;
use quietline::domain::actor::Role;
use quietline::domain::organization::OrganizationKind;
use quietline::domain::scope::Scope;
use quietline::limits::LimitSettings;
use serde_json::json;

use super::{Limited, ORGANIZATION, assert_refused, limit_fields, per_minute};
use crate::support::TestApp;
use crate::support::app::EXTERNAL_ID;

async fn per_credential(quota: u32) -> Limited {
    let credential_requests = per_minute(quota);
    Limited::new(LimitSettings {
        credential_requests,
        ..LimitSettings::default()
    })
    .await
}

async fn per_organization(quota: u32) -> Limited {
    let organization_requests = per_minute(quota);
    Limited::new(LimitSettings {
        organization_requests,
        ..LimitSettings::default()
    })
    .await
}

#[actix_web::test]
async fn a_credential_over_its_limit_is_refused_in_its_own_envelope() {
    let server = per_credential(3).await;
    let key = server.app.api_key(&[Scope::OrgRead]).await;
    let token = server.app.jwt(Role::Admin);
    for left in [2, 1, 0] {
        let expected = [
            "\"credential\";q=3;w=60".to_owned(),
            format!("\"credential\";r={left};t=20"),
        ];
        for response in [server.read(&key).await, server.read_message(&token).await] {
            assert_eq!(response.status, 200);
            assert_eq!(limit_fields(&response), expected);
            assert!(!response.headers.contains_key("retry-after"));
        }
    }
    let refused = server.read(&key).await;
    assert_refused(&refused, ("credential", 3), 20);
    assert_eq!(refused.code(), "RATE_LIMITED");
    let refused = server.read_message(&token).await;
    assert_refused(&refused, ("credential", 3), 20);
    assert_eq!(refused.text("/error"), "Too many requests");
}

#[actix_web::test]
async fn the_quota_refills_evenly_and_refused_requests_use_none() {
    let server = per_credential(3).await;
    let key = server.app.api_key(&[Scope::OrgRead]).await;
    for _ in 0..3 {
        assert_eq!(server.read(&key).await.status, 200);
    }
    for (millis, seconds) in [(0, 20), (500, 20), (600, 19), (18_800, 1)] {
        server.advance(millis);
        assert_refused(&server.read(&key).await, ("credential", 3), seconds);
    }
    server.advance(100);
    assert_eq!(server.read(&key).await.status, 200);
    assert_refused(&server.read(&key).await, ("credential", 3), 20);
    server.advance(60_000);
    for _ in 0..3 {
        assert_eq!(server.read(&key).await.status, 200);
    }
    assert_refused(&server.read(&key).await, ("credential", 3), 20);
}

#[actix_web::test]
async fn two_credentials_have_separate_limits() {
    let server = per_credential(1).await;
    let app = &server.app;
    let keys = [
        app.api_key(&[Scope::OrgRead]).await,
        app.api_key(&[Scope::OrgRead]).await,
    ];
    let other = app.organization(OrganizationKind::Commercial).await.id;
    let (own, other) = (app.org_id.to_string(), other.to_string());
    let (own, foreign) = (Some(own.as_str()), Some(other.as_str()));
    let tokens = [
        app.jwt_of_user("a", Role::Admin, own),
        app.jwt_of_user("b", Role::Admin, own),
        // The same `sub` in another organization is another user.
        app.jwt_of_user("a", Role::Admin, foreign),
    ];
    for key in &keys {
        assert_eq!(server.read(key).await.status, 200);
    }
    for (token, status) in tokens.iter().zip([200, 200, 403]) {
        assert_eq!(server.read_message(token).await.status, status);
    }
    for key in &keys {
        assert_eq!(server.read(key).await.status, 429);
    }
    for token in &tokens {
        assert_eq!(server.read_message(token).await.status, 429);
    }
}

#[actix_web::test]
async fn a_new_token_of_the_same_user_is_the_same_credential() {
    let server = per_credential(1).await;
    let own = server.app.org_id.to_string();
    let own = Some(own.as_str());
    let first = server.app.jwt_of_user("a", Role::Admin, own);
    let second = server.app.jwt_of_user("a", Role::Admin, own);
    assert_ne!(first, second);
    assert_eq!(server.read_message(&first).await.status, 200);
    assert_eq!(server.read_message(&second).await.status, 429);
}

#[actix_web::test]
async fn a_user_is_one_credential_under_both_names_of_the_organization() {
    let server = per_credential(2).await;
    let own = server.app.org_id.to_string();
    let token = |organization| {
        let organization = Some(organization);
        server.app.jwt_of_user("a", Role::Admin, organization)
    };
    let [by_id, by_external_id] = [token(own.as_str()), token(EXTERNAL_ID)];
    assert_eq!(server.read_message(&by_external_id).await.status, 200);
    assert_eq!(server.read_message(&by_id).await.status, 200);
    for token in [&by_external_id, &by_id] {
        assert_refused(&server.read_message(token).await, ("credential", 2), 30);
    }
}

#[actix_web::test]
async fn the_same_subject_in_another_role_is_another_credential() {
    let server = per_credential(1).await;
    let own = server.app.org_id.to_string();
    for role in [Role::Admin, Role::Superadmin] {
        let token = server.app.jwt_of_user("a", role, Some(&own));
        assert_eq!(server.read_message(&token).await.status, 200, "{role:?}");
        assert_eq!(server.read_message(&token).await.status, 429, "{role:?}");
    }
}

#[actix_web::test]
async fn all_credentials_of_an_organization_share_its_limit_in_both_dialects() {
    let server = per_organization(3).await;
    let app = &server.app;
    let key = app.api_key(&[Scope::OrgRead]).await;
    let other_key = app.api_key(&[Scope::OrgRead]).await;
    let token = app.jwt(Role::Admin);
    let by_external_id = app.jwt_of_user("b", Role::Admin, Some(EXTERNAL_ID));
    assert_eq!(server.read(&key).await.status, 200);
    assert_eq!(server.read_message(&token).await.status, 200);
    let last = server.read_message(&by_external_id).await;
    assert_eq!(last.status, 200);
    assert_eq!(
        limit_fields(&last),
        ["\"organization\";q=3;w=60", "\"organization\";r=0;t=20"]
    );
    let limit = ("organization", 3);
    assert_refused(&server.read(&other_key).await, limit, 20);
    assert_refused(&server.read_message(&token).await, limit, 20);
    assert_refused(&server.read_message(&by_external_id).await, limit, 20);
}

#[actix_web::test]
async fn two_organizations_have_separate_limits() {
    let server = per_organization(1).await;
    let app = &server.app;
    let other = app.organization(OrganizationKind::Commercial).await.id;
    let own_key = app.api_key(&[Scope::OrgRead]).await;
    let other_key = app.api_key_of(&other, &[Scope::OrgRead]).await;
    assert_eq!(server.read(&own_key).await.status, 200);
    assert_eq!(server.read(&own_key).await.status, 429);
    assert_eq!(server.read(&other_key).await.status, 200);
    // Platform staff belong to no organization, and use no quota of the organization that they
    // read.
    let staff = app.jwt_of(Role::Superadmin, None);
    let response = server.read_message(&staff).await;
    assert_eq!(response.status, 200);
    assert!(!response.headers.contains_key("ratelimit"));
}

#[actix_web::test]
async fn requests_from_one_address_are_limited_whatever_their_credential() {
    let server = Limited::new(LimitSettings {
        address_requests: per_minute(3),
        ..LimitSettings::default()
    })
    .await;
    let key = server.app.api_key(&[Scope::OrgRead]).await;
    assert_eq!(server.read_from("192.0.2.1", &key).await.status, 200);
    let failed = server.read_from("192.0.2.1", "x").await;
    assert_eq!(failed.status, 401);
    assert_eq!(failed.header("ratelimit"), "\"address\";r=1;t=20");
    let message = server
        .app
        .request(Method::GET, &server.app.missed_call_path());
    let message = message.bearer(&server.app.jwt(Role::Admin));
    assert_eq!(message.from("192.0.2.1").send().await.status, 200);
    for credential in [key.as_str(), "x"] {
        let refused = server.read_from("192.0.2.1", credential).await;
        assert_refused(&refused, ("address", 3), 20);
        assert!(!refused.headers.contains_key("www-authenticate"));
    }
    assert_eq!(server.read_from("192.0.2.2", &key).await.status, 200);
}

#[actix_web::test]
async fn a_refusal_by_address_uses_no_quota_of_the_credential() {
    let server = Limited::new(LimitSettings {
        address_requests: per_minute(1),
        credential_requests: per_minute(2),
        organization_requests: per_minute(2),
        ..LimitSettings::default()
    })
    .await;
    let key = server.app.api_key(&[Scope::OrgRead]).await;
    assert_eq!(server.read_from("192.0.2.1", &key).await.status, 200);
    for _ in 0..3 {
        let refused = server.read_from("192.0.2.1", &key).await;
        assert_refused(&refused, ("address", 1), 60);
    }
    let second = server.read_from("192.0.2.2", &key).await;
    assert_eq!(second.status, 200);
    // If several limits are used up, the last one checked is reported.
    assert_eq!(second.header("ratelimit"), "\"organization\";r=0;t=30");
    let third = server.read_from("192.0.2.3", &key).await;
    assert_refused(&third, ("credential", 2), 30);
}

#[actix_web::test]
async fn the_headers_report_the_limit_with_the_least_quota_left() {
    let server = Limited::new(LimitSettings {
        address_requests: per_minute(600),
        credential_requests: per_minute(60),
        organization_requests: per_minute(120),
        ..LimitSettings::default()
    })
    .await;
    let key = server.app.api_key(&[Scope::OrgRead]).await;
    let response = server.read_from("192.0.2.1", &key).await;
    assert_eq!(
        limit_fields(&response),
        ["\"credential\";q=60;w=60", "\"credential\";r=59;t=1"]
    );
}

#[actix_web::test]
async fn the_limit_comes_before_scopes_and_body_and_changes_nothing() {
    let server = per_credential(1).await;
    let key = server.app.api_key(&[Scope::OrgRead]).await;
    let missing_scope = server.app.patch(&key, json!({"name": "New"})).await;
    assert_eq!(missing_scope.status, 403);
    assert_eq!(missing_scope.header("ratelimit"), "\"credential\";r=0;t=60");
    let refused = server.app.patch(&key, json!({"name": null})).await;
    assert_refused(&refused, ("credential", 1), 60);
    let writer = server.app.api_key(&[Scope::OrgAdminWrite]).await;
    let changed = server.app.patch(&writer, json!({"name": "New"})).await;
    assert_eq!(changed.status, 200);
    let refused = server.app.patch(&writer, json!({"name": "Newer"})).await;
    assert_refused(&refused, ("credential", 1), 60);
    assert_eq!(server.app.stored().await.settings.name.as_str(), "New");
    assert_eq!(server.app.audit().await.len(), 1);
}

#[actix_web::test]
async fn head_counts_as_get_and_requests_without_an_operation_do_not_count() {
    let server = Limited::new(LimitSettings {
        address_requests: per_minute(1),
        credential_requests: per_minute(1),
        ..LimitSettings::default()
    })
    .await;
    let app = &server.app;
    for (method, path, status) in [
        (Method::OPTIONS, ORGANIZATION, 204),
        (Method::DELETE, ORGANIZATION, 405),
        (Method::GET, "/v1/nothing", 404),
        (Method::GET, "/healthz", 200),
        (Method::GET, "/readyz", 200),
        (Method::GET, "/docs/", 200),
    ] {
        for _ in 0..2 {
            let response = app.request(method.clone(), path).send().await;
            assert_eq!(response.status, status, "{method} {path}");
            assert!(!response.headers.contains_key("ratelimit"), "{path}");
        }
    }
    let key = app.api_key(&[Scope::OrgRead]).await;
    let head = app.request(Method::HEAD, ORGANIZATION).bearer(&key);
    assert_eq!(head.send().await.status, 200);
    assert_eq!(server.read(&key).await.status, 429);
}

#[actix_web::test]
async fn unlimited_servers_send_no_rate_limit_headers() {
    let app = TestApp::new().await;
    let key = app.api_key(&[Scope::OrgRead]).await;
    for credential in [key.as_str(), "x"] {
        for _ in 0..50 {
            let response = app.get(ORGANIZATION, credential).await;
            assert!([200, 401].contains(&response.status));
            for name in ["ratelimit", "ratelimit-policy", "retry-after"] {
                assert!(!response.headers.contains_key(name), "{name}");
            }
        }
    }
}

#[actix_web::test]
async fn the_limit_of_new_keys_reports_itself_next_to_other_limits() {
    let server = Limited::new(LimitSettings {
        credential_requests: per_minute(11),
        ..LimitSettings::default()
    })
    .await;
    let key = server
        .app
        .api_key(&[Scope::OrgRead, Scope::ApiKeysWrite])
        .await;
    let mut last = None;
    for _ in 0..11 {
        let request = server
            .app
            .request(Method::POST, "/v1/api-keys")
            .bearer(&key);
        let body = json!({ "label": "A", "scopes": ["org:read"] });
        last = Some(request.json(&body).send().await);
    }
    assert_refused(&last.unwrap(), ("api-keys", 10), 60);
}
