//! Finds features that the templates cannot express. Refuses everything that is not known to work,
//! so that a spec is never served in part. A table in `tests/unsupported.rs` has a row per refusal.

use serde_json::Value;

use crate::spec::{METHODS, Object, SUCCESSES, members, parameters, resolve};

const OPERATION: &[&str] = &[
    "tags",
    "summary",
    "description",
    "operationId",
    "security",
    "parameters",
    "requestBody",
    "responses",
    "deprecated",
];
const PARAMETER: &[&str] = &[
    "name",
    "in",
    "description",
    "required",
    "deprecated",
    "style",
    "explode",
    "schema",
    "example",
    "examples",
];
const HEADER: &[&str] = &["description", "required", "deprecated", "schema", "example"];
const SCALAR: &[&str] = &[
    "$ref",
    "type",
    "format",
    "title",
    "description",
    "example",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "nullable",
    "enum",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
];
const STRUCTURE: &[&str] = &[
    "const",
    "items",
    "minItems",
    "maxItems",
    "uniqueItems",
    "properties",
    "required",
    "additionalProperties",
    "minProperties",
    "maxProperties",
    "oneOf",
    "anyOf",
];

const DOCUMENT: &[&str] = &[
    "openapi",
    "info",
    "servers",
    "security",
    "tags",
    "paths",
    "components",
];
const COMPONENTS: &[&str] = &[
    "headers",
    "parameters",
    "responses",
    "schemas",
    "securitySchemes",
];
const RESPONSE: &[&str] = &["description", "headers", "content"];

/// Returns the features that the templates cannot express, each with its operation or schema.
pub fn unsupported(spec: &Value) -> Vec<String> {
    let mut check = Check {
        spec,
        problems: Vec::new(),
    };
    check.document();
    for (path, item) in members(spec.get("paths")) {
        for (key, operation) in members(Some(item)) {
            if let Some(operation) = operation
                .as_object()
                .filter(|_| METHODS.contains(&key.as_str()))
            {
                check.operation(&format!("{} {path}", key.to_uppercase()), item, operation);
            } else if !is_known(key, &["parameters", "summary", "description"]) {
                check.refuse(path, format!("`{key}`"));
            }
        }
    }
    for (name, schema) in members(spec.pointer("/components/schemas")) {
        check.schema(name, schema, 1);
    }
    check.problems
}

fn is_known(key: &str, known: &[&str]) -> bool {
    known.contains(&key) || key.starts_with("x-")
}

struct Check<'a> {
    spec: &'a Value,
    problems: Vec<String>,
}

impl Check<'_> {
    fn refuse(&mut self, location: &str, what: impl AsRef<str>) {
        self.problems.push(format!("{location}: {}", what.as_ref()));
    }

    fn known_keys(&mut self, location: &str, value: &Value, known: &[&str]) {
        for (key, _) in members(Some(value)).filter(|(key, _)| !is_known(key, known)) {
            self.refuse(location, format!("`{key}`"));
        }
    }

    fn document(&mut self) {
        let spec = self.spec;
        let version = spec["openapi"].as_str().unwrap_or_default();
        if !["3.0.", "3.1."]
            .iter()
            .any(|known| version.starts_with(known))
        {
            self.refuse("the document", format!("OpenAPI {}", spec["openapi"]));
        }
        self.known_keys("the document", spec, DOCUMENT);
        self.known_keys("components", &spec["components"], COMPONENTS);
        if spec["security"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
        {
            self.refuse("the document", "security for all operations at once");
        }
    }

    fn operation(&mut self, location: &str, item: &Value, operation: &Object) {
        let Some(id) = operation.get("operationId").and_then(Value::as_str) else {
            return self.refuse(location, "an operation without operationId");
        };
        for key in operation.keys().filter(|key| !is_known(key, OPERATION)) {
            self.refuse(id, format!("`{key}`"));
        }
        self.security(id, operation);
        let shared = item
            .as_object()
            .map(|item| parameters(self.spec, item))
            .unwrap_or_default();
        let mut names = Vec::new();
        for parameter in parameters(self.spec, operation).into_iter().chain(shared) {
            let name = parameter["name"].as_str().unwrap_or_default();
            // An operation overrides a parameter of its path:
            // <https://spec.openapis.org/oas/v3.1.0#path-item-object>.
            if names.contains(&(name, &parameter["in"])) {
                continue;
            }
            // The runtime keeps the values of all locations in one map, by name.
            if names.iter().any(|(known, _)| *known == name) {
                self.refuse(id, format!("the parameter name `{name}` in two places"));
            }
            names.push((name, &parameter["in"]));
            self.parameter(&format!("{id}, parameter {name}"), parameter);
        }
        if let Some(body) = operation.get("requestBody") {
            self.request_body(id, resolve(self.spec, body));
        }
        for (status, response) in members(operation.get("responses")) {
            self.response(
                &format!("{id}, response {status}"),
                status,
                resolve(self.spec, response),
            );
        }
    }

    fn security(&mut self, id: &str, operation: &Object) {
        let alternatives = operation.get("security");
        let alternatives = alternatives.and_then(Value::as_array).map(Vec::as_slice);
        match alternatives.unwrap_or_default() {
            [] => {}
            [only] => {
                let schemes: Vec<_> = members(Some(only)).map(|(name, _)| name).collect();
                let [scheme] = schemes.as_slice() else {
                    return self.refuse(id, "a security requirement of no scheme or several (AND)");
                };
                let scheme = &self.spec["components"]["securitySchemes"][scheme.as_str()];
                let scheme = resolve(self.spec, scheme);
                if scheme["type"] != "http" || scheme["scheme"] != "bearer" {
                    self.refuse(id, "a security scheme other than http bearer");
                }
            }
            _ => self.refuse(id, "a choice of security schemes (OR)"),
        }
    }

    fn parameter(&mut self, location: &str, parameter: &Value) {
        self.known_keys(location, parameter, PARAMETER);
        let style = match parameter["in"].as_str() {
            Some("query") => "form",
            Some("path" | "header") => "simple",
            _ => return self.refuse(location, format!("a parameter in {}", parameter["in"])),
        };
        if parameter.get("style").is_some_and(|given| given != style) {
            self.refuse(location, format!("style {}", parameter["style"]));
        }
        let name = parameter["name"]
            .as_str()
            .unwrap_or_default()
            .to_ascii_lowercase();
        // OpenAPI ignores such a parameter:
        // <https://spec.openapis.org/oas/v3.1.0#parameter-object>.
        if style == "simple" && ["accept", "content-type", "authorization"].contains(&name.as_str())
        {
            self.refuse(location, "a header that OpenAPI has no parameters for");
        }
        let schema = &parameter["schema"];
        let resolved = resolve(self.spec, schema);
        let is_query = parameter["in"] == "query";
        let scalar = if is_query && resolved["type"] == "array" {
            self.known_keys(
                location,
                resolved,
                &[
                    "type",
                    "description",
                    "items",
                    "minItems",
                    "maxItems",
                    "uniqueItems",
                ],
            );
            &resolved["items"]
        } else {
            if resolved
                .get("default")
                .is_some_and(|_| !is_query || schema.get("$ref").is_some())
            {
                self.refuse(location, "a default here");
            }
            schema
        };
        let types: &[&str] = if parameter["in"] == "header" {
            &["string"]
        } else {
            &["string", "integer", "boolean"]
        };
        self.scalar(location, scalar, types);
    }

    /// Checks a schema of a parameter or a header.
    fn scalar(&mut self, location: &str, schema: &Value, types: &[&str]) {
        let resolved = resolve(self.spec, schema);
        if !resolved["type"]
            .as_str()
            .is_some_and(|kind| types.contains(&kind))
        {
            self.refuse(location, format!("type {}", resolved["type"]));
        }
        self.known_keys(location, resolved, &[SCALAR, &["default"]].concat());
        self.values(location, resolved);
    }

    fn request_body(&mut self, id: &str, body: &Value) {
        self.known_keys(id, body, &["description", "required", "content"]);
        // The runtime refuses a request without a JSON body.
        if body["required"] != true {
            self.refuse(id, "an optional request body");
        }
        self.content(&format!("{id}, request body"), body);
    }

    fn response(&mut self, location: &str, status: &str, response: &Value) {
        let is_status = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
        if !is_status || status.starts_with('1') {
            return self.refuse(location, "a response without a single status");
        }
        if status.starts_with(['4', '5']) {
            // The templates use the status of a failure and nothing else.
            return;
        }
        if !SUCCESSES.iter().any(|(code, ..)| *code == status) {
            return self.refuse(location, "this status");
        }
        self.known_keys(location, response, RESPONSE);
        if response.get("content").is_some() {
            match status {
                // These have no content (RFC 9110, sections 15.3.5 and 15.4.5).
                "204" | "304" => self.refuse(location, "a body"),
                _ => self.content(location, response),
            }
        }
        for (name, header) in members(response.get("headers")) {
            let header = resolve(self.spec, header);
            if header["x-set-by-server"] != true {
                let location = format!("{location}, header {name}");
                self.known_keys(&location, header, HEADER);
                self.scalar(
                    &location,
                    &header["schema"],
                    &["string", "integer", "boolean"],
                );
            }
        }
    }

    /// Admits one media type, JSON, and one named schema.
    fn content(&mut self, location: &str, holder: &Value) {
        let media_types: Vec<_> = members(holder.get("content")).collect();
        match media_types.as_slice() {
            [(name, media)] if *name == "application/json" => {
                self.known_keys(location, media, &["schema", "example", "examples"]);
                let schema = resolve(self.spec, &media["schema"]);
                // The generator would invent a name for the type of an inline schema.
                if media["schema"].get("$ref").is_none() || schema.get("properties").is_none() {
                    self.refuse(
                        location,
                        "a schema that is not a reference to an object with properties",
                    );
                }
            }
            _ => self.refuse(location, "any content but application/json alone"),
        }
    }

    /// Checks a schema. `named_levels` is the number of levels, arrays descended, at which the
    /// templates have a name for an enum: the schema itself, and the items of a property.
    fn schema(&mut self, location: &str, schema: &Value, named_levels: u8) {
        self.known_keys(location, schema, &[SCALAR, STRUCTURE].concat());
        self.values(location, schema);
        if schema.get("enum").is_some() && named_levels == 0 {
            self.refuse(location, "an enum without a name");
        }
        for key in ["oneOf", "anyOf"] {
            let Some(choices) = schema.get(key).and_then(Value::as_array) else {
                continue;
            };
            let nulls = choices
                .iter()
                .filter(|choice| choice["type"] == "null")
                .count();
            if schema
                .as_object()
                .is_some_and(|keywords| keywords.len() > 1)
            {
                self.refuse(location, format!("`{key}` beside other keywords"));
            }
            // `unfold_null_choice` in the runtime supports only this form.
            if choices.len() != 2 || nulls != 1 {
                self.refuse(
                    location,
                    format!("`{key}` of anything but one schema and null"),
                );
            }
            if choices
                .iter()
                .any(|choice| choice["type"] != "null" && choice.get("$ref").is_none())
            {
                self.refuse(location, format!("`{key}` of a schema without a name"));
            }
        }
        for (name, property) in members(schema.get("properties")) {
            self.schema(&format!("{location}.{name}"), property, 2);
        }
        if let Some(items) = schema.get("items") {
            self.schema(
                &format!("{location}[]"),
                items,
                named_levels.saturating_sub(1),
            );
        }
        if let Some(further @ Value::Object(_)) = schema.get("additionalProperties") {
            if schema.get("properties").is_some() {
                self.refuse(
                    location,
                    "a schema for further properties beside named ones",
                );
            }
            self.schema(&format!("{location}{{}}"), further, 0);
        }
    }

    /// Checks types and enumerated values, which may stand anywhere.
    fn values(&mut self, location: &str, schema: &Value) {
        if let Some(types) = schema.get("type").and_then(Value::as_array)
            && (types.len() != 2 || !types.contains(&Value::from("null")))
        {
            self.refuse(location, "a choice of types other than one and null");
        }
        let values = schema
            .get("enum")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        if values
            .into_iter()
            .any(|value| !value.is_string() && !value.is_null())
        {
            self.refuse(location, "an enum of anything but strings");
        }
        for bound in ["exclusiveMinimum", "exclusiveMaximum"] {
            // A number in OpenAPI 3.1, but `to_3_1` does not convert it.
            if schema.get(bound).is_some_and(Value::is_boolean) {
                self.refuse(location, format!("`{bound}` as OpenAPI 3.0 has it"));
            }
        }
    }
}
