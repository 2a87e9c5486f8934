//! POST /v1/api-keys: permitted scopes, and the limit of ten keys a minute.

use actix_web::http::Method;
use chrono::TimeDelta;
use quietline::domain::api_key::PlaintextApiKey;
use quietline::domain::audit::event::recorded_time;
use quietline::domain::organization::OrganizationKind;
use quietline::domain::scope::Scope;
use quietline_api_runtime::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::admin::{assert_error, assert_invalid, payload};
use super::api_key::{Keys, PATH};
use crate::support::TestApp;
use crate::support::app::now;
use crate::support::bodies::{CODINGS, MAX_BYTES, OTHER_TYPES, deep, padded};
use crate::support::request::TestRequest;

const JSON: &str = "application/json";
const BODY: &str = r#"{"label":"A","scopes":["org:read"]}"#;
const LABEL_ERROR: &str = "must be 1 to 100 characters after trimming, with no control characters";

fn body(label: &str) -> Value {
    json!({ "label": label, "scopes": ["org:read"] })
}

/// Starts a POST. The body is still missing.
fn posting(keys: &Keys) -> TestRequest<'_> {
    keys.app.request(Method::POST, PATH).bearer(&keys.key)
}

#[actix_web::test]
async fn a_new_key_is_returned_in_full_once_and_has_its_scopes() {
    let keys = Keys::new().await;
    let response = keys
        .post(&json!({"label": "  Dashboard ", "scopes": ["apikeys:read", "org:read"]}))
        .await;
    assert_eq!(response.status, 201);
    let data = &response.json()["data"];
    let plaintext = data["plaintext"].as_str().unwrap();
    assert!(PlaintextApiKey::parse(plaintext).is_some());
    let id = keys.app.key_id(plaintext).await;
    let expected = json!({
        "id": id.to_string(),
        "org_id": keys.app.org_id.to_string(),
        "label": "Dashboard",
        "prefix": &plaintext[..12],
        "scopes": ["org:read", "apikeys:read"],
        "created_by": format!("api_key:{}", keys.app.key_id(&keys.key).await),
        "created_at": Timestamp(now()),
        "last_used_at": null,
        "revoked_at": null,
        "expires_at": null,
        "plaintext": plaintext,
    });
    assert_eq!(*data, expected);
    assert_eq!(response.header("cache-control"), "no-store");
    assert_eq!(
        keys.app.get("/v1/organization", plaintext).await.status,
        200
    );
    let patched = keys.app.patch(plaintext, json!({"name": "Other"})).await;
    assert_eq!(patched.status, 403);
    let mut shown = expected;
    shown.as_object_mut().unwrap().remove("plaintext");
    assert_eq!(keys.get(&id.to_string()).await.json()["data"], shown);
}

#[actix_web::test]
async fn a_label_is_1_to_100_code_points_after_trimming() {
    let keys = Keys::new().await;
    for label in ["A", "😀", "e\u{301}", "\u{10fffd}", "<b>'\"\\"] {
        assert_eq!(keys.created(label).await["label"], label);
    }
    let longest = "😀".repeat(100);
    let data = keys.created(&format!("\u{3000} {longest}\u{a0}")).await;
    assert_eq!(data["label"], longest);
}

#[actix_web::test]
async fn an_invalid_label_is_an_error_of_the_field_and_creates_no_key() {
    let keys = Keys::new().await;
    let before = keys.stored().await;
    let too_long = "😀".repeat(101);
    let labels = [
        "", " ", "\u{3000}", "a\nb", "a\0b", "\u{7f}", "\u{9f}a", " a\t",
    ];
    for label in labels.into_iter().chain([too_long.as_str()]) {
        let response = keys.post(&body(label)).await;
        assert_invalid(&response, &json!({ "label": LABEL_ERROR }), label);
    }
    assert_eq!(keys.stored().await, before);
}

#[actix_web::test]
async fn missing_null_and_mistyped_fields_are_all_reported_at_once() {
    let keys = Keys::new().await;
    let before = keys.stored().await;
    let rows = [
        (
            json!({}),
            json!({"label": "is required", "scopes": "is required"}),
        ),
        (
            json!({"label": null, "scopes": null}),
            json!({"label": "cannot be null", "scopes": "cannot be null"}),
        ),
        (
            json!({"label": 1, "scopes": "org:read"}),
            json!({"label": "must be a string", "scopes": "must be an array"}),
        ),
        (
            json!({"label": "A", "scopes": ["org:read", 1, null]}),
            json!({"scopes.1": "must be a string", "scopes.2": "cannot be null"}),
        ),
        (
            json!({"label": "A", "scopes": ["org:read"], "id": 1, "plaintext": 1, "colour": 1}),
            json!({
                "id": "is read-only",
                "plaintext": "is read-only",
                "colour": "unknown field",
            }),
        ),
        (
            json!({"scopes": ["no:such"]}),
            json!({"label": "is required"}),
        ),
    ];
    for (body, details) in rows {
        assert_invalid(&keys.post(&body).await, &details, &body.to_string());
    }
    assert_eq!(keys.stored().await, before);
}

#[actix_web::test]
async fn unknown_duplicate_or_no_scopes_are_invalid_input() {
    let keys = Keys::new().await;
    let before = keys.stored().await;
    let rows = [
        (json!([]), "scopes: must name at least one scope"),
        (json!(["org:write"]), "scopes.0: unknown scope"),
        (json!(["org:read", ""]), "scopes.1: unknown scope"),
        (json!(["ORG:READ"]), "scopes.0: unknown scope"),
        (json!([" org:read"]), "scopes.0: unknown scope"),
        (json!(["org:read\u{0}"]), "scopes.0: unknown scope"),
        (json!(["org:read", "org:read"]), "scopes.1: duplicate scope"),
        // An unknown scope is reported first, even if the caller lacks the other scope.
        (json!(["billing:read", "x"]), "scopes.1: unknown scope"),
    ];
    for (scopes, message) in rows {
        let response = keys.post(&json!({"label": "A", "scopes": scopes})).await;
        assert_error(&response, 400, "INVALID_INPUT", message);
        assert_eq!(response.text("/error/message"), message);
        assert_eq!(response.details(), Value::Null);
    }
    assert_eq!(keys.stored().await, before);
}

#[actix_web::test]
async fn a_body_other_than_an_object_is_invalid_input() {
    let keys = Keys::new().await;
    for text in ["", "{", "[]", "null", r#"{"label":"a","label":"b"}"#] {
        let request = posting(&keys).body(JSON, text);
        assert_error(&request.send().await, 400, "INVALID_INPUT", text);
    }
}

#[actix_web::test]
async fn another_media_type_or_coding_is_refused_and_creates_no_key() {
    let keys = Keys::new().await;
    let before = keys.stored().await;
    let types = OTHER_TYPES.map(|content_type| posting(&keys).body(content_type, BODY));
    let codings = CODINGS.map(|coding| {
        let request = posting(&keys).body(JSON, BODY);
        request.header("content-encoding", coding)
    });
    let others = [
        posting(&keys).payload(BODY),
        posting(&keys).body(JSON, BODY).header("content-type", JSON),
    ];
    for (number, request) in types.into_iter().chain(codings).chain(others).enumerate() {
        let response = request.send().await;
        let what = format!("request {number}");
        assert_error(&response, 415, "UNSUPPORTED_MEDIA_TYPE", &what);
    }
    assert_eq!(keys.stored().await, before);
}

#[actix_web::test]
async fn a_body_of_64_kib_is_read_and_a_longer_body_creates_no_key() {
    let keys = Keys::new().await;
    for is_announced in [true, false] {
        let send = |length: usize| {
            let request = posting(&keys).body(JSON, padded(BODY, length));
            if is_announced {
                request.send()
            } else {
                request.chunked().send()
            }
        };
        assert_eq!(send(MAX_BYTES).await.status, 201);
        let before = keys.stored().await;
        let response = send(MAX_BYTES + 1).await;
        assert_error(&response, 413, "PAYLOAD_TOO_LARGE", "one byte more");
        assert_eq!(keys.stored().await, before);
    }
}

#[actix_web::test]
async fn nesting_of_more_than_32_levels_is_refused() {
    let keys = Keys::new().await;
    let deepest = posting(&keys).body(JSON, deep(32)).send().await;
    assert_error(&deepest, 422, "VALIDATION_FAILED", "32 levels");
    for levels in [33, 129, 30_000] {
        let response = posting(&keys).body(JSON, deep(levels)).send().await;
        assert_error(&response, 400, "INVALID_INPUT", &format!("{levels} levels"));
    }
}

#[actix_web::test]
async fn a_key_grants_only_its_own_scopes() {
    let keys = Keys::new().await;
    let before = keys.stored().await;
    for scopes in [
        json!(["org:admin:write"]),
        json!(["org:read", "audit:read"]),
        json!(["webhooks:write"]),
    ] {
        let response = keys.post(&json!({"label": "A", "scopes": scopes})).await;
        assert_error(&response, 403, "FORBIDDEN", &scopes.to_string());
        assert_eq!(response.text("/error/message"), "missing required scope");
    }
    assert_eq!(keys.stored().await, before, "nothing was written");
    let own = json!(["org:read", "apikeys:read", "apikeys:write"]);
    let response = keys.post(&json!({"label": "A", "scopes": own})).await;
    assert_eq!(response.status, 201, "all of its own scopes");
}

#[actix_web::test]
async fn a_new_key_belongs_to_the_organization_of_the_calling_key() {
    let keys = Keys::new().await;
    let other = keys.app.organization(OrganizationKind::Personal).await.id;
    let scopes = [Scope::ApiKeysWrite, Scope::OrgRead];
    let key = keys.app.api_key_of(&other, &scopes).await;
    let before = keys.stored().await;
    let theirs = Keys { key, ..keys };
    assert_eq!(theirs.created("A").await["org_id"], other.to_string());
    assert_eq!(theirs.stored().await, before);
}

#[actix_web::test]
async fn creation_is_recorded_with_a_commitment_and_never_with_the_key() {
    let keys = Keys::new().await;
    let data = keys.created("A").await;
    let entry = keys.app.whole_audit().await.pop().unwrap();
    let plaintext = data["plaintext"].as_str().unwrap();
    let stored_hash = Sha256::digest(plaintext);
    let issuer = keys.app.key_id(&keys.key).await;
    let after = json!({
        "label": "A",
        "prefix": data["prefix"],
        "scopes": ["org:read"],
        "created_by": format!("api_key:{issuer}"),
        "created_at": recorded_time(now()),
        "hash_commitment": hex::encode(Sha256::digest(stored_hash)),
        "expires_at": null,
        "rotated_from": null,
    });
    assert_eq!(payload(&entry), json!({ "before": {}, "after": after }));
    assert_eq!(
        (entry.action.as_str(), entry.resource_id.as_str()),
        ("api_key.create", data["id"].as_str().unwrap())
    );
    for secret in [&plaintext[12..], &hex::encode(stored_hash)] {
        assert!(!format!("{entry:?}").contains(secret));
    }
}

#[actix_web::test]
async fn the_eleventh_key_in_a_minute_is_refused_with_the_time_to_wait() {
    let keys = Keys::new().await;
    for number in 0..10 {
        keys.created(&number.to_string()).await;
    }
    let before = keys.stored().await;
    let response = keys.post(&body("A")).await;
    assert_error(&response, 429, "RATE_LIMITED", "the eleventh");
    assert_eq!(response.text("/error/message"), "rate limited");
    assert_eq!(response.header("retry-after"), "60");
    assert_eq!(
        response.header("ratelimit-policy"),
        "\"api-keys\";q=10;w=60"
    );
    assert_eq!(response.header("ratelimit"), "\"api-keys\";r=0;t=60");
    assert_eq!(keys.stored().await, before);

    let later = |app: TestApp, seconds| app.at(now() + TimeDelta::milliseconds(seconds));
    let key = keys.key;
    let keys = Keys {
        app: later(keys.app, 20_500),
        key,
    };
    assert_eq!(keys.post(&body("A")).await.header("retry-after"), "40");
    let keys = Keys {
        app: later(keys.app, 59_999),
        ..keys
    };
    assert_eq!(keys.post(&body("A")).await.header("retry-after"), "1");
    let keys = Keys {
        app: later(keys.app, 60_000),
        ..keys
    };
    keys.created("when the ten have left the window").await;
}

#[actix_web::test]
async fn the_limit_is_per_organization_and_counts_keys_created_by_its_keys() {
    let keys = Keys::new().await;
    for _ in 0..20 {
        keys.other(&[Scope::OrgRead]).await;
    }
    let (_, colleague) = keys.other(&[Scope::OrgRead, Scope::ApiKeysWrite]).await;
    for number in 0..5 {
        let id = keys.created(&number.to_string()).await["id"].clone();
        // Revoking a key does not free its slot in the limit.
        assert_eq!(keys.delete(id.as_str().unwrap()).await.status, 204);
    }
    // A rotation does not count, and is not stopped by the keys that count.
    let (id, _) = keys.other(&[Scope::OrgRead]).await;
    assert_eq!(keys.rotate(&id).await.status, 201);
    // Refused requests do not count.
    for _ in 0..10 {
        assert_eq!(keys.post(&body("")).await.status, 422);
    }
    let app = keys.app;
    let other = app.organization(OrganizationKind::Commercial).await.id;
    let scopes = [Scope::OrgRead, Scope::ApiKeysWrite];
    let elsewhere = app.api_key_of(&other, &scopes).await;
    let colleague = Keys {
        app,
        key: colleague,
    };
    for number in 5..10 {
        colleague.created(&number.to_string()).await;
    }
    assert_eq!(colleague.post(&body("A")).await.status, 429);
    let (id, _) = colleague.other(&[Scope::OrgRead]).await;
    assert_eq!(colleague.rotate(&id).await.status, 201);
    let elsewhere = Keys {
        key: elsewhere,
        ..colleague
    };
    elsewhere.created("of another organization").await;
}

#[actix_web::test]
async fn an_organization_has_at_most_1000_live_keys_and_may_still_rotate_them() {
    let keys = Keys::new().await;
    keys.add_unused(998);
    let last = keys.created("last").await;
    let id = last["id"].as_str().unwrap();
    let before = keys.stored().await;
    let body = json!({"label": "beyond", "scopes": ["org:read"]});
    let refused = keys.post(&body).await;
    assert_error(&refused, 422, "API_KEY_LIMIT_REACHED", "1,001 keys");
    assert_eq!(keys.stored().await, before);
    let rotated = keys.rotate(id).await;
    assert_eq!(rotated.status, 201);
    assert_eq!(keys.post(&body).await.status, 422);
    let new_id = rotated.json()["data"]["id"].as_str().unwrap().to_owned();
    assert_eq!(keys.delete(&new_id).await.status, 204);
    keys.created("in its place").await;
}
