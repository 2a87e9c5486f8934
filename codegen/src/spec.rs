//! Reads a spec from YAML, and prepares it for the generator.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::unsupported::unsupported;
use crate::{Result, Tree};

pub(crate) const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];
/// Status, variant of the success type, and its name in `http::StatusCode`.
pub(crate) const SUCCESSES: [(&str, &str, &str); 4] = [
    ("200", "Ok", "OK"),
    ("201", "Created", "CREATED"),
    ("204", "NoContent", "NO_CONTENT"),
    ("304", "NotModified", "NOT_MODIFIED"),
];

pub(crate) type Object = Map<String, Value>;

/// Reads the specs among `inputs`, by module name.
///
/// # Errors
/// When a spec is not YAML, or for every feature that the templates cannot express.
pub fn read_specs(inputs: &Tree) -> Result<BTreeMap<String, Value>> {
    let mut specs = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, bytes) in inputs {
        let stem = name
            .strip_prefix("openapi/")
            .and_then(|name| name.strip_suffix(".yaml"));
        let is_spec = |stem: &&str| !stem.contains('/') && *stem != "generator";
        let Some(stem) = stem.filter(is_spec) else {
            continue;
        };
        let text = String::from_utf8_lossy(bytes);
        let spec: Value = serde_saphyr::from_str(&text)
            .map_err(|error| format!("{name} is not YAML: {error}"))?;
        // Collected over all specs, so that one build reports every problem.
        for problem in unsupported(&spec) {
            problems.push(format!(
                "{name}: {problem} is not supported by openapi/templates"
            ));
        }
        specs.insert(stem.replace('-', "_"), spec);
    }
    if problems.is_empty() {
        Ok(specs)
    } else {
        Err(problems.join("\n"))
    }
}

/// Returns the spec for the generator: without features that it would misread, and with vendor
/// extensions for facts that the templates need and the generator does not provide.
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
            // After `describe`, because the inlined schema takes over its documentation.
            inline_untyped(spec, property);
        }
    }
    made
}

fn prepare(spec: &Value, operation: &mut Object, has_shared_parameters: bool) {
    operation.insert("x-permission".to_owned(), json!(permission(operation)));
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

/// Returns the sentence of an operation's documentation that names its scope or role.
fn permission(operation: &Object) -> String {
    let requirement = operation.get("security").and_then(|all| all.get(0));
    let scopes: Vec<String> = members(requirement)
        .flat_map(|(_, scopes)| scopes.as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .map(|scope| format!("`{scope}`"))
        .collect();
    let role = operation.get("x-minimum-role").and_then(Value::as_str);
    match (scopes.as_slice(), role) {
        ([], None) if requirement.is_none() => "No credential.".to_owned(),
        ([], None) => "Any valid credential.".to_owned(),
        ([], Some(role)) => format!("Role: `{role}` or higher."),
        ([scope], None) => format!("Scope: {scope}."),
        (scopes, None) => format!("Scopes: {}.", scopes.join(", ")),
        (scopes, Some(role)) => {
            format!("Scopes: {}. Role: `{role}` or higher.", scopes.join(", "))
        }
    }
}

fn success(spec: &Value, response: &Value, variant: &str, constant: &str) -> Value {
    let mut response = resolve(spec, response).clone();
    let mut headers = Object::new();
    for (name, header) in members(response.get("headers")) {
        let header = resolve(spec, header);
        // The server sets these headers, so that no operation has to supply them.
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

/// Removes keywords that the generator would turn into needless types. Validation reads the spec
/// itself.
fn simplify(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    // A constant that is not a string would become an enum. Further properties would become a map.
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

/// Adds the description of a schema as a Rust literal, because the generator escapes differently.
fn describe(schema: &mut Value, extension: &str) {
    if let Some(description) = schema["description"].as_str() {
        schema[extension] = json!(format!("{description:?}"));
    }
}

/// Replaces a reference to a schema that does not become a type, such as a map, by that schema.
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

pub(crate) fn parameters<'a>(spec: &'a Value, holder: &'a Object) -> Vec<&'a Value> {
    let list = holder.get("parameters").and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .map(|parameter| resolve(spec, parameter))
        .collect()
}

/// Follows a reference within the spec.
pub(crate) fn resolve<'a>(spec: &'a Value, value: &'a Value) -> &'a Value {
    let target = value.get("$ref").and_then(Value::as_str);
    match target.and_then(|target| spec.pointer(target.strip_prefix('#')?)) {
        Some(target) => resolve(spec, target),
        None => value,
    }
}

pub(crate) fn members(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}

pub(crate) fn members_mut(
    value: Option<&mut Value>,
) -> impl Iterator<Item = (&String, &mut Value)> {
    value.and_then(Value::as_object_mut).into_iter().flatten()
}
