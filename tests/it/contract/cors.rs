//! CORS: the pages of other origins that may read responses.

use actix_web::http::Method;
use quietline::domain::actor::Role;
use quietline::domain::scope::Scope;
use quietline::http::Options;
use quietline_api::{agentmessage, tether_relay};
use strum::VariantArray as _;

use crate::support::TestApp;
use crate::support::response::Response;

const LISTED: &str = "https://app.example.com";
const OTHER: &str = "https://evil.example.com";
const PATH: &str = "/v1/organization";

async fn open() -> TestApp {
    TestApp {
        options: Options {
            cors_origins: vec!["http://localhost:5173".to_owned(), LISTED.to_owned()],
            ..Options::default()
        },
        ..TestApp::new().await
    }
}

async fn preflight(app: &TestApp, path: &str, origin: &str, method: &str) -> Response {
    app.request(Method::OPTIONS, path)
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", "authorization,if-match")
        .send()
        .await
}

fn cors_headers(response: &Response) -> Vec<&str> {
    let names = response.headers.keys().map(|name| name.as_str());
    names
        .filter(|name| name.starts_with("access-control-"))
        .collect()
}

/// Returns `(path, credential)` for responses of all kinds.
async fn requests(app: &TestApp) -> Vec<(String, String)> {
    let (key, token) = (app.api_key(Scope::VARIANTS).await, app.jwt(Role::SalesRep));
    vec![
        (PATH.to_owned(), key.clone()),
        (PATH.to_owned(), "x".to_owned()),
        (app.missed_call_path(), token),
        ("/v1/nothing".to_owned(), key.clone()),
        ("/api/nothing".to_owned(), key),
        ("/healthz".to_owned(), "x".to_owned()),
        ("/openapi/agentmessage.json".to_owned(), "x".to_owned()),
    ]
}

#[actix_web::test]
async fn without_a_list_there_are_no_cors_headers() {
    let app = TestApp::new().await;
    for (path, credential) in requests(&app).await {
        let request = app.request(Method::GET, &path).bearer(&credential);
        let response = request.header("origin", LISTED).send().await;
        assert_eq!(cors_headers(&response), [""; 0], "{path}");
        assert!(!response.headers.contains_key("vary"), "{path}");
    }
    let response = preflight(&app, PATH, LISTED, "PATCH").await;
    assert_eq!(
        (response.status, response.header("allow")),
        (204, "GET, PATCH")
    );
    assert_eq!(cors_headers(&response), [""; 0]);
}

#[actix_web::test]
async fn a_listed_origin_may_read_every_response_including_errors() {
    let app = open().await;
    for (path, credential) in requests(&app).await {
        let plain = app.request(Method::GET, &path).bearer(&credential);
        let plain = plain.send().await;
        for method in [Method::GET, Method::HEAD, Method::TRACE] {
            let request = app.request(method.clone(), &path).bearer(&credential);
            let response = request.header("origin", LISTED).send().await;
            assert_eq!(response.header("access-control-allow-origin"), LISTED);
            assert_eq!(
                response.header("access-control-expose-headers"),
                "ETag, X-Request-Id, Retry-After, RateLimit, RateLimit-Policy, Idempotent-Replayed",
            );
            assert_eq!(cors_headers(&response).len(), 2, "{method} {path}");
            assert_eq!(response.header("vary"), "Origin", "{method} {path}");
            if method == Method::GET {
                assert_eq!(response.status, plain.status, "{path}");
            }
        }
        assert_eq!(plain.header("vary"), "Origin", "{path}");
        assert_eq!(cors_headers(&plain), [""; 0], "{path}");
    }
}

#[actix_web::test]
async fn a_preflight_of_a_listed_origin_gets_the_methods_and_headers_of_any_path() {
    let app = open().await;
    for path in [PATH, &app.missed_call_path(), "/v1/nothing", "/healthz"] {
        let response = preflight(&app, path, LISTED, "PATCH").await;
        assert_eq!((response.status, response.bytes.len()), (204, 0), "{path}");
        assert_eq!(response.header("access-control-allow-origin"), LISTED);
        let methods = response.header("access-control-allow-methods");
        for operations in [
            agentmessage::api::operations::ALL,
            tether_relay::api::operations::ALL,
        ] {
            let has = |method: &str| methods.split(", ").any(|allowed| allowed == method);
            assert!(operations.iter().all(|operation| has(operation.method)));
        }
        assert_eq!(
            response.header("access-control-allow-headers"),
            "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key",
        );
        assert_eq!(response.header("access-control-max-age"), "600");
        assert_eq!(cors_headers(&response).len(), 4, "no credentials: {path}");
        assert_eq!(response.header("vary"), "Origin");
    }
}

#[actix_web::test]
async fn an_unlisted_origin_is_served_as_without_a_list() {
    let app = open().await;
    let origins = [
        OTHER,
        "null",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com.evil.example",
        "HTTPS://APP.EXAMPLE.COM",
        "https://app.example.com, https://evil.example.com",
        "",
    ];
    for (path, credential) in requests(&app).await {
        let plain = app.request(Method::GET, &path).bearer(&credential);
        let plain = plain.send().await;
        for origin in origins {
            let request = app.request(Method::GET, &path).bearer(&credential);
            let response = request.header("origin", origin).send().await;
            assert_eq!(response.status, plain.status, "{origin} {path}");
            assert_eq!(cors_headers(&response), [""; 0], "{origin} {path}");
        }
    }
    let response = preflight(&app, PATH, OTHER, "PATCH").await;
    assert_eq!(
        (response.status, response.header("allow")),
        (204, "GET, PATCH")
    );
    assert_eq!(cors_headers(&response), [""; 0]);
    let response = preflight(&app, "/v1/nothing", OTHER, "PATCH").await;
    assert_eq!(response.code(), "NOT_FOUND");
    let two = app.request(Method::GET, PATH).header("origin", LISTED);
    let two = two.header("origin", OTHER).send().await;
    assert_eq!((two.status, cors_headers(&two).len()), (401, 0));
}

#[actix_web::test]
async fn a_preflight_for_another_method_gets_the_allowed_methods() {
    let app = open().await;
    for method in ["TRACE", "x y", ""] {
        let response = preflight(&app, PATH, LISTED, method).await;
        assert_eq!(response.status, 204, "{method}");
        let methods = response.header("access-control-allow-methods");
        assert!(!methods.contains("TRACE"), "{methods}");
    }
    let options = app.request(Method::OPTIONS, PATH).header("origin", LISTED);
    let options = options.send().await;
    assert_eq!(
        options.header("allow"),
        "GET, PATCH",
        "OPTIONS without preflight headers"
    );
}
