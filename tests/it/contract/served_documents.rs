//! What `/openapi` serves is what `openapi/*.yaml` says.
//!
//! The served document is built by utoipa from the generated code, the YAML is what that code was
//! generated from. They are compared as JSON values, so the order of keys does not count, after
//! this normalisation of the YAML, and none of what is served:
//!
//! 1. `openapi: 3.0.3` reads `openapi: 3.1.0`, because utoipa writes 3.1 and nothing older.
//! 2. `nullable: true` beside `type: T` reads `type: [T, 'null']`, as 3.1 has it.
//!
//! AgentMessage's document is 3.1.0 already, and the normalisation changes nothing of it. Then each
//! single value of each YAML is changed, and each key and entry removed: none may go unnoticed. As
//! nothing of the served side is normalised, a change there is noticed by the comparison itself.

use actix_web::http::Method;
use quietline::http::Options;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::response::Response;

const AGENT_MESSAGE: (&str, &str) = (
    "/openapi/agentmessage",
    include_str!("../../../openapi/agentmessage.yaml"),
);
const TETHER: (&str, &str) = (
    "/openapi/tether-relay",
    include_str!("../../../openapi/tether-relay.yaml"),
);

/// The fewest places that a sweep has to visit; both documents have more.
const MIN_PLACES: usize = 300;

fn parse(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).expect("YAML")
}

fn normalised(mut document: Value) -> Value {
    if document["openapi"] == "3.0.3" {
        document["openapi"] = json!("3.1.0");
    }
    with_null_types(&mut document);
    document
}

fn with_null_types(node: &mut Value) {
    match node {
        Value::Object(map) => {
            if map.get("nullable") == Some(&json!(true))
                && let Some(kind) = map.get("type").filter(|kind| kind.is_string())
            {
                let both = json!([kind, "null"]);
                map.insert("type".to_owned(), both);
                map.remove("nullable");
            }
            map.values_mut().for_each(with_null_types);
        }
        Value::Array(items) => items.iter_mut().for_each(with_null_types),
        _ => {}
    }
}

async fn get(app: &TestApp, path: &str) -> Response {
    app.request(Method::GET, path).send().await
}

async fn served(app: &TestApp, path: &str) -> Value {
    get(app, &format!("{path}.json")).await.json()
}

/// The place of every value below `node`, as JSON pointers.
fn places(node: &Value, place: &str, found: &mut Vec<String>) {
    let mut child = |name: &str, value: &Value| {
        let place = format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"));
        places(value, &place, found);
        found.push(place);
    };
    match node {
        Value::Object(map) => map.iter().for_each(|(name, value)| child(name, value)),
        Value::Array(items) => (0..).zip(items).for_each(|(at, value): (usize, _)| {
            child(&at.to_string(), value);
        }),
        _ => {}
    }
}

/// Something else of the same kind; `None` for what is not a single value.
fn changed(value: &Value) -> Option<Value> {
    match value {
        Value::Null => Some(json!("null")),
        Value::Bool(flag) => Some(json!(!flag)),
        Value::Number(number) => Some(json!(number.as_f64().expect("a number") + 1.0)),
        Value::String(text) => Some(json!(format!("{text}x"))),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn without(document: &Value, place: &str) -> Value {
    let mut document = document.clone();
    let (parent, name) = place.rsplit_once('/').expect("a place below the root");
    let name = name.replace("~1", "/").replace("~0", "~");
    match document.pointer_mut(parent) {
        Some(Value::Object(map)) => drop(map.remove(&name)),
        Some(Value::Array(items)) => drop(items.remove(name.parse().expect("an index"))),
        _ => panic!("{place}: no such place"),
    }
    document
}

/// Every change of one place that would go unnoticed.
fn unnoticed(yaml: &Value, served: &Value) -> Vec<String> {
    let mut found = Vec::new();
    places(yaml, "", &mut found);
    assert!(found.len() > MIN_PLACES, "{} places", found.len());
    let mut unnoticed = Vec::new();
    for place in found {
        if normalised(without(yaml, &place)) == *served {
            unnoticed.push(format!("{place} removed"));
        }
        let value = yaml.pointer(&place).expect("a place of this document");
        if let Some(changed) = changed(value) {
            let mut mutant = yaml.clone();
            *mutant.pointer_mut(&place).expect("the same place") = changed;
            if normalised(mutant) == *served {
                unnoticed.push(format!("{place} changed"));
            }
        }
    }
    unnoticed
}

/// The first places where the two differ, for a message that one can read.
fn differences(left: &Value, right: &Value) -> Vec<String> {
    let mut all = Vec::new();
    places(left, "", &mut all);
    places(right, "", &mut all);
    all.retain(|place| left.pointer(place) != right.pointer(place));
    all.sort();
    all.dedup();
    let shown = |place: &String| {
        let (left, right) = (left.pointer(place), right.pointer(place));
        format!("{place}: served {left:?}, YAML {right:?}")
    };
    let is_deepest = |place: &&String| !all.iter().any(|p| p.starts_with(&format!("{place}/")));
    all.iter().filter(is_deepest).map(shown).collect()
}

#[actix_web::test]
async fn each_document_is_its_yaml() {
    let app = TestApp::new().await;
    for (path, yaml) in [AGENT_MESSAGE, TETHER] {
        let (served, wanted) = (served(&app, path).await, normalised(parse(yaml)));
        let differences = differences(&served, &wanted);
        assert!(differences.is_empty(), "{path}: {differences:#?}");
        assert_eq!(served, wanted, "{path}");
    }
}

#[test]
fn the_normalisation_changes_nothing_of_a_document_in_3_1() {
    let document = parse(AGENT_MESSAGE.1);
    assert_eq!(normalised(document.clone()), document);
}

#[actix_web::test]
async fn any_change_of_the_agentmessage_document_is_noticed() {
    let app = TestApp::new().await;
    let served = served(&app, AGENT_MESSAGE.0).await;
    let unnoticed = unnoticed(&parse(AGENT_MESSAGE.1), &served);
    assert!(unnoticed.is_empty(), "{unnoticed:#?}");
}

#[actix_web::test]
async fn any_change_of_the_tether_document_is_noticed() {
    let app = TestApp::new().await;
    let served = served(&app, TETHER.0).await;
    let unnoticed = unnoticed(&parse(TETHER.1), &served);
    assert!(unnoticed.is_empty(), "{unnoticed:#?}");
}

#[actix_web::test]
async fn the_yaml_form_is_the_same_document() {
    let app = TestApp::new().await;
    for (path, _) in [AGENT_MESSAGE, TETHER] {
        let json = get(&app, &format!("{path}.json")).await;
        let yaml = get(&app, &format!("{path}.yaml")).await;
        assert_eq!((json.status, yaml.status), (200, 200));
        assert_eq!(json.header("content-type"), "application/json");
        assert_eq!(yaml.header("content-type"), "application/yaml");
        let text = std::str::from_utf8(&yaml.bytes).expect("UTF-8");
        assert_eq!(parse(text), json.json(), "{path}");
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
async fn documents_and_page_are_only_read() {
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
async fn nothing_of_it_is_served_when_it_is_switched_off() {
    let app = TestApp {
        options: Options {
            has_docs: false,
            ..Options::default()
        },
        ..TestApp::new().await
    };
    for path in [
        "/docs",
        "/docs/",
        "/docs/swagger-ui.css",
        "/openapi/agentmessage.json",
    ] {
        let answer = get(&app, path).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "NOT_FOUND"));
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}
