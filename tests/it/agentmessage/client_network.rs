//! Networks of clients in the audit log, off by default.

use actix_web::http::Method;
use quietline::domain::audit::chain::Anchors;
use quietline::domain::scope::Scope;
use quietline::operator::audit::export::export;
use quietline::operator::audit::verify::verify;
use quietline::operator::audit::verify_export::verify_file;
use serde_json::json;

use crate::support::TestApp;
use crate::support::response::Response;

const SCOPES: &[Scope] = &[
    Scope::OrgAdminWrite,
    Scope::OrgRead,
    Scope::ApiKeysWrite,
    Scope::AuditRead,
];

async fn recording() -> TestApp {
    TestApp::with(|state| state.records_client_networks = true).await
}

/// Changes the name of the organization from `address`.
async fn rename(app: &TestApp, key: &str, address: &str, name: &str) -> Response {
    let request = app.request(Method::PATCH, "/v1/organization").bearer(key);
    let request = request.from(address).header("Idempotency-Key", name);
    request.json(&json!({ "name": name })).send().await
}

#[actix_web::test]
async fn the_identity_of_an_entry_begins_with_the_network_of_its_client() {
    let app = recording().await;
    let key = app.api_key(SCOPES).await;
    let id = app.key_id(&key).await;
    for (address, network) in [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
    ] {
        assert_eq!(rename(&app, &key, address, address).await.status, 200);
        let entries = app.audit().await;
        let identity = &entries.last().unwrap().actor.identity;
        assert_eq!(*identity, format!("client:{network} api_key:{id}"));
    }
    let path = "/v1/audit-log?include=payload";
    let feed = app.get(path, &key).await.json().to_string();
    assert!(feed.contains("organization.update") && !feed.contains("client:"));
}

#[actix_web::test]
async fn networks_are_not_recorded_by_default() {
    let app = TestApp::new().await;
    let key = app.api_key(SCOPES).await;
    let id = app.key_id(&key).await;
    assert_eq!(rename(&app, &key, "192.0.2.77", "New").await.status, 200);
    let entries = app.audit().await;
    assert_eq!(entries[0].actor.identity, format!("api_key:{id}"));
}

#[actix_web::test]
async fn a_retry_from_another_network_is_the_same_caller() {
    let app = recording().await;
    let key = app.api_key(SCOPES).await;
    assert_eq!(rename(&app, &key, "192.0.2.77", "New").await.status, 200);
    let retry = rename(&app, &key, "198.51.100.1", "New").await;
    assert_eq!(retry.header("idempotent-replayed"), "true");
    assert_eq!(app.audit().await.len(), 1);
}

#[actix_web::test]
async fn a_log_with_networks_verifies_in_the_database_and_in_an_export() {
    let app = recording().await;
    let key = app.api_key(SCOPES).await;
    rename(&app, &key, "192.0.2.77", "New").await;
    let path = format!("/v1/api-keys/{}/rotate", app.key_id(&key).await);
    let rotate = app.request(Method::POST, &path).bearer(&key);
    assert_eq!(rotate.from("2001:db8::1").send().await.status, 201);

    let summary = verify(&app.state.db, app.org_id, Anchors::default()).unwrap();
    assert!(summary.faults.is_empty());
    let mut file = Vec::new();
    export(&app.state.db, None, &mut file).await.unwrap();
    let text = String::from_utf8(file).unwrap();
    assert!(text.contains("\"actor_identity\":\"client:2001:db8::/48 api_key:"));
    let summary = verify_file(text.as_bytes(), Anchors::default()).unwrap();
    assert!(summary.faults.is_empty());
}
