//! `Idempotency-Key` on the PUT of the missed-call message.

use actix_web::http::Method;
use futures_util::future::join_all;
use jsonwebtoken::{EncodingKey, Header};
use quietline::domain::actor::Role;
use quietline::domain::organization::OrganizationKind;
use serde_json::json;

use crate::support::TestApp;
use crate::support::app::{EXTERNAL_ID, JWT_SECRET, now};
use crate::support::request::TestServer;
use crate::support::response::Response;

async fn put(app: &TestApp, path: &str, token: &str, key: &str, body: &str) -> Response {
    app.request(Method::PUT, path)
        .bearer(token)
        .header("Idempotency-Key", key)
        .body("application/json", body.to_owned())
        .send()
        .await
}

#[actix_web::test]
async fn a_retry_gets_the_replayed_response_and_changes_nothing() {
    let app = TestApp::new().await;
    let (token, path) = (app.jwt(Role::Admin), app.missed_call_path());
    let body = r#"{"missedCallMessage":"First"}"#;
    let first = put(&app, &path, &token, "k1", body).await;
    app.put(&token, json!({"missedCallMessage": "Second"}))
        .await;
    let padded = r#"{ "ignored": 1, "missedCallMessage": "First" }"#;
    for body in [body, padded] {
        let again = put(&app, &path, &token, "k1", body).await;
        assert_eq!(
            (again.status, again.header("Idempotent-Replayed")),
            (200, "true")
        );
        assert_eq!(again.bytes, first.bytes);
    }
    assert_eq!(
        app.stored().await.missed_call.message.as_deref(),
        Some("Second")
    );
    assert_eq!(app.audit().await.len(), 2);
}

#[actix_web::test]
async fn another_body_or_an_invalid_key_is_400() {
    let app = TestApp::new().await;
    let (token, path) = (app.jwt(Role::Admin), app.missed_call_path());
    put(
        &app,
        &path,
        &token,
        "k1",
        r#"{"missedCallMessage":"First"}"#,
    )
    .await;
    let reused = put(&app, &path, &token, "k1", r#"{"missedCallMessage":""}"#).await;
    assert_eq!(reused.status, 400);
    let details = "Idempotency-Key: was used with another request";
    assert_eq!(
        reused.json(),
        json!({"error": "Validation error", "details": details})
    );
    let no_key = put(&app, &path, &token, &"x".repeat(256), "{}").await;
    assert_eq!(no_key.status, 400);
    let details = "Idempotency-Key: must be 1 to 255 printable ASCII characters";
    assert_eq!(
        no_key.json(),
        json!({"error": "Validation error", "details": details})
    );
    assert_eq!(app.audit().await.len(), 1);
}

#[actix_web::test]
async fn a_superadmin_may_reuse_a_key_for_each_organization() {
    let app = TestApp::new().await;
    let other = app.organization(OrganizationKind::Commercial).await;
    let token = app.jwt(Role::Superadmin);
    let other_path = format!("/api/organizations/{}/missed-call-message", other.id);
    for path in [app.missed_call_path(), other_path] {
        let response = put(
            &app,
            &path,
            &token,
            "k1",
            r#"{"missedCallMessage":"First"}"#,
        )
        .await;
        assert_eq!(response.status, 200);
        assert!(!response.headers.contains_key("idempotent-replayed"));
    }
}

#[actix_web::test]
async fn both_names_of_an_organization_share_one_record() {
    let app = TestApp::new().await;
    let token = app.jwt(Role::Admin);
    let names = [
        app.org_id.to_string(),
        app.org_id.to_string().to_uppercase(),
        EXTERNAL_ID.to_owned(),
    ];
    let mut replayed = Vec::new();
    for name in names {
        let path = format!("/api/organizations/{name}/missed-call-message");
        let response = put(&app, &path, &token, "k1", r#"{"missedCallMessage":"A"}"#).await;
        assert_eq!(response.status, 200);
        replayed.push(response.headers.contains_key("idempotent-replayed"));
    }
    assert_eq!(replayed, [false, true, true]);
}

#[actix_web::test]
async fn users_of_one_name_in_two_organizations_do_not_share_records() {
    let app = TestApp::new().await;
    let other = app.organization(OrganizationKind::Commercial).await;
    let server = TestServer::start(app.state.clone()).await;
    let puts = [&app.org_id, &other.id].map(|org_id| {
        let path = format!("/api/organizations/{org_id}/missed-call-message");
        app.request(Method::PUT, &path)
            .bearer(&app.jwt_of(Role::Admin, Some(&org_id.to_string())))
            .header("Idempotency-Key", "k1")
            .json(&json!({"missedCallMessage": "First"}))
            .send_to(&server)
    });
    let responses = join_all(puts).await;
    let statuses: Vec<u16> = responses.iter().map(|response| response.status).collect();
    assert_eq!(statuses, [200, 200]);
}

#[actix_web::test]
async fn users_of_one_subject_in_other_roles_or_of_other_issuers_do_not_share_records() {
    let app = TestApp::new().await;
    let token = |role: Role, issuer: &str| {
        let claims = json!({
            "sub": "bob", "organizationId": app.org_id.to_string(), "accessRole": role.into_str(),
            "iss": issuer, "exp": now().timestamp() + 60,
        });
        let key = EncodingKey::from_secret(JWT_SECRET.as_bytes());
        jsonwebtoken::encode(&Header::default(), &claims, &key).expect("a token")
    };
    for (role, issuer, message) in [
        (Role::Admin, "a", "1"),
        (Role::Superadmin, "a", "2"),
        (Role::Admin, "b", "3"),
        (Role::Superadmin, "b", "4"),
    ] {
        let (token, path) = (token(role, issuer), app.missed_call_path());
        let body = json!({ "missedCallMessage": message }).to_string();
        let response = put(&app, &path, &token, "k1", &body).await;
        assert_eq!(response.status, 200, "{role:?} of {issuer}: {response:?}");
        assert_eq!(response.text("/missedCallMessage"), message);
        let identity = json!([issuer, "bob", role.into_str()]);
        let entry = app.audit().await.pop().expect("an entry");
        assert_eq!(entry.actor.identity, format!("user:{identity}"));
    }
}
