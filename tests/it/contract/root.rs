//! `/`: the responses to browsers and programs, with the docs and without.

use actix_web::http::Method;
use quietline::http::Options;

use crate::support::TestApp;
use crate::support::response::Response;

const OF_A_BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

async fn get(app: &TestApp, accept: &str) -> Response {
    let request = app.request(Method::GET, "/").header("accept", accept);
    request.send().await
}

/// Returns the paths that the description links to.
fn links(description: &Response) -> Vec<String> {
    let links = &description.json()["links"];
    let named = links.as_object().unwrap().values();
    let texts = named.flat_map(|link| match link.as_array() {
        Some(several) => several.clone(),
        None => vec![link.clone()],
    });
    texts
        .map(|link| format!("/{}", link.as_str().unwrap()))
        .collect()
}

#[actix_web::test]
async fn a_browser_is_redirected_to_the_docs_page() {
    let app = TestApp::new().await;
    for accept in [
        OF_A_BROWSER,
        "text/html",
        "application/json;q=0.9, text/html",
    ] {
        let response = get(&app, accept).await;
        let place = (response.status, response.header("location"));
        assert_eq!(place, (307, "docs/"), "{accept}");
        assert_eq!(response.header("vary"), "Accept", "{accept}");
        assert!(response.bytes.is_empty(), "{accept}");
    }
}

#[actix_web::test]
async fn a_program_gets_a_description_of_the_server_with_valid_links() {
    let app = TestApp::new().await;
    let without = app.request(Method::GET, "/").send().await;
    for accept in [
        "*/*",
        "application/json",
        "text/*",
        "text/html;q=0",
        "application/json, text/html;q=0.9",
        "application/json, text/html",
        "no media type",
    ] {
        let response = get(&app, accept).await;
        assert_eq!((response.status, &response.bytes), (200, &without.bytes));
        assert_eq!(response.header("vary"), "Accept", "{accept}");
        assert_eq!(response.header("content-type"), "application/json");
    }
    let body = without.json();
    assert_eq!(body["name"], "quietline");
    assert_eq!(body["version"], env!("CARGO_PKG_VERSION"));
    let links = links(&without);
    assert_eq!(links.len(), 5);
    for link in links {
        let linked = app.request(Method::GET, &link).send().await;
        assert_eq!(linked.status, 200, "{link}");
    }
}

#[actix_web::test]
async fn only_get_and_head_are_allowed_on_the_root() {
    let app = TestApp::new().await;
    for (accept, status) in [(OF_A_BROWSER, 307), ("*/*", 200)] {
        let head = app.request(Method::HEAD, "/").header("accept", accept);
        let head = head.send().await;
        assert_eq!((head.status, head.header("vary")), (status, "Accept"));
    }
    let options = app.request(Method::OPTIONS, "/").send().await;
    let allowed = (options.status, options.header("allow"));
    assert_eq!(allowed, (204, "GET, HEAD"));
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let refused = app.request(method, "/").send().await;
        let allowed = (refused.status, refused.header("allow"));
        assert_eq!(allowed, (405, "GET, HEAD"));
        assert_eq!(refused.code(), "METHOD_NOT_ALLOWED");
    }
}

#[actix_web::test]
async fn without_the_docs_a_browser_gets_the_description_too() {
    let app = TestApp {
        options: Options::default(),
        ..TestApp::new().await
    };
    let browser = get(&app, OF_A_BROWSER).await;
    assert_eq!(browser.status, 200);
    assert_eq!(browser.bytes, get(&app, "*/*").await.bytes);
    assert_eq!(links(&browser), ["/healthz", "/readyz"]);
}
