//! Methods and paths outside the AgentMessage dialect.

use actix_web::http::Method;
use quietline::domain::scope::Scope;
use serde_json::Value;
use strum::VariantArray as _;

use super::admin::{PATH, assert_error};
use crate::support::TestApp;

const OTHER_METHODS: [&str; 9] = [
    "POST", "PUT", "DELETE", "TRACE", "CONNECT", "PROPFIND", "patch", "get", "head",
];

/// A 405 must have `Allow` (RFC 9110, section 15.5.6).
#[actix_web::test]
async fn another_method_is_405_with_the_allowed_methods() {
    let app = TestApp::new().await;
    let key = app.api_key(Scope::VARIANTS).await;
    for method in OTHER_METHODS {
        let parsed = Method::from_bytes(method.as_bytes()).unwrap();
        let response = app.request(parsed, PATH).bearer(&key).send().await;
        assert_error(&response, 405, "METHOD_NOT_ALLOWED", method);
        assert_eq!(response.header("allow"), "GET, PATCH", "{method}");
        assert_eq!(response.details(), Value::Null, "{method}");
    }
}

#[actix_web::test]
async fn another_method_is_405_without_a_credential_too() {
    let app = TestApp::new().await;
    for method in OTHER_METHODS {
        let parsed = Method::from_bytes(method.as_bytes()).unwrap();
        let response = app
            .request(parsed, PATH)
            .body("text/plain", "{")
            .send()
            .await;
        assert_error(&response, 405, "METHOD_NOT_ALLOWED", method);
        assert_eq!(response.header("allow"), "GET, PATCH", "{method}");
        assert!(
            !response.headers.contains_key("www-authenticate"),
            "{method}"
        );
    }
}

#[actix_web::test]
async fn method_override_headers_are_ignored() {
    let app = TestApp::new().await;
    let request = app
        .request(Method::POST, PATH)
        .header("x-http-method-override", "GET");
    assert_error(
        &request.send().await,
        405,
        "METHOD_NOT_ALLOWED",
        "overridden POST",
    );
}

#[actix_web::test]
async fn an_unknown_path_is_404_in_the_envelope_with_and_without_a_key() {
    let app = TestApp::new().await;
    let key = app.api_key(Scope::VARIANTS).await;
    for path in [
        "//",
        "/v1",
        "/v1/",
        "/v1/organization/",
        "/v1/organization/x",
        "/v1/organizations",
        "/v1/Organization",
        "/V1/organization",
        "/v1//organization",
        "//v1/organization",
        "/v1/organization%2F",
        "/v1/organization;x",
        "/v2/organization",
        "/organization",
        "/v1/%00",
        "/v1/%ff",
        "/v1/../v1/organization",
    ] {
        for method in [Method::GET, Method::PATCH, Method::OPTIONS] {
            let with = app.request(method.clone(), path).bearer(&key).send().await;
            let without = app.request(method.clone(), path).send().await;
            for response in [with, without] {
                assert_error(&response, 404, "NOT_FOUND", &format!("{method} {path}"));
                assert_eq!(response.text("/error/message"), "not found", "{path}");
                assert!(!response.headers.contains_key("allow"), "{path}");
            }
        }
    }
}

#[actix_web::test]
async fn every_request_has_its_own_id_regardless_of_client_headers() {
    let app = TestApp::new().await;
    let sent = "01JTBQH2FZ8K1RXC0WJ4Z9P3VM";
    let mut seen = vec![sent.to_owned()];
    for path in [PATH, PATH, "/v1/nothing"] {
        let request = app.request(Method::GET, path).header("x-request-id", sent);
        let id = request.send().await.header("x-request-id").to_owned();
        assert!(!seen.contains(&id), "{path}: {id}");
        seen.push(id);
    }
}
