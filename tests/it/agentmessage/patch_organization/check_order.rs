//! Order of checks: credential, scope, body, fields, Idempotency-Key, If-Match, rules. Each row
//! also has an error of a later step, which must not be reported.

use actix_web::http::Method;
use quietline::domain::scope::Scope;
use serde_json::{Value, json};
use strum::VariantArray as _;

use crate::agentmessage::admin::{Admin, PATH, assert_error, assert_invalid};
use crate::support::request::TestRequest;
use crate::support::response::Response;

/// Possible errors after the scope, as (content type, body, If-Match).
type Fault = (&'static str, &'static str, &'static str);

const JSON: &str = "application/json";
const RULE: &str = r#"{"auto_replies":{"enabled":false}}"#;
const FIELD: &str = r#"{"name":null,"auto_replies":{"enabled":false}}"#;
const MALFORMED: &str = r#"{"name":null,"name":null"#;
const FAULTS: [Fault; 6] = [
    ("text/plain", MALFORMED, "\"0\""),
    (JSON, MALFORMED, "\"0\""),
    (JSON, FIELD, "\"0\""),
    (JSON, FIELD, "*"),
    (JSON, RULE, "\"0\""),
    (JSON, RULE, "*"),
];

async fn send(request: TestRequest<'_>, (content_type, body, if_match): Fault) -> Response {
    request
        .header("if-match", if_match)
        .body(content_type, body)
        .send()
        .await
}

/// Responses to [`FAULTS`] from the steps before the rules, without the `Idempotency-Key`.
const REPORTED: [(u16, &str); 4] = [
    (415, "UNSUPPORTED_MEDIA_TYPE"),
    (400, "INVALID_INPUT"),
    (422, "VALIDATION_FAILED"),
    (422, "VALIDATION_FAILED"),
];

fn too_long(body: &str) -> String {
    format!("{body}{}", " ".repeat(65_537))
}

#[actix_web::test]
async fn a_missing_or_invalid_credential_is_reported_first() {
    let admin = Admin::new().await;
    for fault in FAULTS {
        for token in [None, Some("am_live_x"), Some("0")] {
            let request = admin.app.request(Method::PATCH, PATH);
            let request = token
                .into_iter()
                .fold(request, |request, token| request.bearer(token));
            let response = send(request, fault).await;
            assert_error(&response, 401, "UNAUTHORIZED", &format!("{fault:?}"));
            assert_eq!(response.details(), Value::Null);
        }
    }
    let long = admin
        .app
        .request(Method::PATCH, PATH)
        .body("text/plain", too_long(MALFORMED));
    assert_error(&long.send().await, 401, "UNAUTHORIZED", "too long");
}

#[actix_web::test]
async fn a_missing_scope_is_reported_before_the_body_is_read() {
    let admin = Admin::new().await;
    let others = Scope::VARIANTS
        .iter()
        .copied()
        .filter(|scope| *scope != Scope::OrgAdminWrite);
    let key = admin
        .app
        .api_key_of(&admin.org_id, &others.collect::<Vec<_>>())
        .await;
    let before = admin.stored().await;
    for fault in FAULTS
        .into_iter()
        .chain([(JSON, r#"{"name":"Other"}"#, "*"), (JSON, "{}", "*")])
    {
        let response = send(admin.app.request(Method::PATCH, PATH).bearer(&key), fault).await;
        assert_error(&response, 403, "FORBIDDEN", &format!("{fault:?}"));
        assert_eq!(response.text("/error/message"), "missing required scope");
    }
    let long = admin.app.request(Method::PATCH, PATH).bearer(&key);
    let long = long.body("text/plain", too_long(MALFORMED)).send().await;
    assert_error(&long, 403, "FORBIDDEN", "too long");
    assert_eq!(admin.stored().await, before);
}

#[actix_web::test]
async fn each_step_is_reported_only_if_all_earlier_steps_pass() {
    let admin = Admin::new().await;
    let last = [(412, "PRECONDITION_FAILED"), (422, "ATTESTATION_REQUIRED")];
    let before = admin.stored().await;
    for (fault, (status, code)) in FAULTS.into_iter().zip(REPORTED.into_iter().chain(last)) {
        let response = send(admin.patching(), fault).await;
        assert_error(&response, status, code, &format!("{fault:?}"));
    }
    assert_eq!(admin.stored().await, before);
}

#[actix_web::test]
async fn an_invalid_idempotency_key_is_reported_after_the_fields_and_before_the_tag() {
    let admin = Admin::new().await;
    let words = "must be 1 to 255 printable ASCII characters";
    let before = admin.stored().await;
    for header in ["", "é"] {
        let request = || admin.patching().header("Idempotency-Key", header);
        for (fault, (status, code)) in FAULTS.into_iter().zip(REPORTED) {
            let response = send(request(), fault).await;
            assert_error(&response, status, code, &format!("{header:?} {fault:?}"));
            let details = response.details();
            assert_eq!(details.get("Idempotency-Key"), None, "{header:?} {fault:?}");
        }
        for fault in &FAULTS[REPORTED.len()..] {
            let response = send(request(), *fault).await;
            let details = json!({ "Idempotency-Key": words });
            assert_invalid(&response, &details, &format!("{header:?} {fault:?}"));
        }
    }
    assert_eq!(admin.stored().await, before);
}

#[actix_web::test]
async fn a_reused_idempotency_key_is_reported_after_the_fields_and_before_the_tag() {
    let admin = Admin::new().await;
    let request = || admin.patching().header("Idempotency-Key", "k1");
    let first = request().json(&json!({ "name": "First" })).send().await;
    assert_eq!(first.status, 200, "{first:?}");
    let before = admin.stored().await;
    let reused = [(422, "IDEMPOTENCY_KEY_REUSED"); FAULTS.len() - REPORTED.len()];
    for (fault, (status, code)) in FAULTS.into_iter().zip(REPORTED.into_iter().chain(reused)) {
        let response = send(request(), fault).await;
        assert_error(&response, status, code, &format!("{fault:?}"));
    }
    assert_eq!(admin.stored().await, before);
}

#[actix_web::test]
async fn a_body_that_is_too_long_is_reported_before_its_fields_and_the_tag() {
    let admin = Admin::new().await;
    for body in [RULE, FIELD, MALFORMED] {
        let request = admin
            .patching()
            .header("if-match", "\"0\"")
            .body(JSON, too_long(body));
        assert_error(&request.send().await, 413, "PAYLOAD_TOO_LARGE", body);
    }
}

#[actix_web::test]
async fn an_invalid_field_is_reported_before_a_violated_rule_of_its_block() {
    let admin = Admin::new().await;
    let body =
        r#"{"auto_replies":{"enabled":false,"stop_text":""},"quiet_hours":{"start":"08:00"}}"#;
    let response = admin.patch_text(body).await;
    assert_error(&response, 422, "VALIDATION_FAILED", body);
    let details = response.details();
    assert_eq!(
        details["auto_replies.stop_text"],
        "must not be blank or contain NUL"
    );
    assert_eq!(
        details.get("auto_replies.attestation"),
        None,
        "another rule, another code"
    );
}
