//! API keys in the Authorization header: accepted forms, and equal responses to all refusals.

use actix_web::http::Method;
use futures_util::future::{join, join_all};
use quietline::domain::actor::Role;
use quietline::domain::api_key::PlaintextApiKey;
use quietline::domain::organization::OrganizationKind;
use quietline::domain::scope::Scope;
use quietline::operator::api_key;
use serde_json::{Value, json};

use super::admin::{Admin, PATH};
use crate::support::TestApp;
use crate::support::response::Response;

/// Returns everything that a client sees of a response except its request id.
fn visible_parts(response: &Response) -> (u16, Vec<(String, String)>, Value) {
    let mut headers: Vec<(String, String)> = response
        .headers
        .iter()
        .filter(|(name, _)| name.as_str() != "x-request-id")
        .map(|(name, value)| (name.to_string(), format!("{value:?}")))
        .collect();
    headers.sort();
    let mut body = response.json();
    body["error"]["request_id"] = Value::Null;
    (response.status, headers, body)
}

fn assert_unauthorized(response: &Response, what: &str) {
    assert_eq!(response.status, 401, "{what}: {response:?}");
    assert_eq!(response.header("www-authenticate"), "Bearer", "{what}");
    let id = response.header("x-request-id");
    let error =
        json!({"code": "UNAUTHORIZED", "message": "authentication failed", "request_id": id});
    assert_eq!(
        response.json(),
        json!({"success": false, "error": error}),
        "{what}"
    );
}

/// Sends GET with these Authorization headers.
async fn get_with(app: &TestApp, headers: &[&str]) -> Response {
    let request = app.request(Method::GET, PATH);
    let request = headers.iter().fold(request, |request, value| {
        request.header("authorization", value)
    });
    request.send().await
}

/// RFC 9110, section 11.1: the scheme is case-insensitive.
#[actix_web::test]
async fn the_scheme_is_read_in_any_case() {
    let app = TestApp::new().await;
    let key = app.api_key(&[Scope::OrgRead]).await;
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        let response = get_with(&app, &[&format!("{scheme} {key}")]).await;
        assert_eq!(response.status, 200, "{scheme}");
    }
}

/// Equal responses do not reveal whether a key exists.
#[actix_web::test]
async fn every_header_except_one_valid_key_is_the_same_401() {
    let app = TestApp::new().await;
    let key = app.api_key(&[Scope::OrgRead]).await;
    let other = app.api_key(&[Scope::OrgRead]).await;
    let (good, unknown) = (format!("Bearer {key}"), PlaintextApiKey::generate());
    let rows: Vec<Vec<String>> = vec![
        vec![],
        vec![String::new()],
        vec!["Bearer".to_owned()],
        vec!["Bearer ".to_owned()],
        vec![key.clone()],
        vec![format!("Basic {key}")],
        vec!["Basic dXNlcjpwYXNzd29yZA==".to_owned()],
        vec![format!("Token {key}")],
        vec![format!("Bearer{key}")],
        vec![format!("Bearer\t{key}")],
        vec![format!("Bearer: {key}")],
        vec![format!("Bearer \"{key}\"")],
        vec![format!("Bearer {}", unknown.reveal())],
        vec![format!("{good}x")],
        vec![format!("{good}, {good}")],
        vec![format!("{good} {key}")],
        vec![format!("{good};v=1")],
        vec![format!("Bearer x{key}")],
        vec![format!("Bearer {}", &key[..41])],
        vec![format!("Bearer {}", &key[..12])],
        vec![format!("Bearer {}", key.replace("am_live_", "am_test_"))],
        vec![format!("Bearer {}", key.replace("am_live_", "AM_LIVE_"))],
        vec![format!("Bearer {}", "a".repeat(10_000))],
        vec![good.clone(), good.clone()],
        vec![good.clone(), format!("Bearer {other}")],
        vec!["Basic eDp5".to_owned(), good.clone()],
        vec![good, String::new()],
    ];
    let mut faces = Vec::new();
    for row in &rows {
        let headers: Vec<&str> = row.iter().map(String::as_str).collect();
        let response = get_with(&app, &headers).await;
        assert_unauthorized(&response, &format!("{row:?}"));
        faces.push(visible_parts(&response));
    }
    assert!(faces.iter().all(|parts| *parts == faces[0]), "{faces:?}");
}

#[actix_web::test]
async fn bytes_other_than_text_are_the_same_401() {
    let app = TestApp::new().await;
    let key = app.api_key(&[Scope::OrgRead]).await;
    let values = [
        b"Bearer \xff\xfe".to_vec(),
        [b"Bearer ", key.as_bytes(), b"\xff"].concat(),
    ];
    for value in values {
        let request = app
            .request(Method::GET, PATH)
            .header_bytes("authorization", &value);
        assert_unauthorized(&request.send().await, &format!("{value:?}"));
    }
}

#[actix_web::test]
async fn a_token_of_the_other_dialect_is_the_same_401() {
    let app = TestApp::new().await;
    for role in [Role::Superadmin, Role::Admin] {
        let response = app.get(PATH, &app.jwt(role)).await;
        assert_unauthorized(&response, &format!("{role:?}"));
        let patched = app.patch(&app.jwt(role), json!({"name": "Other"})).await;
        assert_unauthorized(&patched, &format!("{role:?}"));
    }
    assert_eq!(app.stored().await.version, 1);
}

#[actix_web::test]
async fn a_key_outside_the_authorization_header_is_ignored() {
    let app = TestApp::new().await;
    let key = app.api_key(&[Scope::OrgRead]).await;
    let query = app.request(
        Method::GET,
        &format!("{PATH}?access_token={key}&api_key={key}"),
    );
    assert_unauthorized(&query.send().await, "query");
    for name in ["x-api-key", "api-key", "proxy-authorization", "cookie"] {
        let request = app
            .request(Method::GET, PATH)
            .header(name, &format!("Bearer {key}"));
        assert_unauthorized(&request.send().await, name);
    }
}

#[actix_web::test]
async fn a_revoked_key_is_the_same_401_on_its_next_request_and_only_that_key() {
    let admin = Admin::new().await;
    let other = admin.app.api_key(&[Scope::OrgRead]).await;
    assert_eq!(admin.get().await.status, 200);
    admin.app.revoke_key(admin.key_id().await).await;

    let refused = admin.get().await;
    assert_unauthorized(&refused, "GET");
    assert_eq!(
        visible_parts(&refused),
        visible_parts(&get_with(&admin.app, &[]).await),
        "as without a key"
    );
    assert_unauthorized(&admin.patch(&json!({"name": "Other"})).await, "PATCH");
    assert_eq!(admin.app.get(PATH, &other).await.status, 200, "another key");
    assert_eq!(
        admin.stored().await.settings.name.as_str(),
        "Acme Health, Inc."
    );
}

/// Goal: a revoked key is refused although it was cached. Method: requests before and during the
/// revocation, and one after it.
#[actix_web::test]
async fn a_key_in_use_during_its_revocation_is_refused_afterwards() {
    let app = TestApp::new().await;
    for round in 0..20 {
        let key = app.api_key(&[Scope::OrgRead]).await;
        let listed = api_key::list(&app.state.db, app.org_id, None, 100)
            .await
            .unwrap();
        let id = listed
            .into_iter()
            .find(|listed| key.starts_with(&listed.prefix))
            .unwrap()
            .id;
        let before = join_all((0..5).map(|_| app.get(PATH, &key))).await;
        assert!(
            before.iter().all(|response| response.status == 200),
            "{round}"
        );
        let asking = join_all((0..5).map(|_| app.get(PATH, &key)));
        join(app.revoke_key(id), asking).await;
        assert_unauthorized(&app.get(PATH, &key).await, &format!("{round}"));
    }
}

#[actix_web::test]
async fn a_write_without_a_credential_changes_nothing() {
    let admin = Admin::new().await;
    let before = admin.stored().await;
    let request = admin
        .app
        .request(Method::PATCH, PATH)
        .json(&json!({"name": "Other"}));
    assert_unauthorized(&request.send().await, "PATCH");
    assert_eq!(admin.stored().await, before);
}

#[actix_web::test]
async fn a_key_changes_only_its_own_organization() {
    let admin = Admin::new().await;
    let other = admin
        .app
        .organization(OrganizationKind::Commercial)
        .await
        .id;
    let key = admin.app.api_key_of(&other, &[Scope::OrgAdminWrite]).await;
    let before = admin.stored().await;
    let response = admin.app.patch(&key, json!({"name": "Other"})).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.text("/data/id"), other.to_string());
    assert_eq!(admin.stored().await, before);
}
