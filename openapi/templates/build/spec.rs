//! What build.rs knows of OpenAPI: what the templates cannot express, and how a spec is prepared
//! for the generator. Part of build.rs; kept beside the templates because it changes with them.

use serde_json::{Map, Value, json};

mod document;
mod unsupported;

pub use unsupported::unsupported;

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];
/// Status, variant of the success type, and its name in `http::StatusCode`.
const SUCCESSES: [(&str, &str, &str); 4] = [
    ("200", "Ok", "OK"),
    ("201", "Created", "CREATED"),
    ("204", "NoContent", "NO_CONTENT"),
    ("304", "NotModified", "NOT_MODIFIED"),
];

type Object = Map<String, Value>;

/// The spec as the generator gets it: what it would misread is taken out, and what the templates
/// need but the generator does not tell is added as vendor extensions.
pub fn for_generator(spec: &Value) -> Value {
    let mut made = spec.clone();
    for (_, item) in members_mut(made.get_mut("paths")) {
        let is_shared = item.get("parameters").is_some();
        for method in METHODS {
            if let Some(operation) = item.get_mut(method).and_then(Value::as_object_mut) {
                prepare(spec, operation, is_shared);
            }
        }
    }
    for (_, schema) in members_mut(made.pointer_mut("/components/schemas")) {
        simplify(schema);
    }
    document::prepare(spec, &mut made);
    made
}

fn prepare(spec: &Value, operation: &mut Object, has_shared_parameters: bool) {
    if has_shared_parameters || operation.contains_key("parameters") {
        operation.insert("x-has-parameters".to_owned(), json!(true));
    }
    for (status, response) in members_mut(operation.get_mut("responses")) {
        *response = match SUCCESSES.iter().find(|(code, ..)| code == status) {
            Some((_, variant, constant)) => success(spec, response, variant, constant),
            // The templates use the status of a failure and nothing else.
            None => json!({"description": "A failure."}),
        };
    }
}

fn success(spec: &Value, response: &Value, variant: &str, constant: &str) -> Value {
    let mut response = resolve(spec, response).clone();
    let mut headers = Object::new();
    for (name, header) in members(response.get("headers")) {
        let header = resolve(spec, header);
        if header["x-set-by-server"] != true {
            let mut header = header.clone();
            let schema = resolve(spec, &header["schema"]).clone();
            header["schema"] = json!({
                "type": schema["type"],
                "x-field": name.to_ascii_lowercase().replace('-', "_"),
            });
            if let Some(format) = schema.get("format") {
                header["schema"]["format"] = format.clone();
            }
            headers.insert(name.clone(), header);
        }
    }
    let has_fields = !headers.is_empty() || response.get("content").is_some();
    response["headers"] = Value::Object(headers);
    response["x-variant"] = json!(variant);
    response["x-status"] = json!(constant);
    if has_fields {
        response["x-has-fields"] = json!(true);
    }
    response
}

/// Takes out what the generator would turn into needless types; validation reads the spec itself.
fn simplify(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    // A constant that is no string would become an enum; further properties, a map of their own.
    if object
        .get("const")
        .is_some_and(|constant| !constant.is_string())
    {
        object.remove("const");
    }
    if object.get("properties").is_some() {
        object.remove("additionalProperties");
    }
    for (_, property) in members_mut(object.get_mut("properties")) {
        simplify(property);
    }
    for inner in ["items", "additionalProperties"] {
        object.get_mut(inner).map(simplify);
    }
}

fn parameters<'a>(spec: &'a Value, holder: &'a Object) -> Vec<&'a Value> {
    let list = holder.get("parameters").and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .map(|parameter| resolve(spec, parameter))
        .collect()
}

/// Follows a reference within the spec.
fn resolve<'a>(spec: &'a Value, value: &'a Value) -> &'a Value {
    let target = value.get("$ref").and_then(Value::as_str);
    match target.and_then(|target| spec.pointer(target.strip_prefix('#')?)) {
        Some(target) => resolve(spec, target),
        None => value,
    }
}

fn members(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}

fn members_mut(value: Option<&mut Value>) -> impl Iterator<Item = (&String, &mut Value)> {
    value.and_then(Value::as_object_mut).into_iter().flatten()
}
