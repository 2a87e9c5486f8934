//! GET /v1/api-keys/{id}.

use quietline::domain::organization::OrganizationKind;
use quietline::domain::scope::Scope;
use quietline_api_runtime::Timestamp;
use serde_json::{Value, json};

use super::admin::assert_error;
use super::api_key::{INVALID_IDS, Keys, UNKNOWN_ID};

#[actix_web::test]
async fn a_key_is_shown_without_its_secret_regardless_of_its_creator() {
    let keys = Keys::new().await;
    let (id, key) = keys.other(&[Scope::AuditRead, Scope::OrgRead]).await;
    let response = keys.get(&id).await;
    assert_eq!(response.status, 200);
    let data = json!({
        "id": id,
        "org_id": keys.app.org_id.to_string(),
        "label": "test",
        "prefix": &key[..12],
        "scopes": ["org:read", "audit:read"],
        "created_by": "platform",
        "created_at": Timestamp(crate::support::app::now()),
        "last_used_at": null,
        "revoked_at": null,
        "expires_at": null,
    });
    assert_eq!(response.json(), json!({ "success": true, "data": data }));
    assert_eq!(keys.get(&id.to_uppercase()).await.json(), response.json());
}

#[actix_web::test]
async fn a_revoked_key_is_still_shown() {
    let keys = Keys::new().await;
    let (id, _) = keys.other(&[Scope::OrgRead]).await;
    assert_eq!(keys.delete(&id).await.status, 204);
    let shown = keys.get(&id).await;
    assert_eq!(shown.status, 200);
    assert_eq!(
        shown.json()["data"]["revoked_at"],
        json!(Timestamp(crate::support::app::now()))
    );
}

#[actix_web::test]
async fn an_unknown_or_foreign_key_is_not_found() {
    let keys = Keys::new().await;
    let other = keys.app.organization(OrganizationKind::Commercial).await.id;
    let theirs = keys.app.api_key_of(&other, &[Scope::OrgRead]).await;
    let theirs = keys.app.key_id(&theirs).await.to_string();
    for id in [UNKNOWN_ID, theirs.as_str()] {
        let response = keys.get(id).await;
        assert_error(&response, 404, "NOT_FOUND", id);
        assert_eq!(response.details(), Value::Null);
    }
}

#[actix_web::test]
async fn an_id_other_than_a_uuid_is_400_with_a_detail() {
    let keys = Keys::new().await;
    for id in INVALID_IDS {
        let response = keys.get(id).await;
        assert_error(&response, 400, "VALIDATION_FAILED", id);
        assert_eq!(
            response.details(),
            json!({ "id": "must be a UUID" }),
            "{id}"
        );
    }
    for bytes in ["%ff", "%", "%zz"] {
        let response = keys.get(bytes).await;
        assert_error(&response, 400, "VALIDATION_FAILED", bytes);
        assert_eq!(
            response.details(),
            json!({ "id": "is not percent-encoded UTF-8" })
        );
    }
}

#[actix_web::test]
async fn the_scope_is_checked_before_the_id() {
    let keys = Keys::with(&[Scope::ApiKeysWrite]).await;
    for id in [UNKNOWN_ID, "x"] {
        assert_error(&keys.get(id).await, 403, "FORBIDDEN", id);
    }
}
