//! HEAD and OPTIONS on every path of both specs and on paths outside the specs.

use actix_web::http::Method;
use quietline::domain::actor::Role;
use quietline::domain::scope::Scope;
use serde_json::Value;
use strum::VariantArray as _;

use crate::support::TestApp;
use crate::support::response::Response;
use crate::support::spec;

/// Returns every path of both specs with its path item, ready for a request.
fn paths(app: &TestApp) -> Vec<(String, &'static Value)> {
    let specs = [&*spec::AGENT_MESSAGE, &*spec::TETHER];
    let items = specs
        .into_iter()
        .flat_map(|spec| spec["paths"].as_object().unwrap());
    items
        .map(|(template, item)| (filled(template, &app.org_id.to_string()), item))
        .collect()
}

/// Fills each parameter of a path with `id`.
fn filled(template: &str, id: &str) -> String {
    let segments = template.split('/').map(|segment| {
        let is_parameter = segment.starts_with('{');
        if is_parameter { id } else { segment }
    });
    segments.collect::<Vec<_>>().join("/")
}

/// Returns the methods of a path item, in capitals and sorted.
fn declared(item: &Value) -> String {
    let known = ["delete", "get", "patch", "post", "put"];
    let methods = known
        .into_iter()
        .filter(|method| item.get(method).is_some())
        .map(str::to_uppercase);
    methods.collect::<Vec<_>>().join(", ")
}

/// Returns the headers that are equal in all responses, as sorted text.
fn lasting_headers(response: &Response) -> Vec<String> {
    let mut headers: Vec<String> = response
        .headers
        .iter()
        .filter(|(name, _)| *name != "x-request-id")
        .map(|(name, value)| format!("{name}: {value:?}"))
        .collect();
    headers.sort();
    headers
}

async fn send(app: &TestApp, method: Method, path: &str) -> Response {
    app.request(method, path).send().await
}

#[actix_web::test]
async fn options_of_every_path_of_both_specs_lists_exactly_its_methods() {
    let app = TestApp::new().await;
    let paths = paths(&app);
    assert!(paths.len() >= 2);
    for (path, item) in paths {
        let response = send(&app, Method::OPTIONS, &path).await;
        assert_eq!((response.status, response.bytes.len()), (204, 0), "{path}");
        assert_eq!(response.header("allow"), declared(item), "{path}");
        let refused = send(&app, Method::TRACE, &path).await;
        assert_eq!(refused.status, 405, "{path}");
        assert_eq!(refused.header("allow"), declared(item), "{path}");
    }
}

/// RFC 9110, section 9.3.2: HEAD has the headers of GET.
#[actix_web::test]
async fn head_of_every_path_with_get_has_its_status_and_its_headers() {
    let app = TestApp::new().await;
    let key = app.api_key(Scope::VARIANTS).await;
    let token = app.jwt(Role::Admin);
    let mut seen = 0;
    for (path, item) in paths(&app) {
        if item.get("get").is_none() {
            let response = send(&app, Method::HEAD, &path).await;
            assert_eq!(response.status, 405, "{path}");
            continue;
        }
        let own = if path.starts_with("/api/") {
            &token
        } else {
            &key
        };
        // Use a valid and an invalid credential.
        for credential in [own.as_str(), "x"] {
            let get = app.get(&path, credential).await;
            let head = app.request(Method::HEAD, &path).bearer(credential);
            let head = head.send().await;
            assert_eq!(head.status, get.status, "{path}");
            assert_eq!(lasting_headers(&head), lasting_headers(&get), "{path}");
        }
        seen += 1;
    }
    assert!(seen >= 2);
}

#[actix_web::test]
async fn a_conditional_head_responds_as_the_conditional_get() {
    let app = TestApp::new().await;
    let key = app.api_key(&[Scope::OrgRead]).await;
    let path = "/v1/organization";
    let etag = app.get(path, &key).await.header("etag").to_owned();
    for (tag, status) in [(etag.as_str(), 304), ("\"other\"", 200)] {
        let head = app.request(Method::HEAD, path).bearer(&key);
        let head = head.header("if-none-match", tag).send().await;
        assert_eq!((head.status, head.header("etag")), (status, etag.as_str()));
    }
}

#[actix_web::test]
async fn a_failed_head_of_the_tether_dialect_has_the_error_of_get() {
    let app = TestApp::new().await;
    app.database
        .execute_unchecked("ALTER TABLE organizations RENAME TO elsewhere");
    let token = app.jwt(Role::Admin);
    for method in [Method::GET, Method::HEAD] {
        let request = app.request(method.clone(), &app.missed_call_path());
        let response = request.bearer(&token).send().await;
        assert_eq!(response.status, 500, "{method}");
        assert_eq!(response.text("/error"), "Failed to read configuration");
    }
}

#[actix_web::test]
async fn options_of_probes_documents_and_docs_page_lists_get_and_head() {
    let app = TestApp::new().await;
    for path in [
        "/healthz",
        "/readyz",
        "/docs",
        "/docs/",
        "/docs/index.css",
        "/openapi/agentmessage.json",
        "/openapi/tether-relay.yaml",
    ] {
        let response = send(&app, Method::OPTIONS, path).await;
        assert_eq!((response.status, response.bytes.len()), (204, 0), "{path}");
        assert_eq!(response.header("allow"), "GET, HEAD", "{path}");
        let (get, head) = (
            send(&app, Method::GET, path).await,
            send(&app, Method::HEAD, path).await,
        );
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(lasting_headers(&head), lasting_headers(&get), "{path}");
    }
}
