//! Preconditions (RFC 9110, section 13) of every operation of both specs: evaluated, never ignored.
//! Goal: a client that believes itself protected is. Method: each operation of `valid` is called
//! with each precondition.

use actix_web::http::Method;
use quietline::domain::actor::Role;
use quietline::domain::scope::Scope;
use quietline_api::{agentmessage, tether_relay};
use quietline_api_runtime::Operation;
use serde_json::{Value, json};
use strum::VariantArray as _;

use crate::support::TestApp;
use crate::support::request::TestRequest;
use crate::support::response::Response;

const UNKNOWN_KEY_ID: &str = "0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3";

const IF_MATCH: &str = "if-match";
const IF_NONE_MATCH: &str = "if-none-match";

fn operations() -> impl Iterator<Item = &'static Operation> {
    let all = [
        agentmessage::api::operations::ALL,
        tether_relay::api::operations::ALL,
    ];
    all.into_iter().flatten().copied()
}

/// Returns the body of a valid request that changes something, and the status of its response.
/// Panics for an operation that this table does not have.
fn valid(operation: &Operation) -> (Option<Value>, u16) {
    match operation.id {
        "getOrganization"
        | "listApiKeys"
        | "getApiKey"
        | "listAuditLog"
        | "get_organizations_organizationId_missed_call_message" => (None, 200),
        "patchOrganization" => (Some(json!({"name": "Changed"})), 200),
        "createApiKey" => (Some(json!({"label": "New", "scopes": ["org:read"]})), 201),
        "rotateApiKey" => (None, 201),
        "deleteApiKey" => (None, 204),
        "put_organizations_organizationId_missed_call_message" => {
            (Some(json!({"missedCallMessage": "Changed"})), 200)
        }
        other => panic!("{other} needs a row"),
    }
}

/// Application with a key in the path of operations on one key.
struct Target {
    app: TestApp,
    key: String,
    key_in_path: String,
}

impl Target {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let key = app.api_key(Scope::VARIANTS).await;
        let other = app.api_key(&[Scope::OrgRead]).await;
        let key_in_path = app.key_id(&other).await.to_string();
        app.forget_issued_keys();
        Self {
            app,
            key,
            key_in_path,
        }
    }

    fn request(&self, operation: &Operation, key_in_path: &str) -> TestRequest<'_> {
        let organization = self.app.org_id.to_string();
        let path = operation.path.replace("{id}", key_in_path);
        let path = path.replace("{organizationId}", &organization);
        let method: Method = operation.method.parse().expect("a method");
        let credential = if path.starts_with("/api/") {
            self.app.jwt(Role::Admin)
        } else {
            self.key.clone()
        };
        let request = self.app.request(method, &path).bearer(&credential);
        match valid(operation).0 {
            Some(body) => request.json(&body),
            None => request,
        }
    }

    async fn send(&self, operation: &Operation, precondition: (&str, &str)) -> Response {
        let (name, value) = precondition;
        let request = self.request(operation, &self.key_in_path);
        request.header(name, value).send().await
    }

    async fn entries(&self) -> usize {
        self.app.whole_audit().await.len()
    }
}

fn is_read(operation: &Operation) -> bool {
    operation.method == "GET"
}

fn assert_failed(operation: &Operation, response: &Response, what: &str) {
    assert_eq!(response.status, 412, "{}: {what}", operation.id);
    let (pointer, expected) = if operation.path.starts_with("/api/") {
        ("/error", "Precondition failed")
    } else {
        ("/error/code", "PRECONDITION_FAILED")
    };
    assert_eq!(response.text(pointer), expected, "{}", operation.id);
}

#[actix_web::test]
async fn if_match_with_no_tag_of_the_present_version_is_412_and_changes_nothing() {
    let target = Target::new().await;
    let before = target.entries().await;
    for operation in operations() {
        for value in ["\"other\"", "W/\"other\"", "other", "", "*, \"other\""] {
            let response = target.send(operation, (IF_MATCH, value)).await;
            assert_failed(operation, &response, value);
        }
    }
    assert_eq!(target.entries().await, before);
}

#[actix_web::test]
async fn if_none_match_with_a_star_is_304_of_a_read_and_412_of_a_change() {
    let target = Target::new().await;
    let before = target.entries().await;
    for operation in operations() {
        let response = target.send(operation, (IF_NONE_MATCH, "*")).await;
        if is_read(operation) {
            assert_eq!(
                (response.status, response.bytes.len()),
                (304, 0),
                "{}",
                operation.id
            );
        } else {
            assert_failed(operation, &response, "*");
        }
    }
    assert_eq!(target.entries().await, before);
}

#[actix_web::test]
async fn preconditions_that_hold_and_dates_are_as_none() {
    // No resource has a modification date, so dates are ignored (RFC 9110, section 13.1.4).
    let date = "Thu, 01 Jan 1970 00:00:00 GMT";
    for precondition in [
        (IF_MATCH, "*"),
        (IF_NONE_MATCH, "\"other\""),
        ("if-unmodified-since", date),
        ("if-modified-since", date),
    ] {
        for operation in operations() {
            let target = Target::new().await;
            let before = target.entries().await;
            let response = target.send(operation, precondition).await;
            let name = operation.id;
            let (_, status) = valid(operation);
            assert_eq!(response.status, status, "{name}: {precondition:?}");
            let is_changed = target.entries().await > before;
            assert_eq!(is_changed, !is_read(operation), "{name}: {precondition:?}");
        }
    }
}

#[actix_web::test]
async fn if_match_counts_before_if_none_match() {
    let target = Target::new().await;
    for operation in operations().filter(|operation| is_read(operation)) {
        let request = target.request(operation, &target.key_in_path);
        let request = request.header(IF_MATCH, "\"other\"");
        let response = request.header(IF_NONE_MATCH, "*").send().await;
        assert_failed(operation, &response, "both");
    }
}

/// RFC 9110, section 13.2.1: a precondition does not count if the response would be a failure
/// without it.
#[actix_web::test]
async fn an_unknown_key_is_404_whatever_the_precondition() {
    let target = Target::new().await;
    for operation in operations().filter(|operation| operation.path.contains("{id}")) {
        for precondition in [(IF_MATCH, "\"other\""), (IF_NONE_MATCH, "*")] {
            let (name, value) = precondition;
            let request = target.request(operation, UNKNOWN_KEY_ID);
            let response = request.header(name, value).send().await;
            assert_eq!(response.status, 404, "{}: {precondition:?}", operation.id);
        }
    }
}
