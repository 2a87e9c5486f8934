//! `Idempotency-Key` on `PATCH /v1/organization` and `POST /v1/api-keys`: a retry gets the replayed
//! response and has no effect.

use std::sync::Barrier;
use std::sync::mpsc::channel;

use actix_web::http::Method;
use chrono::TimeDelta;
use quietline::db::{self, DbConn, Lane};
use quietline::domain::ids::OrganizationRef;
use quietline::domain::organization::OrganizationKind;
use quietline::domain::scope::Scope;
use serde_json::{Value, json};

use super::admin::assert_error;
use super::api_key::{Keys, PATH};
use crate::db::parallel::in_parallel;
use crate::support::TestApp;
use crate::support::app::now;
use crate::support::response::Response;

const SCOPES: &[Scope] = &[Scope::OrgAdminWrite];

/// Number of records.
const RECORDS: &str = "SELECT CAST(count(*) AS TEXT) AS value FROM idempotency_records";

async fn patch(app: &TestApp, key: &str, idempotency_key: &str, body: &str) -> Response {
    app.request(Method::PATCH, "/v1/organization")
        .bearer(key)
        .header("Idempotency-Key", idempotency_key)
        .body("application/json", body.to_owned())
        .send()
        .await
}

fn is_replayed(response: &Response) -> bool {
    response.headers.contains_key("idempotent-replayed")
}

#[actix_web::test]
async fn a_retry_replays_status_headers_and_body_and_changes_nothing() {
    let app = TestApp::new().await;
    let key = app.api_key(SCOPES).await;
    let first = patch(&app, &key, "k1", r#"{"name":"First"}"#).await;
    assert_eq!((first.status, is_replayed(&first)), (200, false));
    app.patch(&key, json!({"name": "Second"})).await;
    let again = patch(&app, &key, "k1", r#"{"name":"First"}"#).await;
    assert_eq!(again.status, 200);
    assert_eq!(again.header("Idempotent-Replayed"), "true");
    assert_eq!(again.bytes, first.bytes);
    for name in ["ETag", "Content-Type", "Cache-Control"] {
        assert_eq!(again.header(name), first.header(name));
    }
    assert_ne!(again.header("X-Request-Id"), first.header("X-Request-Id"));
    assert_eq!(app.stored().await.settings.name.as_str(), "Second");
    assert_eq!(app.audit().await.len(), 2);
}

#[actix_web::test]
async fn white_space_and_the_order_of_members_make_no_difference() {
    let app = TestApp::new().await;
    let key = app.api_key(SCOPES).await;
    let bodies = [
        r#"{"name":"First","is_reseller":false}"#,
        r#"{ "is_reseller": false, "name": "First" }"#,
    ];
    assert!(!is_replayed(&patch(&app, &key, "k1", bodies[0]).await));
    assert!(is_replayed(&patch(&app, &key, "k1", bodies[1]).await));
}

#[actix_web::test]
async fn another_body_with_the_same_key_is_refused_and_changes_nothing() {
    let app = TestApp::new().await;
    let key = app.api_key(SCOPES).await;
    patch(&app, &key, "k1", r#"{"billing_email":null}"#).await;
    for other in [
        r#"{}"#,
        r#"{"name":"Other"}"#,
        r#"{"billing_email":"a@b.example"}"#,
    ] {
        let refused = patch(&app, &key, "k1", other).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (422, "IDEMPOTENCY_KEY_REUSED")
        );
    }
    assert_eq!(app.audit().await.len(), 1);
}

#[actix_web::test]
async fn a_retry_of_a_request_that_changed_nothing_changes_nothing() {
    let app = TestApp::new().await;
    let key = app.api_key(SCOPES).await;
    let name = app.stored().await.settings.name.as_str().to_owned();
    let body = json!({ "name": name }).to_string();
    let first = patch(&app, &key, "k1", &body).await;
    assert!(app.audit().await.is_empty());
    app.patch(&key, json!({"name": "Other"})).await;
    let again = patch(&app, &key, "k1", &body).await;
    assert_eq!(again.bytes, first.bytes);
    assert_eq!(app.stored().await.settings.name.as_str(), "Other");
}

#[actix_web::test]
async fn a_failed_request_may_be_retried_with_another_body() {
    let app = TestApp::new().await;
    let key = app.api_key(SCOPES).await;
    let off = r#"{"auto_replies":{"enabled":false}}"#;
    assert_eq!(
        patch(&app, &key, "k1", off).await.code(),
        "ATTESTATION_REQUIRED"
    );
    assert_eq!(
        patch(&app, &key, "k1", r#"{"name":null}"#).await.status,
        422
    );
    assert_eq!(
        patch(&app, &key, "k1", r#"{"name":"First"}"#).await.status,
        200
    );
}

#[actix_web::test]
async fn a_retry_does_not_check_the_condition_again() {
    let app = TestApp::new().await;
    let key = app.api_key(SCOPES).await;
    let reader = app.api_key(&[Scope::OrgRead]).await;
    let read = app.get("/v1/organization", &reader).await;
    let send = async || {
        app.request(Method::PATCH, "/v1/organization")
            .bearer(&key)
            .header("Idempotency-Key", "k1")
            .header("If-Match", read.header("ETag"))
            .json(&json!({"name": "First"}))
            .send()
            .await
    };
    let (first, again) = (send().await, send().await);
    assert_eq!((first.status, again.status), (200, 200));
    assert_eq!(again.header("ETag"), first.header("ETag"));
}

#[actix_web::test]
async fn credentials_and_organizations_do_not_share_keys() {
    let app = TestApp::new().await;
    let other = app.organization(OrganizationKind::Commercial).await;
    let keys = [
        app.api_key(SCOPES).await,
        app.api_key(SCOPES).await,
        app.api_key_of(&other.id, SCOPES).await,
    ];
    for (number, key) in keys.iter().enumerate() {
        let body = json!({ "name": format!("Name {number}") }).to_string();
        let response = patch(&app, key, "k1", &body).await;
        assert_eq!((response.status, is_replayed(&response)), (200, false));
    }
}

#[actix_web::test]
async fn a_response_is_kept_for_24_hours() {
    let app = TestApp::new().await;
    let key = app.api_key(SCOPES).await;
    let body = r#"{"name":"First"}"#;
    patch(&app, &key, "k1", body).await;
    app.patch(&key, json!({"name": "Second"})).await;
    let app = app.at(now() + TimeDelta::hours(24) - TimeDelta::seconds(1));
    assert!(is_replayed(&patch(&app, &key, "k1", body).await));
    let app = app.at(now() + TimeDelta::hours(24));
    assert!(!is_replayed(&patch(&app, &key, "k1", body).await));
    assert_eq!(app.stored().await.settings.name.as_str(), "First");
    assert!(is_replayed(&patch(&app, &key, "k1", body).await));
}

#[actix_web::test]
async fn expired_records_are_swept_and_newer_records_are_kept() {
    let app = TestApp::new().await;
    let key = app.api_key(SCOPES).await;
    patch(&app, &key, "old", r#"{"name":"First"}"#).await;
    let app = app.at(now() + TimeDelta::hours(1));
    patch(&app, &key, "young", r#"{"name":"Second"}"#).await;
    let app = app.at(now() + TimeDelta::hours(24) + TimeDelta::seconds(1));
    assert!(
        !quietline::jobs::sweep_batch(&app.state.db, app.state.clock.now())
            .await
            .expect("swept")
    );
    assert_eq!(app.database.values(RECORDS), ["1"]);
    assert!(is_replayed(
        &patch(&app, &key, "young", r#"{"name":"Second"}"#).await
    ));
}

#[actix_web::test]
async fn an_invalid_header_is_refused() {
    let app = TestApp::new().await;
    let key = app.api_key(SCOPES).await;
    for header in ["", "\t", &"x".repeat(256), "é"] {
        let refused = patch(&app, &key, header, r#"{"name":"First"}"#).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (422, "VALIDATION_FAILED")
        );
        let words = "must be 1 to 255 printable ASCII characters";
        assert_eq!(
            refused.details(),
            json!({ "Idempotency-Key": words }),
            "{header:?}"
        );
    }
    let longest = "x".repeat(255);
    assert_eq!(
        patch(&app, &key, &longest, r#"{"name":"First"}"#)
            .await
            .status,
        200
    );
}

#[actix_web::test]
async fn a_second_request_is_refused_at_once_while_the_first_is_in_progress() {
    // Goal: test two concurrent requests with one key. Method: another transaction locks the
    // organization until one of the two has its response, which can only be the refusal.
    let app = TestApp::new().await;
    let key = app.api_key(SCOPES).await;
    let (started, (release, released)) = (&Barrier::new(3), channel::<()>());
    let (org_id, released) = (app.org_id, std::sync::Mutex::new(Some(released)));
    let statuses = std::thread::scope(|scope| {
        let hold = || {
            let (org_id, released) = (org_id, released.lock().unwrap().take().unwrap());
            let (locked, is_locked) = channel();
            let work = move |conn: &mut DbConn| {
                db::organization::lock(conn, &OrganizationRef::Id(org_id))?;
                locked.send(()).unwrap();
                released.recv().unwrap();
                Ok(())
            };
            let state = app.state.clone();
            let holder = std::thread::spawn(move || {
                actix_web::rt::System::new()
                    .block_on(state.db.write(Lane::OPERATOR, work))
                    .unwrap();
            });
            is_locked.recv().unwrap();
            holder
        };
        // The holder starts first: otherwise the first request could finish before the second.
        let holder = hold();
        let send = || {
            let (app, key, release) = (&app, &key, release.clone());
            scope.spawn(move || {
                started.wait();
                actix_web::rt::System::new().block_on(async {
                    let response = patch(app, key, "k1", r#"{"name":"First"}"#).await;
                    if response.status == 409 {
                        release.send(()).unwrap();
                        assert_eq!(response.code(), "IDEMPOTENCY_KEY_IN_USE");
                    }
                    response.status
                })
            })
        };
        let senders = [send(), send()];
        started.wait();
        let statuses = senders.map(|sender| sender.join().unwrap());
        holder.join().unwrap();
        statuses
    });
    let mut statuses = statuses;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    assert_eq!(app.audit().await.len(), 1);
}

#[actix_web::test]
async fn many_concurrent_requests_take_effect_once() {
    let app = TestApp::new().await;
    let key = app.api_key(SCOPES).await;
    let responses = in_parallel(16, async |_| {
        loop {
            let response = patch(&app, &key, "k1", r#"{"name":"First"}"#).await;
            if response.status != 409 {
                return (response.status, is_replayed(&response), response.bytes);
            }
        }
    });
    let done: Vec<_> = responses
        .iter()
        .filter(|(_, is_replayed, _)| !is_replayed)
        .collect();
    assert_eq!(done.len(), 1);
    assert!(
        responses
            .iter()
            .all(|(status, _, body)| *status == 200 && *body == done[0].2)
    );
    assert_eq!(app.audit().await.len(), 1);
}

#[actix_web::test]
async fn records_do_not_contain_the_attestation() {
    let app = TestApp::new().await;
    let key = app.api_key(SCOPES).await;
    let body = json!({"auto_replies": {"enabled": false, "attestation": "CANARY"}}).to_string();
    let first = patch(&app, &key, "k1", &body).await;
    assert_eq!(first.status, 200);
    let canary = "SELECT CAST(count(*) AS TEXT) AS value FROM idempotency_records \
        WHERE CAST(body AS TEXT) LIKE '%CANARY%' OR headers LIKE '%CANARY%'";
    assert_eq!(app.database.values(canary), ["0"]);
    let body: Value = first.json();
    assert_eq!(body["data"]["auto_replies"]["enabled"], false);
}

async fn create(keys: &Keys, idempotency_key: &str, label: &str) -> Response {
    let body = json!({ "label": label, "scopes": ["org:read"] });
    create_of(keys, idempotency_key, &body).await
}

async fn create_of(keys: &Keys, idempotency_key: &str, body: &Value) -> Response {
    let request = keys.app.request(Method::POST, PATH).bearer(&keys.key);
    let request = request.header("Idempotency-Key", idempotency_key);
    request.json(body).send().await
}

#[actix_web::test]
async fn a_key_is_created_once_and_its_plaintext_is_shown_once() {
    let keys = Keys::new().await;
    let first = create(&keys, "k1", "A").await;
    let again = create(&keys, "k1", "A").await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(again.header("Idempotent-Replayed"), "true");
    let (mut first, again) = (first.json(), again.json());
    let plaintext = first["data"]["plaintext"].take();
    assert!(
        plaintext
            .as_str()
            .is_some_and(|text| text.starts_with("am_live_"))
    );
    assert_eq!(again, first, "null instead of the key, and all else alike");
    let made = "SELECT label AS value FROM api_keys WHERE label = 'A'";
    assert_eq!(keys.app.database.values(made).len(), 1);
    let secret = plaintext.as_str().unwrap();
    let canary = format!(
        "SELECT CAST(count(*) AS TEXT) AS value FROM idempotency_records \
         WHERE CAST(body AS TEXT) LIKE '%{secret}%'"
    );
    assert_eq!(keys.app.database.values(&canary), ["0"]);
    assert_eq!(
        create(&keys, "k1", "B").await.code(),
        "IDEMPOTENCY_KEY_REUSED"
    );
}

#[actix_web::test]
async fn a_refused_key_may_be_requested_again() {
    let keys = Keys::new().await;
    for number in 0..10 {
        keys.created(&number.to_string()).await;
    }
    assert_eq!(create(&keys, "k1", "A").await.status, 429);
    let later = keys.app.at(now() + TimeDelta::seconds(60));
    let keys = Keys { app: later, ..keys };
    let created = create(&keys, "k1", "A").await;
    assert_eq!((created.status, is_replayed(&created)), (201, false));
}

#[actix_web::test]
async fn a_reused_key_is_reported_before_scopes_that_cannot_be_granted() {
    let keys = Keys::new().await;
    assert_eq!(create(&keys, "k1", "A").await.status, 201);
    let before = keys.stored().await;
    let beyond = json!({ "label": "B", "scopes": ["audit:read"] });
    for (idempotency_key, status, code) in [
        ("é", 422, "VALIDATION_FAILED"),
        ("k1", 422, "IDEMPOTENCY_KEY_REUSED"),
        ("k2", 403, "FORBIDDEN"),
    ] {
        let response = create_of(&keys, idempotency_key, &beyond).await;
        assert_error(&response, status, code, idempotency_key);
    }
    assert_eq!(keys.stored().await, before);
}

#[actix_web::test]
async fn unknown_scopes_are_reported_before_an_invalid_or_reused_key() {
    let keys = Keys::new().await;
    assert_eq!(create(&keys, "k1", "First").await.status, 201);
    let unknown = json!({ "label": "Second", "scopes": ["nope"] });
    for idempotency_key in ["k1", "é"] {
        let response = create_of(&keys, idempotency_key, &unknown).await;
        assert_error(&response, 400, "INVALID_INPUT", idempotency_key);
    }
}

/// Sends a request about one API key twice, with the same `Idempotency-Key`.
async fn send_twice(keys: &Keys, method: Method, path: &str) -> [Response; 2] {
    let send = async || {
        let request = keys.app.request(method.clone(), path).bearer(&keys.key);
        request.header("Idempotency-Key", "k1").send().await
    };
    [send().await, send().await]
}

#[actix_web::test]
async fn rotation_ignores_the_key_and_does_not_replay_responses() {
    let keys = Keys::new().await;
    let (id, _) = keys.other(&[Scope::OrgRead]).await;
    let path = format!("{PATH}/{id}/rotate");
    let [first, again] = send_twice(&keys, Method::POST, &path).await;
    assert_eq!((first.status, is_replayed(&first)), (201, false));
    assert_error(&again, 422, "API_KEY_REVOKED", "the old one");
    assert!(!is_replayed(&again));
    assert_eq!(keys.app.database.values(RECORDS), ["0"]);
}

#[actix_web::test]
async fn deletion_ignores_the_key_and_is_repeated() {
    let keys = Keys::new().await;
    let (id, _) = keys.other(&[Scope::OrgRead]).await;
    let path = format!("{PATH}/{id}");
    for response in send_twice(&keys, Method::DELETE, &path).await {
        assert_eq!((response.status, is_replayed(&response)), (204, false));
    }
    assert_eq!(keys.app.database.values(RECORDS), ["0"]);
}

#[actix_web::test]
async fn operations_without_idempotency_ignore_an_invalid_key() {
    let keys = Keys::new().await;
    let (id, _) = keys.other(&[Scope::OrgRead]).await;
    let request = |method: Method, path: &str| {
        let request = keys.app.request(method, path).bearer(&keys.key);
        request.header("Idempotency-Key", "é")
    };
    let rotate = request(Method::POST, &format!("{PATH}/{id}/rotate"));
    assert_eq!(rotate.send().await.status, 201);
    let delete = request(Method::DELETE, &format!("{PATH}/{id}"));
    assert_eq!(delete.send().await.status, 204);
}
