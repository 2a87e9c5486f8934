//! Turns OpenAPI 3.0 into 3.1 (<https://spec.openapis.org/oas/v3.1.0>), whose schemas are JSON
//! Schema. The server validates with the result, and serves it.

use serde_json::{Value, json};

use crate::spec::{Object, members_mut};

/// Members that contain values of the API, not keywords of OpenAPI.
const VALUES: [&str; 5] = ["const", "default", "enum", "example", "examples"];
/// Members whose own keys are names.
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

/// Returns `spec` in OpenAPI 3.1: `nullable: true` becomes a second type. A spec in 3.1 stays as it
/// is.
pub fn to_3_1(spec: &Value) -> Value {
    let mut made = spec.clone();
    let is_3_0 = |version: &str| version.starts_with("3.0.");
    if made["openapi"].as_str().is_some_and(is_3_0) {
        made["openapi"] = json!("3.1.0");
        upgrade(&mut made);
    }
    made
}

fn upgrade(node: &mut Value) {
    match node {
        Value::Object(object) => {
            if object.get("nullable") == Some(&json!(true)) {
                add_null(object);
            }
            // Unlike `remove`, this keeps the order of the other members.
            object.retain(|key, value| key != "nullable" || !value.is_boolean());
            for (key, child) in object {
                // A property may itself be called `nullable` or `example`.
                if NAMED.contains(&key.as_str()) && child.is_object() {
                    members_mut(Some(child)).for_each(|(_, named)| upgrade(named));
                } else if !VALUES.contains(&key.as_str()) && !key.starts_with("x-") {
                    upgrade(child);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(upgrade),
        _ => {}
    }
}

fn add_null(schema: &mut Object) {
    if let Some(kind) = schema.get_mut("type").filter(|kind| kind.is_string()) {
        *kind = json!([kind.take(), "null"]);
    }
    // JSON Schema checks `enum` besides `type`, so that null would still be refused.
    if let Some(options) = schema.get_mut("enum").and_then(Value::as_array_mut)
        && !options.contains(&Value::Null)
    {
        options.push(Value::Null);
    }
}
