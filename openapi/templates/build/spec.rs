//! What build.rs knows of OpenAPI: what the templates cannot express, and how a spec is prepared
//! for the generator. Part of build.rs; kept beside the templates because it changes with them.

use serde_json::{Map, Value, json};

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
        describe(schema, "x-doc");
        for (_, property) in members_mut(schema.get_mut("properties")) {
            describe(property, "x-property-doc");
            inline_untyped(spec, property);
        }
    }
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

/// Adds the description of a schema as a Rust literal; the generator escapes it in its own way.
fn describe(schema: &mut Value, extension: &str) {
    if let Some(description) = schema["description"].as_str() {
        schema[extension] = json!(format!("{description:?}"));
    }
}

/// Replaces a reference to a schema that becomes no type of its own, such as a map, by that schema.
fn inline_untyped(spec: &Value, property: &mut Value) {
    let target = resolve(spec, property);
    let has_type = target.get("properties").is_some() || target.get("enum").is_some();
    if property.get("$ref").is_some() && !has_type {
        let mut inlined = target.clone();
        if let Some(documentation) = property.get("x-property-doc") {
            inlined["x-property-doc"] = documentation.clone();
        }
        *property = inlined;
    }
}

/// Members of the document that hold values or names of the API and no keywords of OpenAPI.
const VALUES: [&str; 5] = ["const", "default", "enum", "example", "examples"];
const NAMED: [&str; 9] = [
    "content",
    "headers",
    "parameters",
    "paths",
    "properties",
    "requestBodies",
    "responses",
    "schemas",
    "securitySchemes",
];

/// The spec in OpenAPI 3.1, whose schemas are JSON Schema: `nullable` becomes a second type.
pub fn to_3_1(spec: &Value) -> Value {
    let mut made = spec.clone();
    let is_3_0 = |version: &str| version.starts_with("3.0.");
    if made["openapi"].as_str().is_some_and(is_3_0) {
        made["openapi"] = json!("3.1.0");
        allow_null(&mut made);
    }
    made
}

fn allow_null(node: &mut Value) {
    match node {
        Value::Object(object) => {
            if object.get("nullable") == Some(&json!(true)) {
                add_null(object);
            }
            object.retain(|key, value| key != "nullable" || !value.is_boolean());
            for (key, child) in object {
                if NAMED.contains(&key.as_str()) && child.is_object() {
                    members_mut(Some(child)).for_each(|(_, named)| allow_null(named));
                } else if !VALUES.contains(&key.as_str()) && !key.starts_with("x-") {
                    allow_null(child);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(allow_null),
        _ => {}
    }
}

fn add_null(schema: &mut Object) {
    if let Some(kind) = schema.get_mut("type").filter(|kind| kind.is_string()) {
        *kind = json!([kind.take(), "null"]);
    }
    if let Some(options) = schema.get_mut("enum").and_then(Value::as_array_mut)
        && !options.contains(&Value::Null)
    {
        options.push(Value::Null);
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
