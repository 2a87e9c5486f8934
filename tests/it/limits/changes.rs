//! Limits of changes: of one organization per minute, and with an `Idempotency-Key` per day.

use actix_web::http::Method;
use quietline::domain::actor::Role;
use quietline::domain::organization::OrganizationKind;
use quietline::domain::scope::Scope;
use quietline::limits::LimitSettings;
use serde_json::json;

use super::{Limited, assert_refused, limit_fields, per_minute};
use crate::support::app::EXTERNAL_ID;
use crate::support::response::Response;

const SCOPES: &[Scope] = &[Scope::OrgRead, Scope::OrgAdminWrite, Scope::ApiKeysWrite];

async fn per_organization(quota: u32) -> Limited {
    Limited::new(LimitSettings {
        organization_changes: per_minute(quota),
        ..LimitSettings::default()
    })
    .await
}

#[actix_web::test]
async fn all_changes_of_an_organization_share_a_limit_and_reads_do_not_count() {
    let server = per_organization(4).await;
    let app = &server.app;
    let (key, other) = (app.api_key(SCOPES).await, app.api_key(SCOPES).await);
    let admin = app.jwt_of(Role::Admin, Some(EXTERNAL_ID));
    let superadmin = app.jwt_of(Role::Superadmin, None);
    let changed = app.patch(&key, json!({})).await;
    assert_eq!(
        limit_fields(&changed),
        ["\"changes\";q=4;w=60", "\"changes\";r=3;t=15"]
    );
    let create = json!({"label": "new", "scopes": ["org:read"]});
    let post = app.request(Method::POST, "/v1/api-keys").bearer(&other);
    assert_eq!(post.json(&create).send().await.status, 201);
    assert_eq!(app.put(&admin, json!({})).await.status, 200);
    assert_eq!(app.put(&superadmin, json!({})).await.status, 200);

    assert_refused(
        &app.patch(&other, json!({"name": null})).await,
        ("changes", 4),
        15,
    );
    let path = format!("/api/organizations/{EXTERNAL_ID}/missed-call-message");
    let by_external_id = app.request(Method::PUT, &path).bearer(&admin);
    let refused = by_external_id.json(&json!({})).send().await;
    assert_refused(&refused, ("changes", 4), 15);
    assert_eq!(server.read(&key).await.status, 200);
    assert_eq!(server.read_message(&admin).await.status, 200);
    assert_eq!(app.audit().await, []);

    server.advance(15_000);
    assert_eq!(
        app.patch(&key, json!({"name": "In time"})).await.status,
        200
    );
}

#[actix_web::test]
async fn a_leaked_key_can_be_revoked_while_it_uses_the_limit_up() {
    let server = per_organization(1).await;
    let app = &server.app;
    let (key, leaked) = (app.api_key(SCOPES).await, app.api_key(SCOPES).await);
    for status in [200, 429] {
        assert_eq!(app.patch(&leaked, json!({})).await.status, status);
    }
    let path = format!("/v1/api-keys/{}", app.key_id(&leaked).await);
    let revoked = app.request(Method::DELETE, &path).bearer(&key).send().await;
    assert_eq!(revoked.status, 204, "{revoked:?}");
}

#[actix_web::test]
async fn requests_without_permission_do_not_use_up_the_changes_of_an_organization() {
    let server = per_organization(1).await;
    let app = &server.app;
    let (key, reader) = (
        app.api_key(SCOPES).await,
        app.api_key(&[Scope::OrgRead]).await,
    );
    let foreign = app.organization(OrganizationKind::Commercial).await;
    let foreign_key = app.api_key_of(&foreign.id, SCOPES).await;
    let foreign_admin = app.jwt_of(Role::Admin, Some(&foreign.id.to_string()));
    assert_eq!(app.patch(&reader, json!({})).await.status, 403);
    assert_eq!(app.put(&foreign_admin, json!({})).await.status, 403);
    assert_eq!(app.patch(&foreign_key, json!({})).await.status, 200);
    assert_eq!(app.patch(&key, json!({})).await.status, 200);
    assert_eq!(app.patch(&key, json!({})).await.status, 429);
}

#[actix_web::test]
async fn idempotency_keys_are_limited_per_credential_and_day() {
    let server = Limited::new(LimitSettings {
        credential_keys_per_day: per_minute(2),
        ..LimitSettings::default()
    })
    .await;
    let app = &server.app;
    let (key, other) = (app.api_key(SCOPES).await, app.api_key(SCOPES).await);
    let send = async |key: &str, once: &str| -> Response {
        let request = app.request(Method::PATCH, "/v1/organization").bearer(key);
        let request = request.header("Idempotency-Key", once);
        request.json(&json!({})).send().await
    };
    let first = send(&key, "k1").await;
    let expected = [
        "\"idempotency-keys\";q=2;w=86400",
        "\"idempotency-keys\";r=1;t=43200",
    ];
    assert_eq!(limit_fields(&first), expected);
    assert_eq!(send(&key, "k2").await.status, 200);
    let refused = send(&key, "k3").await;
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (429, "43200")
    );
    assert_eq!(
        app.patch(&key, json!({})).await.status,
        200,
        "without a key"
    );
    assert_eq!(send(&other, "k3").await.status, 200);
    server.advance(43_200_000);
    assert_eq!(send(&key, "k3").await.status, 200);
}

#[actix_web::test]
async fn a_key_can_be_rotated_and_revoked_while_another_key_uses_the_limit_up() {
    let server = per_organization(1).await;
    let app = &server.app;
    let (leaked, own) = (app.api_key(SCOPES).await, app.api_key(SCOPES).await);
    assert_eq!(app.patch(&leaked, json!({})).await.status, 200);
    assert_eq!(app.patch(&leaked, json!({})).await.status, 429);
    let path = format!("/v1/api-keys/{}/rotate", app.key_id(&own).await);
    let rotated = app.request(Method::POST, &path).bearer(&own).send().await;
    assert_eq!(rotated.status, 201, "{rotated:?}");
    let own = rotated.text("/data/plaintext");
    let path = format!("/v1/api-keys/{}/rotate", app.key_id(&own).await);
    let again = app.request(Method::POST, &path).bearer(&own).send().await;
    assert_refused(&again, ("changes", 1), 60);
    let path = format!("/v1/api-keys/{}", app.key_id(&leaked).await);
    let revoked = app.request(Method::DELETE, &path).bearer(&own).send().await;
    assert_eq!(revoked.status, 204, "{revoked:?}");
}
