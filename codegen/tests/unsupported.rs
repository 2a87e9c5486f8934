//! Table of refused OpenAPI features. Each row has a spec with the feature, and the error.

use quietline_api_codegen::unsupported;
use serde_json::{Value, json};

/// Returns a spec without any refused feature.
fn supported() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Things", "summary": "Any", "version": "1", "x-note": 1},
        "servers": [{"url": "https://api.example", "variables": {}}],
        "tags": [{"name": "Things", "externalDocs": {"url": "https://docs.example"}}],
        "security": [],
        "paths": {"/things/{id}": {
            "summary": "A thing",
            "parameters": [{"name": "id", "in": "path", "required": true, "style": "simple",
                "schema": {"type": "string", "format": "uuid"}}],
            "patch": {
                "tags": ["Things"],
                "operationId": "patchThing",
                "security": [{"key": ["things:write"]}],
                "x-replayable": true,
                "parameters": [
                    {"name": "limit", "in": "query", "style": "form",
                        "schema": {"type": "integer", "default": 50}},
                    {"name": "kinds", "in": "query", "explode": false,
                        "schema": {"type": "array", "items": {"type": "string", "enum": ["a"]}}},
                    {"name": "If-Match", "in": "header", "schema": {"type": "string"}},
                ],
                "requestBody": {"required": true, "content": {"application/json": {
                    "schema": {"$ref": "#/components/schemas/Thing"}, "examples": {}}}},
                "responses": {
                    "200": {
                        "description": "The thing.",
                        "headers": {
                            "ETag": {"required": true, "schema": {"type": "string"}},
                            "X-Request-Id": {"x-set-by-server": true, "content": {}},
                        },
                        "content": {"application/json": {
                            "schema": {"$ref": "#/components/schemas/Thing"}}},
                    },
                    "304": {"description": "Not modified."},
                    "404": {"description": "None.", "links": {}, "content": {"text/plain": {}}},
                },
            },
        }},
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Kind": {"type": "string", "enum": ["a", "b"]},
                "Fields": {"type": "object", "additionalProperties": {"type": "string"}},
                "Thing": {
                    "type": "object",
                    "additionalProperties": false,
                    "x-read-only": ["id"],
                    "required": ["name"],
                    "properties": {
                        "name": {"type": ["string", "null"], "maxLength": 5},
                        "mode": {"type": "string", "enum": ["x"]},
                        "modes": {"type": "array", "items": {"type": "string", "enum": ["x"]}},
                        "kind": {"oneOf": [
                            {"$ref": "#/components/schemas/Kind"}, {"type": "null"}]},
                        "size": {"type": "integer", "exclusiveMinimum": 0},
                        "fields": {"$ref": "#/components/schemas/Fields"},
                    },
                },
            },
        },
    })
}

const ITEM: &str = "/paths/~1things~1{id}";
const OPERATION: &str = "/paths/~1things~1{id}/patch";
const PARAMETERS: &str = "/paths/~1things~1{id}/patch/parameters";
const RESPONSES: &str = "/paths/~1things~1{id}/patch/responses";
const BODY: &str = "/paths/~1things~1{id}/patch/requestBody";
const SCHEMAS: &str = "/components/schemas";
const PROPERTIES: &str = "/components/schemas/Thing/properties";

/// Asserts that each value is refused for this reason only. Puts the value under the key of the
/// object or into the array at the pointer.
fn assert_refused(
    rows: impl IntoIterator<Item = (&'static str, &'static str, Value, &'static str)>,
) {
    for (pointer, key, value, expected) in rows {
        let mut spec = supported();
        match spec.pointer_mut(pointer) {
            Some(Value::Object(object)) => drop(object.insert(key.to_owned(), value.clone())),
            Some(Value::Array(items)) => items.push(value.clone()),
            other => panic!("{pointer} is {other:?}"),
        }
        assert_eq!(unsupported(&spec), [expected], "{pointer} {key} {value}");
    }
}

#[test]
fn the_supported_spec_is_accepted() {
    assert_eq!(unsupported(&supported()), [""; 0]);
    let mut spec = supported();
    spec["openapi"] = json!("3.0.3");
    assert_eq!(unsupported(&spec), [""; 0]);
}

#[test]
fn parts_of_the_document_are_refused() {
    assert_refused([
        (
            "",
            "openapi",
            json!("3.2.0"),
            "the document: OpenAPI \"3.2.0\"",
        ),
        ("", "swagger", json!("2.0"), "the document: `swagger`"),
        ("", "webhooks", json!({}), "the document: `webhooks`"),
        (
            "",
            "jsonSchemaDialect",
            json!("a"),
            "the document: `jsonSchemaDialect`",
        ),
        (
            "/components",
            "requestBodies",
            json!({}),
            "components: `requestBodies`",
        ),
        (
            "/components",
            "pathItems",
            json!({}),
            "components: `pathItems`",
        ),
        (
            "",
            "security",
            json!([{"key": []}]),
            "the document: security for all operations at once",
        ),
    ]);
}

#[test]
fn parts_of_paths_and_operations_are_refused() {
    assert_refused([
        (ITEM, "trace", json!({}), "/things/{id}: `trace`"),
        (ITEM, "servers", json!([]), "/things/{id}: `servers`"),
        (ITEM, "$ref", json!("#/x"), "/things/{id}: `$ref`"),
        (
            ITEM,
            "get",
            json!({}),
            "GET /things/{id}: an operation without operationId",
        ),
        (OPERATION, "callbacks", json!({}), "patchThing: `callbacks`"),
        (OPERATION, "servers", json!([]), "patchThing: `servers`"),
    ]);
}

#[test]
fn requirements_of_security_are_refused() {
    let several = "patchThing: a security requirement of no scheme or several (AND)";
    let other = "patchThing: a security scheme other than http bearer";
    assert_refused([
        (OPERATION, "security", json!([{}]), several),
        (
            OPERATION,
            "security",
            json!([{"key": [], "other": []}]),
            several,
        ),
        (OPERATION, "security", json!([{"unknown": []}]), other),
        (
            OPERATION,
            "security",
            json!([{"key": []}, {"other": []}]),
            "patchThing: a choice of security schemes (OR)",
        ),
        (
            "/components/securitySchemes",
            "key",
            json!({"type": "apiKey"}),
            other,
        ),
        (
            "/components/securitySchemes",
            "key",
            json!({"type": "http", "scheme": "basic"}),
            other,
        ),
    ]);
}

/// Returns the query parameter `a`, changed by `members`.
fn parameter(members: Value) -> Value {
    let mut made = json!({"name": "a", "in": "query", "schema": {"type": "string"}});
    for (key, value) in members.as_object().expect("an object") {
        made[key] = value.clone();
    }
    made
}

#[test]
fn parameters_are_refused() {
    let reserved = "a header that OpenAPI has no parameters for";
    let rows = [
        (json!({"allowReserved": true}), "`allowReserved`".to_owned()),
        (json!({"content": {}}), "`content`".to_owned()),
        (
            json!({"in": "cookie"}),
            "a parameter in \"cookie\"".to_owned(),
        ),
        (
            json!({"style": "spaceDelimited"}),
            "style \"spaceDelimited\"".to_owned(),
        ),
        (
            json!({"in": "header", "style": "form"}),
            "style \"form\"".to_owned(),
        ),
        (
            json!({"in": "header", "schema": {"type": "string", "default": "b"}}),
            "a default here".to_owned(),
        ),
        (
            json!({"schema": {"type": "array", "items": {"type": "string"}, "contains": {}}}),
            "`contains`".to_owned(),
        ),
        (
            json!({"schema": {"type": "number"}}),
            "type \"number\"".to_owned(),
        ),
        (json!({"schema": {}}), "type null".to_owned()),
        (
            json!({"in": "header", "schema": {"type": "integer"}}),
            "type \"integer\"".to_owned(),
        ),
        (
            json!({"schema": {"type": "string", "not": {}}}),
            "`not`".to_owned(),
        ),
        (
            json!({"schema": {"type": "integer", "enum": [1]}}),
            "an enum of anything but strings".to_owned(),
        ),
    ];
    for (members, reason) in rows {
        let expected = format!("patchThing, parameter a: {reason}");
        assert_refused([(PARAMETERS, "", parameter(members), &*expected.leak())]);
    }
    for name in ["Accept", "content-type", "Authorization"] {
        let expected = format!("patchThing, parameter {name}: {reserved}");
        let header = parameter(json!({"name": name, "in": "header"}));
        assert_refused([(PARAMETERS, "", header, &*expected.leak())]);
    }
    assert_refused([(
        PARAMETERS,
        "",
        parameter(json!({"name": "id"})),
        "patchThing: the parameter name `id` in two places",
    )]);
}

#[test]
fn a_default_of_a_named_schema_is_refused_in_a_parameter() {
    let mut spec = supported();
    spec["components"]["schemas"]["Text"] = json!({"type": "string"});
    let parameters = spec.pointer_mut(PARAMETERS).and_then(Value::as_array_mut);
    let named = json!({"schema": {"$ref": "#/components/schemas/Text"}});
    parameters.expect("an array").push(parameter(named));
    assert_eq!(unsupported(&spec), [""; 0]);
    spec["components"]["schemas"]["Text"]["default"] = json!("a");
    let expected = ["patchThing, parameter a: a default here", "Text: `default`"];
    assert_eq!(unsupported(&spec), expected);
}

#[test]
fn request_bodies_are_refused() {
    let thing = json!({"schema": {"$ref": "#/components/schemas/Thing"}});
    let other = "patchThing, request body: any content but application/json alone";
    let unnamed = "patchThing, request body: a schema that is not a reference to an object with \
                   properties";
    let mut with_encoding = thing.clone();
    with_encoding["encoding"] = json!({});
    assert_refused([
        (
            BODY,
            "required",
            json!(false),
            "patchThing: an optional request body",
        ),
        (BODY, "summary", json!("a"), "patchThing: `summary`"),
        (BODY, "content", json!({}), other),
        (BODY, "content", json!({"application/xml": thing}), other),
        (
            BODY,
            "content",
            json!({"application/json": thing, "text/csv": thing}),
            other,
        ),
        (
            BODY,
            "content",
            json!({"application/json": {"schema": {"type": "object"}}}),
            unnamed,
        ),
        (
            BODY,
            "content",
            json!({"application/json": {"schema": {"$ref": "#/components/schemas/Kind"}}}),
            unnamed,
        ),
        (
            BODY,
            "content",
            json!({"application/json": with_encoding}),
            "patchThing, request body: `encoding`",
        ),
    ]);
}

#[test]
fn responses_are_refused() {
    let thing = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}});
    let header = |header: Value| json!({"headers": {"A": header}});
    let range = "patchThing, response 2XX: a response without a single status";
    let default = "patchThing, response default: a response without a single status";
    let early = "patchThing, response 103: a response without a single status";
    assert_refused([
        (RESPONSES, "default", json!({}), default),
        (RESPONSES, "2XX", json!({}), range),
        (RESPONSES, "103", json!({}), early),
        (
            RESPONSES,
            "202",
            json!({}),
            "patchThing, response 202: this status",
        ),
        (
            RESPONSES,
            "302",
            json!({}),
            "patchThing, response 302: this status",
        ),
        (
            RESPONSES,
            "201",
            json!({"links": {}}),
            "patchThing, response 201: `links`",
        ),
        (
            RESPONSES,
            "204",
            json!({"content": thing}),
            "patchThing, response 204: a body",
        ),
        (
            RESPONSES,
            "304",
            json!({"content": thing}),
            "patchThing, response 304: a body",
        ),
        (
            RESPONSES,
            "201",
            json!({"content": {"text/plain": {}}}),
            "patchThing, response 201: any content but application/json alone",
        ),
        (
            RESPONSES,
            "201",
            header(json!({"schema": {"type": "string"}, "explode": true})),
            "patchThing, response 201, header A: `explode`",
        ),
        (
            RESPONSES,
            "201",
            header(json!({"schema": {"type": "array"}})),
            "patchThing, response 201, header A: type \"array\"",
        ),
    ]);
}

#[test]
fn keywords_of_schemas_are_refused() {
    let keywords = [
        ("allOf", json!([])),
        ("not", json!({})),
        ("if", json!({})),
        ("default", json!("a")),
        ("discriminator", json!({})),
        ("patternProperties", json!({})),
        ("prefixItems", json!([])),
        ("$dynamicRef", json!("#a")),
    ];
    for (keyword, value) in keywords {
        let expected = &*format!("Thing: `{keyword}`").leak();
        let expected_inside = &*format!("Thing.name: `{keyword}`").leak();
        assert_refused([
            (
                "/components/schemas/Thing",
                keyword,
                value.clone(),
                expected,
            ),
            (
                "/components/schemas/Thing/properties/name",
                keyword,
                value,
                expected_inside,
            ),
        ]);
    }
}

#[test]
fn schemas_that_need_a_name_are_refused_without_one() {
    let values = json!({"type": "string", "enum": ["a"]});
    let list = |items: &Value| json!({"type": "array", "items": items});
    let map = |further: &Value| json!({"type": "object", "additionalProperties": further});
    let mixed = json!({"properties": {}, "additionalProperties": {"type": "string"}});
    let further = "Mixed: a schema for further properties beside named ones";
    assert_refused([
        (
            SCHEMAS,
            "Kinds",
            list(&values),
            "Kinds[]: an enum without a name",
        ),
        (
            SCHEMAS,
            "Kinds",
            map(&values),
            "Kinds{}: an enum without a name",
        ),
        (
            PROPERTIES,
            "a",
            list(&list(&values)),
            "Thing.a[][]: an enum without a name",
        ),
        (
            PROPERTIES,
            "a",
            map(&values),
            "Thing.a{}: an enum without a name",
        ),
        (SCHEMAS, "Mixed", mixed, further),
    ]);
}

#[test]
fn choices_of_schemas_are_refused() {
    let kind = json!({"$ref": "#/components/schemas/Kind"});
    let thing = json!({"$ref": "#/components/schemas/Thing"});
    let none = json!({"type": "null"});
    assert_refused([
        (
            PROPERTIES,
            "a",
            json!({"oneOf": [kind, none], "description": "b"}),
            "Thing.a: `oneOf` beside other keywords",
        ),
        (
            PROPERTIES,
            "a",
            json!({"oneOf": [kind, thing]}),
            "Thing.a: `oneOf` of anything but one schema and null",
        ),
        (
            PROPERTIES,
            "a",
            json!({"anyOf": [kind, thing, none]}),
            "Thing.a: `anyOf` of anything but one schema and null",
        ),
        (
            PROPERTIES,
            "a",
            json!({"anyOf": [{"type": "string"}, none]}),
            "Thing.a: `anyOf` of a schema without a name",
        ),
    ]);
}

#[test]
fn types_and_values_are_refused() {
    let types = "Thing.a: a choice of types other than one and null";
    let values = "Thing.a: an enum of anything but strings";
    assert_refused([
        (
            PROPERTIES,
            "a",
            json!({"type": ["string", "integer"]}),
            types,
        ),
        (
            PROPERTIES,
            "a",
            json!({"type": ["string", "integer", "null"]}),
            types,
        ),
        (PROPERTIES, "a", json!({"type": ["string"]}), types),
        (
            PROPERTIES,
            "a",
            json!({"type": "integer", "enum": [1, 2]}),
            values,
        ),
        (PROPERTIES, "a", json!({"enum": ["a", true]}), values),
        (
            PROPERTIES,
            "a",
            json!({"type": "integer", "minimum": 0, "exclusiveMinimum": true}),
            "Thing.a: `exclusiveMinimum` as OpenAPI 3.0 has it",
        ),
        (
            PROPERTIES,
            "a",
            json!({"type": "integer", "maximum": 0, "exclusiveMaximum": true}),
            "Thing.a: `exclusiveMaximum` as OpenAPI 3.0 has it",
        ),
    ]);
}
