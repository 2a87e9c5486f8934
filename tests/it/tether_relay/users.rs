//! Short ways to call the Tether dialect, and the answers that every test knows.

use actix_web::http::Method;
use quietline::domain::actor::Role;
use quietline::domain::ids::{ExternalId, OrganizationRef};
use quietline::domain::missed_call_message::MissedCall;
use quietline::domain::organization::{Organization, OrganizationKind, OrganizationName, Settings};
use quietline::operator::organization::{self, NewOrganization};
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::response::Response;

/// The external id of the organization of [`other_organization`].
pub const OTHER_EXTERNAL_ID: &str = "65f0c1d2e3a4b5c6d7e8f902";

/// Both operations.
pub const METHODS: [Method; 2] = [Method::GET, Method::PUT];

/// The path of the organization that `id` names.
pub fn path(id: &str) -> String {
    format!("/api/organizations/{id}/missed-call-message")
}

/// A good request with `token`: a PUT has a body that changes something.
pub async fn call(app: &TestApp, method: &Method, id: &str, token: &str) -> Response {
    let request = app.request(method.clone(), &path(id)).bearer(token);
    let body = json!({"missedCallMessage": format!("Hi from {id:.20}")});
    if *method == Method::PUT {
        request.json(&body).send().await
    } else {
        request.send().await
    }
}

/// An organization with an external id beside the tests' own.
pub async fn other_organization(app: &TestApp) -> Organization {
    organization_named(app, OTHER_EXTERNAL_ID).await
}

/// An organization with this external id.
pub async fn organization_named(app: &TestApp, external_id: &str) -> Organization {
    let name = OrganizationName::parse("Other, Inc.").expect("a name");
    let new = NewOrganization {
        kind: OrganizationKind::Commercial,
        external_id: Some(ExternalId::parse(external_id).expect("an external id")),
        settings: Settings::new(name, None),
    };
    organization::create(&app.state.db, &app.state.clock, new)
        .await
        .expect("created")
}

/// What is stored of an organization now.
pub async fn stored(app: &TestApp, organization: &Organization) -> Organization {
    let name = OrganizationRef::Id(organization.id);
    organization::find(&app.state.db, name)
        .await
        .expect("it is there")
}

/// PUTs as an admin with success; the answer is what GET then shows, and is returned.
pub async fn change(app: &TestApp, body: Value) -> Value {
    let token = app.jwt(Role::Admin);
    let answer = app.put(&token, body.clone()).await;
    assert_eq!(answer.status, 200, "{body}: {answer:?}");
    let shown = app.get(&app.missed_call_path(), &token).await;
    assert_eq!(answer.json(), shown.json(), "{body}");
    answer.json()
}

/// PUTs as an admin in vain: 400 with `details`, and nothing has changed.
pub async fn refused(app: &TestApp, body: Value, details: &str) {
    let before = app.stored().await;
    let answer = app.put(&app.jwt(Role::Admin), body.clone()).await;
    assert_failure(&answer, 400, "Validation error", &body.to_string());
    assert_eq!(answer.text("/details"), details, "{body}");
    assert_eq!(app.stored().await, before, "{body}");
}

/// A bare body with this `error` and a text as `details`, and nothing else.
pub fn assert_failure(answer: &Response, status: u16, error: &str, what: &str) {
    assert_eq!(answer.status, status, "{what}: {answer:?}");
    let details = answer.text("/details");
    assert!(!details.is_empty(), "{what}");
    assert_eq!(
        answer.json(),
        json!({"error": error, "details": details}),
        "{what}"
    );
}

/// The one answer to every request without a good token.
pub fn assert_unauthorized(answer: &Response, what: &str) {
    assert_eq!(answer.status, 401, "{what}: {answer:?}");
    assert_eq!(
        answer.json(),
        json!({"error": "Invalid or expired token"}),
        "{what}"
    );
    assert_eq!(answer.header("www-authenticate"), "Bearer", "{what}");
}

/// The settings with this template.
pub fn settings(message: Option<&str>, enabled: bool) -> MissedCall {
    MissedCall {
        message: message.map(str::to_owned),
        enabled,
    }
}
