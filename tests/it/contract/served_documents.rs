//! `/openapi` serves the specs of the program, and `/docs` a page that shows them.
//!
//! `generated_is_current` proves that the specs are the YAML of the repository.

use actix_web::http::Method;
use quietline::http::Options;
use quietline_api::{agentmessage, tether_relay};
use serde_json::Value;

use crate::support::TestApp;
use crate::support::response::Response;

const DOCUMENTS: [(&str, &str); 2] = [
    ("/openapi/agentmessage", agentmessage::SPEC_JSON),
    ("/openapi/tether-relay", tether_relay::SPEC_JSON),
];

async fn get(app: &TestApp, path: &str) -> Response {
    app.request(Method::GET, path).send().await
}

#[actix_web::test]
async fn each_document_is_the_spec_byte_for_byte() {
    let app = TestApp::new().await;
    for (path, spec) in DOCUMENTS {
        let json = get(&app, &format!("{path}.json")).await;
        assert_eq!(json.status, 200);
        assert_eq!(json.header("content-type"), "application/json");
        assert!(json.bytes == spec.as_bytes(), "{path}");
    }
}

#[actix_web::test]
async fn the_yaml_form_is_the_same_document() {
    let app = TestApp::new().await;
    for (path, spec) in DOCUMENTS {
        let yaml = get(&app, &format!("{path}.yaml")).await;
        assert_eq!(yaml.status, 200);
        assert_eq!(yaml.header("content-type"), "application/yaml");
        let text = std::str::from_utf8(&yaml.bytes).expect("UTF-8");
        let yaml: Value = serde_saphyr::from_str(text).expect("YAML");
        assert!(
            yaml == serde_json::from_str::<Value>(spec).unwrap(),
            "{path}"
        );
    }
}

#[actix_web::test]
async fn a_document_is_fetched_again_only_when_it_has_changed() {
    let app = TestApp::new().await;
    for path in ["/openapi/agentmessage.json", "/docs/"] {
        let first = get(&app, path).await;
        assert_eq!(first.header("cache-control"), "no-cache");
        let tag = first.header("etag");
        for sent in [tag, &format!("\"other\", W/{tag}"), "*"] {
            let request = app.request(Method::GET, path);
            let again = request.header("If-None-Match", sent).send().await;
            assert_eq!((again.status, again.bytes.len()), (304, 0), "{sent}");
            assert_eq!(again.header("etag"), tag);
        }
        let request = app.request(Method::GET, path);
        let changed = request.header("If-None-Match", "\"other\"").send().await;
        assert_eq!((changed.status, &changed.bytes), (200, &first.bytes));
    }
}

#[actix_web::test]
async fn if_match_with_another_tag_is_412() {
    let app = TestApp::new().await;
    for path in ["/openapi/agentmessage.json", "/docs/"] {
        let tag = get(&app, path).await.header("etag").to_owned();
        for (sent, status) in [
            (tag.as_str(), 200),
            ("*", 200),
            ("\"other\"", 412),
            (&format!("W/{tag}"), 412),
            ("other", 412),
        ] {
            let request = app.request(Method::GET, path).header("If-Match", sent);
            assert_eq!(request.send().await.status, status, "{path} {sent}");
        }
    }
}

#[actix_web::test]
async fn the_page_is_served_with_all_its_files_and_a_policy() {
    let app = TestApp::new().await;
    let page = get(&app, "/docs/").await;
    let html = String::from_utf8(page.bytes.to_vec()).expect("UTF-8");
    let mut files = 0;
    for (attribute, kind) in [("src=\"", "script"), ("href=\"", "")] {
        for part in html.split(attribute).skip(1) {
            let name = part.split('"').next().expect("a value");
            let file = get(&app, &format!("/docs/{name}")).await;
            assert_eq!(file.status, 200, "{name}");
            assert!(file.header("content-type").contains(kind), "{name}");
            assert!(!file.bytes.is_empty(), "{name}");
            files += 1;
        }
    }
    assert_eq!(files, 6);
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"));
    for weak in ["http", "*", "unsafe"] {
        assert!(!policy.contains(weak), "{policy}");
    }
    let moved = get(&app, "/docs").await;
    assert_eq!((moved.status, moved.header("location")), (307, "docs/"));
}

#[actix_web::test]
async fn only_get_and_head_are_allowed_on_documents_and_docs_page() {
    let app = TestApp::new().await;
    for path in [
        "/openapi/agentmessage.json",
        "/openapi/tether-relay.yaml",
        "/docs",
        "/docs/",
    ] {
        let head = app.request(Method::HEAD, path).send().await;
        assert_eq!(head.status, get(&app, path).await.status);
        let posted = app.request(Method::POST, path).send().await;
        assert_eq!((posted.status, posted.header("allow")), (405, "GET, HEAD"));
        assert_eq!(posted.code(), "METHOD_NOT_ALLOWED");
    }
    for path in [
        "/openapi",
        "/openapi/other.json",
        "/docs/index.html",
        "/docs/../Cargo.toml",
    ] {
        assert_eq!(get(&app, path).await.status, 404, "{path}");
    }
}

#[actix_web::test]
async fn documents_and_docs_page_are_not_served_when_disabled() {
    let app = TestApp {
        options: Options::default(),
        ..TestApp::new().await
    };
    for path in [
        "/docs",
        "/docs/",
        "/docs/swagger-ui.css",
        "/openapi/agentmessage.json",
    ] {
        let response = app.request(Method::GET, path).send().await;
        assert_eq!(
            (response.status, response.code().as_str()),
            (404, "NOT_FOUND")
        );
        assert_eq!(response.header("cache-control"), "no-store");
    }
}
