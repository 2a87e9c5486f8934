//! Checks responses against the spec: the status, the headers and the schema of the body.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use actix_web::http::Method;
use jsonschema::Validator;
use quietline_api::{agentmessage, tether_relay};
use serde_json::{Value, json};

use super::response::Response;

/// AgentMessage spec.
pub static AGENT_MESSAGE: LazyLock<Value> = LazyLock::new(|| read(agentmessage::SPEC_JSON));

/// Tether spec.
pub static TETHER: LazyLock<Value> = LazyLock::new(|| read(tether_relay::SPEC_JSON));

fn read(text: &str) -> Value {
    serde_json::from_str(text).expect("the generated crate holds JSON")
}

/// Panics unless the spec documents this response. Ignores paths outside the specs.
pub fn check(method: &Method, path: &str, response: &Response) {
    check_headers_of_every_response(response);
    let Some((spec, template)) = find(path) else {
        return;
    };
    let item = &spec["paths"][template];
    let method = match *method {
        // The server responds to OPTIONS on every path itself, without a body.
        Method::OPTIONS => {
            assert_eq!(
                (response.status, response.bytes.len()),
                (204, 0),
                "{response:?}"
            );
            return;
        }
        // The connection omits the body of a HEAD response, the application does not.
        Method::HEAD => "get".to_owned(),
        _ => method.as_str().to_ascii_lowercase(),
    };
    let operation = match item.get(&method) {
        Some(operation) => operation,
        // The path does not have this method. Every operation of the path documents the 405.
        None => (item.as_object().expect("a path item").values().next())
            .unwrap_or_else(|| panic!("{template} has no operation")),
    };
    let status = response.status.to_string();
    let documented = resolve(spec, &operation["responses"][&status]);
    assert!(
        documented.is_object(),
        "{method} {path}: {status} is not documented: {response:?}"
    );
    check_headers(spec, documented, response);
    match documented.pointer("/content/application~1json/schema") {
        None => assert!(
            response.bytes.is_empty(),
            "{status} has no body: {response:?}"
        ),
        Some(schema) => check_body(spec, schema, response),
    }
}

fn check_headers_of_every_response(response: &Response) {
    assert_eq!(response.header("x-request-id").len(), 26, "a ULID");
    assert_eq!(response.header("x-content-type-options"), "nosniff");
    let policy = response.header("content-security-policy");
    let is_strict = policy.starts_with("default-src 'none'; ");
    assert!(
        is_strict && policy.ends_with("frame-ancestors 'none'"),
        "{policy}"
    );
    assert!(!response.headers.contains_key("server"), "{response:?}");
}

fn find(path: &str) -> Option<(&'static Value, &'static str)> {
    [&*AGENT_MESSAGE, &*TETHER].into_iter().find_map(|spec| {
        let paths = spec["paths"].as_object().expect("paths");
        let template = paths.keys().find(|template| matches(template, path))?;
        Some((spec, template.as_str()))
    })
}

fn matches(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) =
        (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(&path).all(|(wanted, given)| {
            wanted == given || (wanted.starts_with('{') && !given.is_empty())
        })
}

/// Resolves a local `$ref`.
pub fn resolve<'a>(spec: &'a Value, node: &'a Value) -> &'a Value {
    match node["$ref"].as_str() {
        Some(target) => spec
            .pointer(&target[1..])
            .unwrap_or_else(|| panic!("{target} leads nowhere")),
        None => node,
    }
}

fn check_headers(spec: &Value, documented: &Value, response: &Response) {
    for (name, header) in documented["headers"].as_object().into_iter().flatten() {
        let header = resolve(spec, header);
        if header["required"] == true {
            response.header(name);
        }
        let Some(value) = response.headers.get(name) else {
            continue;
        };
        let text = value.to_str().expect("visible ASCII");
        let value = match header["schema"]["type"].as_str() {
            Some("integer") => json!(text.parse::<i64>().expect("an integer header")),
            _ => json!(text),
        };
        assert_fits(&validator(spec, &header["schema"]), &value, name);
    }
}

fn check_body(spec: &Value, schema: &Value, response: &Response) {
    assert_eq!(response.header("content-type"), "application/json");
    assert_fits(&validator(spec, schema), &response.json(), "the body");
}

fn assert_fits(validator: &Validator, value: &Value, what: &str) {
    let faults: Vec<String> = validator
        .iter_errors(value)
        .map(|fault| fault.to_string())
        .collect();
    assert!(
        faults.is_empty(),
        "{what} does not fit its schema: {faults:?}: {value}"
    );
}

/// Compiles a validator of `schema` that checks formats. Each schema is compiled once.
fn validator(spec: &Value, schema: &Value) -> std::sync::Arc<Validator> {
    static COMPILED: LazyLock<Mutex<HashMap<String, std::sync::Arc<Validator>>>> =
        LazyLock::new(Mutex::default);
    let key = format!("{}{schema}", spec["info"]["title"]);
    let mut compiled = COMPILED.lock().unwrap();
    let made = compiled.entry(key).or_insert_with(|| {
        let mut document = schema.clone();
        document["components"] = spec["components"].clone();
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        std::sync::Arc::new(options.build(&document).expect("a schema that compiles"))
    });
    made.clone()
}
