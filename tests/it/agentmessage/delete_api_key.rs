//! DELETE /v1/api-keys/{id}: the key is refused at once and stays in the list.

use actix_web::http::Method;
use futures_util::future::join_all;
use quietline::domain::audit::chain::Anchors;
use quietline::domain::audit::event::recorded_time;
use quietline::domain::organization::OrganizationKind;
use quietline::domain::scope::Scope;
use quietline::operator::audit::verify::verify_all;
use quietline_api_runtime::Timestamp;
use serde_json::{Value, json};
use strum::VariantArray as _;

use super::admin::{assert_error, payload};
use super::api_key::{INVALID_IDS, Keys, PATH, UNKNOWN_ID};
use crate::support::app::now;

#[actix_web::test]
async fn a_deleted_key_is_refused_on_its_very_next_request_and_stays_listed() {
    let keys = Keys::new().await;
    let (id, key) = keys.other(&[Scope::OrgRead]).await;
    let before = join_all((0..5).map(|_| keys.accepts(&key))).await;
    assert!(before.iter().all(|opens| *opens));
    let response = keys.delete(&id).await;
    assert_eq!((response.status, response.bytes.len()), (204, 0));
    assert!(!keys.accepts(&key).await);
    assert!(keys.accepts(&keys.key).await, "other keys stay valid");
    let listed = keys.list("").await.json();
    let mut listed = listed["data"].as_array().unwrap().iter();
    let listed = listed.find(|listed| listed["id"] == json!(id)).unwrap();
    assert_eq!(listed["revoked_at"], json!(Timestamp(now())));
}

#[actix_web::test]
async fn deleting_again_is_204_and_changes_nothing() {
    let keys = Keys::new().await;
    let (id, _) = keys.other(&[Scope::OrgRead]).await;
    assert_eq!(keys.delete(&id).await.status, 204);
    let before = keys.stored().await;
    for id in [id.to_uppercase(), id] {
        assert_eq!(keys.delete(&id).await.status, 204);
    }
    assert_eq!(keys.stored().await, before);
}

#[actix_web::test]
async fn a_key_may_delete_itself_and_is_then_refused() {
    let keys = Keys::new().await;
    let id = keys.app.key_id(&keys.key).await.to_string();
    assert_eq!(keys.delete(&id).await.status, 204);
    assert_error(&keys.delete(&id).await, 401, "UNAUTHORIZED", "its next");
}

#[actix_web::test]
async fn a_key_with_more_scopes_may_be_deleted_too() {
    let keys = Keys::with(&[Scope::ApiKeysWrite]).await;
    let (id, key) = keys.other(Scope::VARIANTS).await;
    assert_eq!(keys.delete(&id).await.status, 204);
    assert!(!keys.accepts(&key).await);
}

#[actix_web::test]
async fn a_deletion_is_recorded_once_with_its_time() {
    let keys = Keys::new().await;
    let (id, _) = keys.other(&[Scope::OrgRead]).await;
    let before = keys.app.whole_audit().await.len();
    let responses = join_all((0..8).map(|_| keys.delete(&id))).await;
    assert!(responses.iter().all(|response| response.status == 204));
    let entries = keys.app.whole_audit().await.split_off(before);
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0].action, "api_key.revoke");
    assert_eq!(entries[0].resource_id, id);
    let after = json!({ "revoked_at": recorded_time(now()) });
    let expected = json!({ "before": { "revoked_at": null }, "after": after });
    assert_eq!(payload(&entries[0]), expected);
}

/// Returns a client with `key`.
fn with(keys: Keys, key: &Value) -> Keys {
    let key = key["plaintext"].as_str().unwrap().to_owned();
    Keys { key, ..keys }
}

/// Goal: one request stops everything that a leaked key has made. Method: the leaked key creates a
/// key, which creates and rotates others.
#[actix_web::test]
async fn with_issued_every_key_that_the_key_issued_is_revoked_in_one_request() {
    let keys = Keys::new().await;
    let (leaked_id, leaked) = keys.other(Scope::VARIANTS).await;
    let (other_id, other) = keys.other(&[Scope::OrgRead]).await;
    let owner = keys.key.clone();
    let keys = Keys {
        key: leaked,
        ..keys
    };
    let body = json!({"label": "child", "scopes": ["apikeys:write", "org:read"]});
    let child = keys.post(&body).await.json()["data"].take();
    // A key of the owner that the thief rotates is the thief's as well.
    let rotated = keys.rotate(&other_id).await.text("/data/plaintext");
    let keys = with(keys, &child);
    let grandchild = keys.created("grandchild").await;
    let id = child["id"].as_str().unwrap();
    let own_rotation = keys.rotate(id).await.text("/data/plaintext");

    let keys = Keys { key: owner, ..keys };
    let before = keys.app.whole_audit().await.len();
    let path = format!("{PATH}/{leaked_id}?issued=true");
    let response = keys.send(Method::DELETE, &path).await;
    assert_eq!((response.status, response.bytes.len()), (204, 0));
    let grandchild = grandchild["plaintext"].as_str().unwrap().to_owned();
    for dead in [grandchild, rotated, own_rotation, other] {
        assert!(!keys.accepts(&dead).await);
    }
    assert!(keys.accepts(&keys.key).await, "the owner's key stays valid");
    let entries = keys.app.whole_audit().await.split_off(before);
    // The child and the other key were revoked by their rotations.
    assert_eq!(entries.len(), 4, "{entries:?}");
    for entry in &entries {
        assert_eq!(entry.action, "api_key.revoke");
        assert_eq!(entry.request_id, response.header("x-request-id"));
    }
    let found = verify_all(&keys.app.state.db, Anchors::default()).unwrap();
    assert_eq!(found.faults, []);

    let before = keys.stored().await;
    assert_eq!(keys.send(Method::DELETE, &path).await.status, 204);
    assert_eq!(keys.stored().await, before, "again");
}

#[actix_web::test]
async fn keys_issued_by_a_revoked_key_are_revoked_too() {
    let keys = Keys::new().await;
    let (id, leaked) = keys.other(Scope::VARIANTS).await;
    let owner = keys.key.clone();
    let keys = Keys {
        key: leaked,
        ..keys
    };
    let child = keys.created("child").await["plaintext"].take();
    let keys = Keys { key: owner, ..keys };
    assert_eq!(keys.delete(&id).await.status, 204);
    let child = child.as_str().unwrap();
    assert!(
        keys.accepts(child).await,
        "without `issued` the child stays"
    );
    let path = format!("{PATH}/{id}?issued=true");
    assert_eq!(keys.send(Method::DELETE, &path).await.status, 204);
    assert!(!keys.accepts(child).await);
}

#[actix_web::test]
async fn with_issued_an_unknown_or_foreign_key_is_not_found_and_other_values_are_422() {
    let keys = Keys::new().await;
    let other = keys.app.organization(OrganizationKind::Commercial).await.id;
    let theirs = keys.app.api_key_of(&other, &[Scope::OrgRead]).await;
    let id = keys.app.key_id(&theirs).await.to_string();
    for id in [UNKNOWN_ID, id.as_str()] {
        let path = format!("{PATH}/{id}?issued=true");
        let response = keys.send(Method::DELETE, &path).await;
        assert_error(&response, 404, "NOT_FOUND", id);
    }
    assert!(keys.accepts(&theirs).await);
    let (id, key) = keys.other(&[Scope::OrgRead]).await;
    for value in ["yes", "1", ""] {
        let path = format!("{PATH}/{id}?issued={value}");
        let response = keys.send(Method::DELETE, &path).await;
        assert_error(&response, 422, "VALIDATION_FAILED", value);
    }
    assert!(keys.accepts(&key).await);
}

#[actix_web::test]
async fn an_unknown_or_foreign_key_is_not_found_and_stays_valid() {
    let keys = Keys::new().await;
    let other = keys.app.organization(OrganizationKind::Commercial).await.id;
    let theirs = keys.app.api_key_of(&other, &[Scope::OrgRead]).await;
    let id = keys.app.key_id(&theirs).await.to_string();
    for id in [UNKNOWN_ID, id.as_str()] {
        assert_error(&keys.delete(id).await, 404, "NOT_FOUND", id);
    }
    assert!(keys.accepts(&theirs).await);
}

#[actix_web::test]
async fn an_id_other_than_a_uuid_is_400() {
    let keys = Keys::new().await;
    for id in INVALID_IDS {
        assert_error(&keys.delete(id).await, 400, "VALIDATION_FAILED", id);
    }
}

#[actix_web::test]
async fn a_key_that_may_only_read_keys_cannot_delete_keys() {
    let keys = Keys::with(&[Scope::ApiKeysRead]).await;
    let (id, key) = keys.other(&[Scope::OrgRead]).await;
    for id in [id.as_str(), UNKNOWN_ID, "x"] {
        assert_error(&keys.delete(id).await, 403, "FORBIDDEN", id);
    }
    assert!(keys.accepts(&key).await);
}
