//! Keys that expire: the refusal from that moment on, and the expiry of the keys that a key issues.

use actix_web::http::Method;
use chrono::{DateTime, TimeDelta, Utc};
use quietline::domain::api_key::PlaintextApiKey;
use quietline::domain::audit::chain::Anchors;
use quietline::operator::audit::verify::verify_all;
use quietline_api_runtime::Timestamp;
use serde_json::{Value, json};

use super::admin::{assert_error, assert_invalid};
use super::api_key::{Keys, PATH};
use crate::support::app::now;

const SCOPES: [&str; 2] = ["apikeys:write", "org:read"];

fn after(seconds: i64) -> DateTime<Utc> {
    now() + TimeDelta::seconds(seconds)
}

fn body(expires_at: Value) -> Value {
    json!({ "label": "A", "scopes": SCOPES, "expires_at": expires_at })
}

/// Creates a key with this expiry. Returns its id and the key.
async fn expiring(keys: &Keys, expires_at: DateTime<Utc>) -> (String, String) {
    let response = keys.post(&body(json!(Timestamp(expires_at)))).await;
    assert_eq!(response.status, 201, "{response:?}");
    let data = &response.json()["data"];
    assert_eq!(data["expires_at"], json!(Timestamp(expires_at)));
    (response.text("/data/id"), response.text("/data/plaintext"))
}

fn with(keys: Keys, key: &str) -> Keys {
    let key = key.to_owned();
    Keys { key, ..keys }
}

fn at(keys: Keys, moment: DateTime<Utc>) -> Keys {
    let app = keys.app.at(moment);
    Keys { app, ..keys }
}

#[actix_web::test]
async fn a_key_is_refused_from_its_expiry_on_also_from_the_cache() {
    let keys = Keys::new().await;
    let (id, key) = expiring(&keys, after(60)).await;
    assert!(keys.accepts(&key).await);
    let keys = at(keys, after(60) - TimeDelta::milliseconds(1));
    assert!(keys.accepts(&key).await, "the last millisecond");
    let keys = at(keys, after(60));
    let expired = keys.app.get("/v1/organization", &key).await;
    assert_error(&expired, 401, "UNAUTHORIZED", "expired");
    let unknown = PlaintextApiKey::generate();
    let unknown = keys.app.get("/v1/organization", unknown.reveal()).await;
    assert_eq!(
        expired.text("/error/message"),
        unknown.text("/error/message")
    );
    // The key stays listed, and is not revoked.
    let shown = keys.get(&id).await.json();
    assert_eq!(shown["data"]["revoked_at"], Value::Null);
    assert_eq!(shown["data"]["expires_at"], json!(Timestamp(after(60))));
    assert!(!keys.accepts(&key).await, "an expired key is never used");
    let found = verify_all(&keys.app.state.db, Anchors::default()).unwrap();
    assert_eq!(found.faults, []);
}

#[actix_web::test]
async fn an_expiry_is_in_the_future_and_before_the_year_10000() {
    const RULE: &str = "must be in the future, and before the year 10000";
    const FORM: &str = "must be an RFC 3339 date-time";
    let keys = Keys::new().await;
    let before = keys.stored().await;
    for (expires_at, rule) in [
        (json!(Timestamp(now())), RULE),
        (json!("2026-01-04T12:00:00.0009Z"), RULE),
        (json!("1969-12-31T23:59:59Z"), RULE),
        (json!("9999-12-31T23:59:59-01:00"), RULE),
        (json!("2027-01-04"), FORM),
        (json!(1_800_000_000), "must be a string or null"),
    ] {
        let response = keys.post(&body(expires_at.clone())).await;
        let details = json!({ "expires_at": rule });
        assert_invalid(&response, &details, &expires_at.to_string());
    }
    assert_eq!(keys.stored().await, before);
    let rounded = keys
        .post(&body(json!("2026-06-30T23:59:60.9999+00:00")))
        .await;
    let expected = "2026-07-01T00:00:00.999Z";
    assert_eq!(rounded.text("/data/expires_at"), expected, "a leap second");
    let shown = keys.get(&rounded.text("/data/id")).await;
    assert_eq!(shown.text("/data/expires_at"), expected);
}

#[actix_web::test]
async fn a_key_issues_no_key_that_outlives_it() {
    let keys = Keys::new().await;
    let (own_id, key) = expiring(&keys, after(60)).await;
    let (lasting_id, _) = expiring(&keys, after(61)).await;
    let (equal_id, _) = expiring(&keys, after(60)).await;
    let keys = with(keys, &key);
    let without = json!({ "label": "A", "scopes": SCOPES });
    for inheriting in [body(Value::Null), without] {
        let response = keys.post(&inheriting).await;
        assert_eq!(
            response.json()["data"]["expires_at"],
            json!(Timestamp(after(60)))
        );
    }
    expiring(&keys, after(59)).await;
    let before = keys.stored().await;
    let details = json!({ "expires_at": "must not be after the expiry of the calling key" });
    let longer = keys.post(&body(json!(Timestamp(after(61))))).await;
    assert_invalid(&longer, &details, "a longer life");
    assert_invalid(&keys.rotate(&lasting_id).await, &details, "a rotation");
    assert_eq!(keys.stored().await, before);
    for id in [equal_id, own_id] {
        let rotated = keys.rotate(&id).await;
        assert_eq!(
            rotated.json()["data"]["expires_at"],
            json!(Timestamp(after(60)))
        );
    }
}

#[actix_web::test]
async fn an_expired_key_cannot_be_rotated() {
    let keys = Keys::new().await;
    let (id, _) = expiring(&keys, after(60)).await;
    let keys = at(keys, after(60));
    let before = keys.stored().await;
    let response = keys.rotate(&id).await;
    assert_error(&response, 422, "API_KEY_EXPIRED", &id);
    let message = response.text("/error/message");
    assert_eq!(message, "an expired API key cannot be rotated");
    assert_eq!(keys.stored().await, before);
    assert_eq!(keys.delete(&id).await.status, 204);
}

#[actix_web::test]
async fn an_expired_key_makes_room_for_a_new_key() {
    let keys = Keys::new().await;
    keys.add_unused(998);
    expiring(&keys, after(60)).await;
    let refused = keys.post(&body(Value::Null)).await;
    assert_error(&refused, 422, "API_KEY_LIMIT_REACHED", "1,000 live keys");
    let keys = at(keys, after(60));
    keys.created("in its place").await;
}

/// A retry of a creation gets the stored response, also when the key has expired since.
#[actix_web::test]
async fn a_creation_is_replayed_after_its_expiry() {
    let keys = Keys::new().await;
    let body = body(json!(Timestamp(after(60))));
    let send = async |keys: &Keys| {
        let request = keys.app.request(Method::POST, PATH);
        let request = request.bearer(&keys.key).header("Idempotency-Key", "one");
        request.json(&body).send().await
    };
    let first = send(&keys).await;
    assert_eq!(first.status, 201);
    let again = send(&at(keys, after(61))).await;
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.text("/data/id"), first.text("/data/id"));
}
