//! GET /api/organizations/{organizationId}/missed-call-message.

use quietline::domain::actor::Role;
use serde_json::json;

use super::users::{change, path};
use crate::support::TestApp;

#[actix_web::test]
async fn a_new_organization_has_no_message_and_does_not_send_it() {
    let app = TestApp::new().await;
    for role in [Role::Admin, Role::Superadmin] {
        let response = app.get(&app.missed_call_path(), &app.jwt(role)).await;
        let expected = json!({"missedCallMessage": null, "missedCallAutoMessageEnabled": false});
        assert_eq!(response.status, 200, "{role:?}");
        assert_eq!(response.json(), expected, "{role:?}");
    }
}

#[actix_web::test]
async fn what_was_put_is_shown_and_reading_writes_nothing() {
    let app = TestApp::new().await;
    let settings = json!({"missedCallMessage": "Hi", "missedCallAutoMessageEnabled": true});
    change(&app, settings.clone()).await;
    let before = app.stored().await;
    for role in [Role::Admin, Role::Superadmin] {
        let response = app.get(&app.missed_call_path(), &app.jwt(role)).await;
        assert_eq!(response.json(), settings, "{role:?}");
    }
    assert_eq!(app.stored().await, before);
    assert_eq!(app.audit().await.len(), 1, "of the PUT");
}

#[actix_web::test]
async fn query_parameters_are_ignored() {
    let app = TestApp::new().await;
    let token = app.jwt(Role::Admin);
    let other = app.jwt(Role::SalesRep);
    for query in [
        "?",
        "?a=1",
        "?organizationId=x&organizationId=y",
        "?%ff=%00",
    ] {
        let response = app
            .get(&format!("{}{query}", path(&app.org_id.to_string())), &token)
            .await;
        assert_eq!(response.status, 200, "{query}");
        let response = app
            .get(&format!("{}{query}", path(&app.org_id.to_string())), &other)
            .await;
        assert_eq!(response.status, 403, "{query}");
    }
}

#[actix_web::test]
async fn no_response_may_be_cached() {
    let app = TestApp::new().await;
    let response = app
        .get(&app.missed_call_path(), &app.jwt(Role::Admin))
        .await;
    assert_eq!(response.header("cache-control"), "no-store");
}
