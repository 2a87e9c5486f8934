//! Changes whose commit PostgreSQL does not confirm. These tests do nothing on SQLite, which has no
//! connection to lose.

use actix_web::http::Method;
use quietline::domain::actor::Role;
use quietline::domain::scope::Scope;
use serde_json::{Value, json};

use super::silence;
use crate::support::TestApp;
use crate::support::app::state_of;
use crate::support::proxy::Proxy;
use crate::support::response::Response;

const UNKNOWN: &str = "the change may have been stored: read the resource, \
     or retry if the request had an Idempotency-Key";

/// Starts an application behind a proxy, if the tests run on PostgreSQL.
async fn behind_proxy() -> Option<(TestApp, Proxy)> {
    let (app, proxy, db) = silence::behind_proxy(4).await?;
    let state = state_of(db);
    Some((TestApp { state, ..app }, proxy))
}

fn assert_unknown(proxy: &Proxy, response: &Response) {
    assert!(proxy.has_lost_reply(), "the pattern did not match");
    assert_eq!(response.status, 503, "{response:?}");
    assert!(!response.headers.contains_key("retry-after"));
    let body = response.json();
    match body["error"].as_str() {
        Some(title) => assert_eq!(title, "Outcome unknown"),
        None => {
            assert_eq!(body["error"]["code"], "OUTCOME_UNKNOWN");
            assert_eq!(body["error"]["message"], UNKNOWN);
        }
    }
}

async fn send(app: &TestApp, key: &str, once: &str, body: &Value) -> Response {
    let request = app.request(Method::PATCH, "/v1/organization").bearer(key);
    let request = request.header("Idempotency-Key", once);
    request.json(body).send().await
}

#[actix_web::test]
async fn a_change_without_confirmation_may_be_stored_and_says_so() {
    let Some((app, proxy)) = behind_proxy().await else {
        return;
    };
    let key = app.api_key(&[Scope::OrgAdminWrite]).await;
    proxy.lose_reply_to("Acme Lost");
    let response = app.patch(&key, json!({"name": "Acme Lost"})).await;
    assert_unknown(&proxy, &response);
    assert_eq!(app.stored().await.settings.name.as_str(), "Acme Lost");

    let token = app.jwt(Role::Admin);
    proxy.lose_reply_to("lost call");
    let response = app
        .put(&token, json!({"missedCallMessage": "lost call"}))
        .await;
    assert_unknown(&proxy, &response);
    let stored = app.stored().await.missed_call;
    assert_eq!(stored.message.as_deref(), Some("lost call"));
    assert_eq!(app.audit().await.len(), 2);
}

#[actix_web::test]
async fn a_retry_with_the_same_idempotency_key_gets_the_response_of_the_unconfirmed_change() {
    let Some((app, proxy)) = behind_proxy().await else {
        return;
    };
    let key = app.api_key(&[Scope::OrgAdminWrite]).await;
    let body = json!({"name": "Once"});
    proxy.lose_reply_to("COMMIT");
    assert_unknown(&proxy, &send(&app, &key, "k1", &body).await);
    let retry = send(&app, &key, "k1", &body).await;
    assert_eq!(
        (retry.status, retry.header("idempotent-replayed")),
        (200, "true")
    );
    assert_eq!(retry.json()["data"]["name"], "Once");
    assert_eq!(app.audit().await.len(), 1);
}

#[actix_web::test]
async fn an_unconfirmed_key_is_listed_and_an_unconfirmed_rotation_ends_the_old_key() {
    let Some((app, proxy)) = behind_proxy().await else {
        return;
    };
    let scopes = [Scope::ApiKeysRead, Scope::ApiKeysWrite];
    let (key, old) = (app.api_key(&scopes).await, app.api_key(&scopes).await);
    let send = async |path: &str, body: &Value| {
        let request = app.request(Method::POST, path).bearer(&key);
        request.json(body).send().await
    };
    proxy.lose_reply_to("COMMIT");
    let create = json!({"label": "Lost", "scopes": ["apikeys:read"]});
    assert_unknown(&proxy, &send("/v1/api-keys", &create).await);
    let labels = async || {
        let list = app.get("/v1/api-keys?include_revoked=false", &key).await;
        let keys = list.json()["data"].as_array().unwrap().clone();
        let labels = keys
            .iter()
            .map(|key| key["label"].as_str().unwrap().to_owned());
        labels.collect::<Vec<_>>()
    };
    assert_eq!(labels().await, ["Lost", "test", "test"]);

    assert_eq!(app.get("/v1/api-keys", &old).await.status, 200);
    let id = app.key_id(&old).await;
    proxy.lose_reply_to("COMMIT");
    let path = format!("/v1/api-keys/{id}/rotate");
    assert_unknown(&proxy, &send(&path, &Value::Null).await);
    assert_eq!(app.get("/v1/api-keys", &old).await.status, 401);
    assert_eq!(labels().await, ["test", "Lost", "test"]);
}

#[actix_web::test]
async fn a_connection_that_is_lost_before_the_commit_stores_nothing() {
    let Some((app, proxy)) = behind_proxy().await else {
        return;
    };
    let key = app.api_key(&[Scope::OrgAdminWrite]).await;
    for statement in ["BEGIN", "FOR UPDATE"] {
        proxy.lose_reply_to(statement);
        let response = send(&app, &key, "k1", &json!({"name": "Never"})).await;
        assert!(proxy.has_lost_reply(), "{statement}");
        assert_eq!(response.status, 503);
        assert_eq!(response.code(), "UNAVAILABLE");
        response.header("retry-after");
    }
    assert_eq!(app.audit().await, []);
}
