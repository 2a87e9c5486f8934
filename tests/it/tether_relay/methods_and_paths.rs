//! Methods and paths outside the Tether dialect.

use actix_web::http::Method;
use quietline::domain::actor::Role;
use serde_json::json;

use super::users::path;
use crate::support::TestApp;

#[actix_web::test]
async fn another_method_is_405_with_the_allowed_methods() {
    let app = TestApp::new().await;
    let tokens = [None, Some(app.jwt(Role::Superadmin)), Some("x".to_owned())];
    for method in [
        "PATCH", "POST", "DELETE", "TRACE", "PROPFIND", "put", "options",
    ] {
        let parsed = Method::from_bytes(method.as_bytes()).unwrap();
        let own = app.org_id.to_string();
        for (token, id) in tokens.iter().zip([&own, "x", "%00"]) {
            let request = app.request(parsed.clone(), &path(id));
            let request = token
                .iter()
                .fold(request, |request, token| request.bearer(token));
            let response = request.body("text/plain", "{").send().await;
            assert_eq!(response.status, 405, "{method} {id}");
            assert_eq!(response.header("allow"), "GET, PUT", "{method} {id}");
            let expected =
                json!({"error": "Method not allowed", "details": "Allowed methods: GET, PUT"});
            assert_eq!(response.json(), expected, "{method} {id}");
        }
    }
}

#[actix_web::test]
async fn an_unknown_path_is_404_in_the_envelope_of_this_dialect() {
    let app = TestApp::new().await;
    let (token, id) = (app.jwt(Role::Superadmin), app.org_id.to_string());
    for path in [
        "/api".to_owned(),
        "/api/".to_owned(),
        "/api/organizations".to_owned(),
        format!("/api/organizations/{id}"),
        format!("/api/organizations/{id}/"),
        format!("/api/organizations/{id}/missed-call-message/"),
        format!("/api/organizations/{id}/missed-call-message/x"),
        format!("/api/organizations/{id}/Missed-Call-Message"),
        format!("/api/organizations/{id}/x/missed-call-message"),
        "/api/organizations//missed-call-message".to_owned(),
        format!("/api//organizations/{id}/missed-call-message"),
        format!("/api/v1/organizations/{id}/missed-call-message"),
        "/api/%00".to_owned(),
    ] {
        for method in [Method::GET, Method::PUT, Method::OPTIONS] {
            let with = app
                .request(method.clone(), &path)
                .bearer(&token)
                .send()
                .await;
            let without = app.request(method.clone(), &path).send().await;
            for response in [with, without] {
                assert_eq!(response.status, 404, "{method} {path}");
                let body = response.json();
                let texts = ["error", "details"].map(|name| body[name].is_string());
                assert_eq!(texts, [true, true], "{method} {path}: {body}");
                assert_eq!(body.get("success"), None, "{method} {path}: {body}");
            }
        }
    }
}
