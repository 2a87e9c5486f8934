//! POST /v1/api-keys/{id}/rotate: replaces a key in one step.

use actix_web::http::Method;
use chrono::TimeDelta;
use quietline::domain::audit::event::recorded_time;
use quietline::domain::organization::OrganizationKind;
use quietline::domain::scope::Scope;
use quietline_api_runtime::Timestamp;
use serde_json::{Value, json};
use strum::VariantArray as _;

use super::admin::{assert_error, payload};
use super::api_key::{INVALID_IDS, Keys, PATH, UNKNOWN_ID};
use crate::support::app::now;

#[actix_web::test]
async fn the_new_key_keeps_label_and_scopes_and_the_old_key_is_refused_at_once() {
    let keys = Keys::new().await;
    let (id, old) = keys.other(&[Scope::OrgRead, Scope::ApiKeysRead]).await;
    assert!(keys.accepts(&old).await);
    let response = keys.rotate(&id).await;
    assert_eq!(response.status, 201);
    assert!(!keys.accepts(&old).await);
    let data = &response.json()["data"];
    let new = data["plaintext"].as_str().unwrap();
    assert!(keys.accepts(new).await);
    let new_id = keys.app.key_id(new).await.to_string();
    assert_ne!((new_id.as_str(), new), (id.as_str(), old.as_str()));
    let expected = json!({
        "id": new_id,
        "org_id": keys.app.org_id.to_string(),
        "label": "test",
        "prefix": &new[..12],
        "scopes": ["org:read", "apikeys:read"],
        "created_by": format!("api_key:{}", keys.app.key_id(&keys.key).await),
        "created_at": Timestamp(now()),
        "last_used_at": null,
        "revoked_at": null,
        "expires_at": null,
        "plaintext": new,
    });
    assert_eq!(*data, expected);
    assert_eq!(
        keys.get(&id).await.json()["data"]["revoked_at"],
        json!(Timestamp(now()))
    );
}

#[actix_web::test]
async fn a_rotation_is_one_entry_with_both_keys() {
    let keys = Keys::new().await;
    let (id, old) = keys.other(&[Scope::OrgRead]).await;
    let before = keys.app.whole_audit().await.len();
    let data = keys.rotate(&id).await.json()["data"].take();
    let entries = keys.app.whole_audit().await.split_off(before);
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0].action, "api_key.rotate");
    assert_eq!(entries[0].resource_id, id);
    let payload = payload(&entries[0]);
    assert_eq!(payload["before"], json!({ "id": id, "prefix": &old[..12] }));
    for field in ["id", "prefix", "label", "scopes"] {
        assert_eq!(payload["after"][field], data[field], "{field}");
    }
    assert_eq!(payload["after"]["created_at"], recorded_time(now()));
    assert_eq!(payload["after"]["rotated_from"], json!(id));
}

/// A thief who creates keys as fast as the limit allows must not keep the owner from rotating.
#[actix_web::test]
async fn new_keys_do_not_stop_rotations() {
    let keys = Keys::new().await;
    let (id, _) = keys.other(&[Scope::OrgRead]).await;
    for number in 0..10 {
        keys.created(&number.to_string()).await;
    }
    assert_eq!(keys.rotate(&id).await.status, 201);
}

#[actix_web::test]
async fn a_key_is_rotated_ten_times_a_minute_and_other_keys_go_on_rotating() {
    let keys = Keys::new().await;
    let (mut id, _) = keys.other(&[Scope::OrgRead]).await;
    for _ in 0..10 {
        id = keys.rotate(&id).await.text("/data/id");
    }
    let before = keys.stored().await;
    let refused = keys.rotate(&id).await;
    assert_error(&refused, 429, "RATE_LIMITED", "the eleventh rotation");
    assert_eq!(refused.header("retry-after"), "60");
    assert_eq!(refused.header("ratelimit"), "\"api-keys\";r=0;t=60");
    assert_eq!(keys.stored().await, before);
    let (other, _) = keys.other(&[Scope::OrgRead]).await;
    assert_eq!(keys.rotate(&other).await.status, 201);
    let keys = Keys {
        app: keys.app.at(now() + TimeDelta::seconds(60)),
        ..keys
    };
    assert_eq!(keys.rotate(&id).await.status, 201, "a minute later");
}

#[actix_web::test]
async fn a_key_may_rotate_itself_and_is_then_refused() {
    let keys = Keys::new().await;
    let id = keys.app.key_id(&keys.key).await.to_string();
    let response = keys.rotate(&id).await;
    assert_eq!(response.status, 201);
    assert_error(&keys.rotate(&id).await, 401, "UNAUTHORIZED", "the old one");
    let keys = Keys {
        key: response.text("/data/plaintext"),
        ..keys
    };
    assert_eq!(
        keys.list("").await.status,
        200,
        "the new key has the same scopes"
    );
    assert_error(
        &keys.rotate(&id).await,
        422,
        "API_KEY_REVOKED",
        "the old one by the new one",
    );
}

#[actix_web::test]
async fn a_key_cannot_rotate_a_key_with_more_scopes() {
    let keys = Keys::new().await;
    for scopes in [&[Scope::AuditRead][..], Scope::VARIANTS] {
        let (id, key) = keys.other(scopes).await;
        let before = keys.stored().await;
        assert_error(&keys.rotate(&id).await, 403, "FORBIDDEN", &id);
        assert_eq!(keys.stored().await, before);
        assert!(keys.accepts(&key).await, "the key stays valid");
    }
}

#[actix_web::test]
async fn a_revoked_key_cannot_be_rotated() {
    let keys = Keys::new().await;
    let (id, _) = keys.other(&[Scope::OrgRead]).await;
    assert_eq!(keys.delete(&id).await.status, 204);
    let before = keys.stored().await;
    let response = keys.rotate(&id).await;
    assert_error(&response, 422, "API_KEY_REVOKED", &id);
    let message = response.text("/error/message");
    assert_eq!(message, "a revoked API key cannot be rotated");
    assert_eq!(response.details(), Value::Null);
    assert_eq!(keys.stored().await, before);
}

#[actix_web::test]
async fn an_unknown_or_foreign_key_is_not_found_and_stays_valid() {
    let keys = Keys::new().await;
    let other = keys.app.organization(OrganizationKind::Commercial).await.id;
    let theirs = keys.app.api_key_of(&other, &[Scope::OrgRead]).await;
    let id = keys.app.key_id(&theirs).await.to_string();
    for id in [UNKNOWN_ID, id.as_str()] {
        assert_error(&keys.rotate(id).await, 404, "NOT_FOUND", id);
    }
    assert!(keys.accepts(&theirs).await);
}

#[actix_web::test]
async fn an_id_other_than_a_uuid_is_400() {
    let keys = Keys::new().await;
    for id in INVALID_IDS {
        assert_error(&keys.rotate(id).await, 400, "VALIDATION_FAILED", id);
    }
}

#[actix_web::test]
async fn a_key_that_may_only_read_keys_cannot_rotate_keys() {
    let keys = Keys::with(&[Scope::ApiKeysRead]).await;
    let (id, _) = keys.other(&[Scope::ApiKeysRead]).await;
    for id in [id.as_str(), UNKNOWN_ID, "x"] {
        assert_error(&keys.rotate(id).await, 403, "FORBIDDEN", id);
    }
}

#[actix_web::test]
async fn a_body_is_ignored() {
    let keys = Keys::new().await;
    for (content_type, body) in [("text/plain", "x"), ("application/json", "{")] {
        let (id, _) = keys.other(&[Scope::OrgRead]).await;
        let path = format!("{PATH}/{id}/rotate");
        let request = keys.app.request(Method::POST, &path).bearer(&keys.key);
        assert_eq!(request.body(content_type, body).send().await.status, 201);
    }
}

#[actix_web::test]
async fn another_method_is_405_with_the_allowed_method() {
    let keys = Keys::new().await;
    for (path, allow) in [
        (PATH.to_owned(), "GET, POST"),
        (format!("{PATH}/{UNKNOWN_ID}"), "DELETE, GET"),
        (format!("{PATH}/{UNKNOWN_ID}/rotate"), "POST"),
        ("/v1/audit-log".to_owned(), "GET"),
    ] {
        let response = keys.send(Method::PUT, &path).await;
        assert_error(&response, 405, "METHOD_NOT_ALLOWED", &path);
        assert_eq!(response.header("allow"), allow);
    }
}
