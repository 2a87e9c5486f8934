//! POST /v1/api-keys/{id}/rotate: one key for another, in one step.

use actix_web::http::Method;
use quietline::domain::organization::OrganizationKind;
use quietline::domain::scope::Scope;
use serde_json::{Value, json};
use strum::VariantArray as _;

use super::admin::{assert_error, payload};
use super::api_key::{Keys, NO_IDS, PATH, UNKNOWN_ID};
use crate::support::app::now;

#[actix_web::test]
async fn the_new_key_has_label_and_scopes_of_the_old_one_which_is_dead_at_once() {
    let keys = Keys::new().await;
    let (id, old) = keys.other(&[Scope::OrgRead, Scope::ApiKeysRead]).await;
    assert!(keys.opens(&old).await);
    let answer = keys.rotate(&id).await;
    assert_eq!(answer.status, 201);
    assert!(!keys.opens(&old).await);
    let data = &answer.json()["data"];
    let new = data["plaintext"].as_str().unwrap();
    assert!(keys.opens(new).await);
    let new_id = keys.app.key_id(new).await.to_string();
    assert_ne!((new_id.as_str(), new), (id.as_str(), old.as_str()));
    let expected = json!({
        "id": new_id,
        "org_id": keys.app.org_id.to_string(),
        "label": "test",
        "prefix": &new[..12],
        "scopes": ["org:read", "apikeys:read"],
        "created_at": now(),
        "last_used_at": null,
        "revoked_at": null,
        "plaintext": new,
    });
    assert_eq!(*data, expected);
    assert_eq!(
        keys.get(&id).await.json()["data"]["revoked_at"],
        json!(now())
    );
}

#[actix_web::test]
async fn a_rotation_is_one_entry_with_both_ids_and_prefixes() {
    let keys = Keys::new().await;
    let (id, old) = keys.other(&[Scope::OrgRead]).await;
    let before = keys.app.whole_audit().await.len();
    let data = keys.rotate(&id).await.json()["data"].take();
    let entries = keys.app.whole_audit().await.split_off(before);
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0].action, "api_key.rotate");
    assert_eq!(entries[0].resource_id, id);
    let expected = json!({
        "before": { "id": id, "prefix": &old[..12] },
        "after": { "id": data["id"], "prefix": data["prefix"] },
    });
    assert_eq!(payload(&entries[0]), expected);
}

#[actix_web::test]
async fn a_key_may_rotate_itself_and_is_then_refused() {
    let keys = Keys::new().await;
    let id = keys.app.key_id(&keys.key).await.to_string();
    let answer = keys.rotate(&id).await;
    assert_eq!(answer.status, 201);
    assert_error(&keys.rotate(&id).await, 401, "UNAUTHORIZED", "the old one");
    let keys = Keys {
        key: answer.text("/data/plaintext"),
        ..keys
    };
    assert_eq!(keys.list("").await.status, 200, "the new one may as much");
    assert_error(
        &keys.rotate(&id).await,
        422,
        "API_KEY_REVOKED",
        "the old one by the new one",
    );
}

#[actix_web::test]
async fn nobody_comes_by_a_key_that_can_do_more_than_the_own_one() {
    let keys = Keys::new().await;
    for scopes in [&[Scope::AuditRead][..], Scope::VARIANTS] {
        let (id, key) = keys.other(scopes).await;
        let before = keys.stored().await;
        assert_error(&keys.rotate(&id).await, 403, "FORBIDDEN", &id);
        assert_eq!(keys.stored().await, before);
        assert!(keys.opens(&key).await, "it lives on");
    }
}

#[actix_web::test]
async fn a_revoked_key_is_not_revived() {
    let keys = Keys::new().await;
    let (id, _) = keys.other(&[Scope::OrgRead]).await;
    assert_eq!(keys.delete(&id).await.status, 204);
    let before = keys.stored().await;
    let answer = keys.rotate(&id).await;
    assert_error(&answer, 422, "API_KEY_REVOKED", &id);
    let message = answer.text("/error/message");
    assert_eq!(message, "a revoked API key cannot be rotated");
    assert_eq!(answer.details(), Value::Null);
    assert_eq!(keys.stored().await, before);
}

#[actix_web::test]
async fn a_key_that_is_unknown_or_another_organization_s_is_not_found_and_lives_on() {
    let keys = Keys::new().await;
    let other = keys.app.organization(OrganizationKind::Commercial).await.id;
    let theirs = keys.app.api_key_of(&other, &[Scope::OrgRead]).await;
    let id = keys.app.key_id(&theirs).await.to_string();
    for id in [UNKNOWN_ID, id.as_str()] {
        assert_error(&keys.rotate(id).await, 404, "NOT_FOUND", id);
    }
    assert!(keys.opens(&theirs).await);
}

#[actix_web::test]
async fn an_id_that_is_no_uuid_is_400() {
    let keys = Keys::new().await;
    for id in NO_IDS {
        assert_error(&keys.rotate(id).await, 400, "VALIDATION_FAILED", id);
    }
}

#[actix_web::test]
async fn a_key_that_may_only_read_keys_rotates_none() {
    let keys = Keys::with(&[Scope::ApiKeysRead]).await;
    let (id, _) = keys.other(&[Scope::ApiKeysRead]).await;
    for id in [id.as_str(), UNKNOWN_ID, "x"] {
        assert_error(&keys.rotate(id).await, 403, "FORBIDDEN", id);
    }
}

#[actix_web::test]
async fn a_body_is_not_looked_at() {
    let keys = Keys::new().await;
    for (content_type, body) in [("text/plain", "x"), ("application/json", "{")] {
        let (id, _) = keys.other(&[Scope::OrgRead]).await;
        let path = format!("{PATH}/{id}/rotate");
        let request = keys.app.request(Method::POST, &path).bearer(&keys.key);
        assert_eq!(request.body(content_type, body).send().await.status, 201);
    }
}

#[actix_web::test]
async fn another_method_is_405_with_the_one_that_there_is() {
    let keys = Keys::new().await;
    for (path, allow) in [
        (PATH.to_owned(), "GET, POST"),
        (format!("{PATH}/{UNKNOWN_ID}"), "DELETE, GET"),
        (format!("{PATH}/{UNKNOWN_ID}/rotate"), "POST"),
        ("/v1/audit-log".to_owned(), "GET"),
    ] {
        let answer = keys.send(Method::PUT, &path).await;
        assert_error(&answer, 405, "METHOD_NOT_ALLOWED", &path);
        assert_eq!(answer.header("allow"), allow);
    }
}
