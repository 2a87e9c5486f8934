//! GET /v1/api-keys/{id}.

use quietline::domain::organization::OrganizationKind;
use quietline::domain::scope::Scope;
use serde_json::{Value, json};

use super::admin::assert_error;
use super::api_key::{Keys, NO_IDS, UNKNOWN_ID};

#[actix_web::test]
async fn a_key_is_shown_without_its_secret_whoever_made_it() {
    let keys = Keys::new().await;
    let (id, key) = keys.other(&[Scope::AuditRead, Scope::OrgRead]).await;
    let answer = keys.get(&id).await;
    assert_eq!(answer.status, 200);
    let data = json!({
        "id": id,
        "org_id": keys.app.org_id.to_string(),
        "label": "test",
        "prefix": &key[..12],
        "scopes": ["org:read", "audit:read"],
        "created_at": crate::support::app::now(),
        "last_used_at": null,
        "revoked_at": null,
    });
    assert_eq!(answer.json(), json!({ "success": true, "data": data }));
    assert_eq!(keys.get(&id.to_uppercase()).await.json(), answer.json());
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
        json!(crate::support::app::now())
    );
}

#[actix_web::test]
async fn a_key_that_is_unknown_or_another_organization_s_is_not_found() {
    let keys = Keys::new().await;
    let other = keys.app.organization(OrganizationKind::Commercial).await.id;
    let theirs = keys.app.api_key_of(&other, &[Scope::OrgRead]).await;
    let theirs = keys.app.key_id(&theirs).await.to_string();
    for id in [UNKNOWN_ID, theirs.as_str()] {
        let answer = keys.get(id).await;
        assert_error(&answer, 404, "NOT_FOUND", id);
        assert_eq!(answer.details(), Value::Null);
    }
}

#[actix_web::test]
async fn an_id_that_is_no_uuid_is_400_with_a_detail() {
    let keys = Keys::new().await;
    for id in NO_IDS {
        let answer = keys.get(id).await;
        assert_error(&answer, 400, "VALIDATION_FAILED", id);
        assert_eq!(answer.details(), json!({ "id": "must be a UUID" }), "{id}");
    }
    for bytes in ["%ff", "%", "%zz"] {
        let answer = keys.get(bytes).await;
        assert_error(&answer, 400, "VALIDATION_FAILED", bytes);
        assert_eq!(
            answer.details(),
            json!({ "id": "is not percent-encoded UTF-8" })
        );
    }
}

#[actix_web::test]
async fn the_scope_is_looked_at_before_the_id() {
    let keys = Keys::with(&[Scope::ApiKeysWrite]).await;
    for id in [UNKNOWN_ID, "x"] {
        assert_error(&keys.get(id).await, 403, "FORBIDDEN", id);
    }
}
