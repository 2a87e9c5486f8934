//! Helpers to call the Tether dialect, and the responses that all its tests share.

use actix_web::http::Method;
use quietline::domain::actor::Role;
use quietline::domain::ids::{ExternalId, OrganizationRef};
use quietline::domain::missed_call_message::MissedCall;
use quietline::domain::organization::{Organization, OrganizationKind, OrganizationName, Settings};
use quietline::operator::organization::{self, NewOrganization};
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::response::Response;

/// External id of [`other_organization`].
pub const OTHER_EXTERNAL_ID: &str = "65f0c1d2e3a4b5c6d7e8f902";

/// Both operations.
pub const METHODS: [Method; 2] = [Method::GET, Method::PUT];

/// Returns the path of the organization `id`.
pub fn path(id: &str) -> String {
    format!("/api/organizations/{id}/missed-call-message")
}

/// Sends a valid request with `token`. A PUT has a body that changes something.
pub async fn call(app: &TestApp, method: &Method, id: &str, token: &str) -> Response {
    let request = app.request(method.clone(), &path(id)).bearer(token);
    let body = json!({"missedCallMessage": format!("Hi from {id:.20}")});
    if *method == Method::PUT {
        request.json(&body).send().await
    } else {
        request.send().await
    }
}

/// Creates another organization with an external id.
pub async fn other_organization(app: &TestApp) -> Organization {
    organization_named(app, OTHER_EXTERNAL_ID).await
}

/// Creates an organization with this external id.
pub async fn organization_named(app: &TestApp, external_id: &str) -> Organization {
    let name = OrganizationName::parse("Other, Inc.").expect("a name");
    let new = NewOrganization {
        kind: OrganizationKind::Commercial,
        external_id: Some(ExternalId::parse(external_id).expect("an external id")),
        settings: Settings::new(name, None),
    };
    organization::create(&app.session(), new)
        .await
        .expect("created")
}

/// Reads the stored organization.
pub async fn stored(app: &TestApp, organization: &Organization) -> Organization {
    let name = OrganizationRef::Id(organization.id);
    organization::find(&app.state.db, name)
        .await
        .expect("the organization exists")
}

/// Sends PUT as an admin and asserts success. Asserts that GET then returns the same body, and
/// returns it.
pub async fn change(app: &TestApp, body: Value) -> Value {
    let token = app.jwt(Role::Admin);
    let response = app.put(&token, body.clone()).await;
    assert_eq!(response.status, 200, "{body}: {response:?}");
    let shown = app.get(&app.missed_call_path(), &token).await;
    assert_eq!(response.json(), shown.json(), "{body}");
    response.json()
}

/// Sends PUT as an admin and asserts status 400 with `details` and no change.
pub async fn refused(app: &TestApp, body: Value, details: &str) {
    let before = app.stored().await;
    let response = app.put(&app.jwt(Role::Admin), body.clone()).await;
    assert_failure(&response, 400, "Validation error", &body.to_string());
    assert_eq!(response.text("/details"), details, "{body}");
    assert_eq!(app.stored().await, before, "{body}");
}

/// Asserts a body with exactly this `error` and a text as `details`.
pub fn assert_failure(response: &Response, status: u16, error: &str, what: &str) {
    assert_eq!(response.status, status, "{what}: {response:?}");
    let details = response.text("/details");
    assert!(!details.is_empty(), "{what}");
    assert_eq!(
        response.json(),
        json!({"error": error, "details": details}),
        "{what}"
    );
}

/// Asserts the one response to every request without a valid token.
pub fn assert_unauthorized(response: &Response, what: &str) {
    assert_eq!(response.status, 401, "{what}: {response:?}");
    assert_eq!(
        response.json(),
        json!({"error": "Invalid or expired token"}),
        "{what}"
    );
    assert_eq!(response.header("www-authenticate"), "Bearer", "{what}");
}

/// Returns settings with this template.
pub fn settings(message: Option<&str>, enabled: bool) -> MissedCall {
    MissedCall {
        message: message.map(str::to_owned),
        enabled,
    }
}
