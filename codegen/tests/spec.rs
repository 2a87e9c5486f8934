//! Tests of reading specs, preparing them for the generator, and turning them into OpenAPI 3.1.

use quietline_api_codegen::{Tree, for_generator, read_specs, to_3_1};
use serde_json::{Value, json};

fn tree<const N: usize>(files: [(&str, &str); N]) -> Tree {
    let files = files.into_iter();
    files
        .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
        .collect()
}

const EMPTY: &str = "openapi: 3.1.0\ninfo: {title: A, version: '1'}\npaths: {}\n";

#[test]
fn specs_are_the_yaml_files_of_the_folder_by_module_name() {
    let inputs = tree([
        ("build.rs", "fn main() {}"),
        ("codegen/src/lib.rs", ""),
        ("openapi/a-thing.yaml", EMPTY),
        ("openapi/generator.yaml", "generatorName: rust"),
        ("openapi/templates/api.mustache", ""),
        ("openapi/templates/other.yaml", "a: b"),
    ]);
    let specs = read_specs(&inputs).expect("one spec");
    assert_eq!(specs.keys().collect::<Vec<_>>(), ["a_thing"]);
    assert_eq!(specs["a_thing"]["info"]["title"], "A");
}

#[test]
fn a_spec_that_is_not_yaml_is_named() {
    let problem = read_specs(&tree([("openapi/a.yaml", "a: [")])).expect_err("not YAML");
    assert!(
        problem.starts_with("openapi/a.yaml is not YAML: "),
        "{problem}"
    );
}

#[test]
fn all_unsupported_features_of_all_specs_are_reported_at_once() {
    let webhooks = format!("{EMPTY}webhooks: {{}}\n");
    let both = format!("{webhooks}swagger: a\n");
    let problem = read_specs(&tree([
        ("openapi/a.yaml", &webhooks),
        ("openapi/b.yaml", &both),
    ]));
    let mut lines: Vec<String> = problem
        .expect_err("unsupported")
        .lines()
        .map(str::to_owned)
        .collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "openapi/a.yaml: the document: `webhooks` is not supported by openapi/templates",
            "openapi/b.yaml: the document: `swagger` is not supported by openapi/templates",
            "openapi/b.yaml: the document: `webhooks` is not supported by openapi/templates",
        ]
    );
}

/// Returns the operation GET /a of a spec, prepared for the generator.
fn prepared(operation: Value) -> Value {
    let spec = json!({
        "paths": {"/a": {"get": operation}},
        "components": {"headers": {
            "Tag": {"required": true, "schema": {"type": "string", "maxLength": 5}},
            "Limit": {"x-set-by-server": true, "schema": {"type": "string"}},
        }},
    });
    for_generator(&spec)["paths"]["/a"]["get"].clone()
}

#[test]
fn an_operation_has_its_permissions() {
    for (operation, expected) in [
        (json!({}), "No credential."),
        (json!({"security": []}), "No credential."),
        (json!({"security": [{"key": []}]}), "Any valid credential."),
        (json!({"security": [{"key": ["a:b"]}]}), "Scope: `a:b`."),
        (
            json!({"security": [{"key": ["a:b", "c"]}]}),
            "Scopes: `a:b`, `c`.",
        ),
        (
            json!({"security": [{"token": []}], "x-minimum-role": "ADMIN"}),
            "Role: `ADMIN` or higher.",
        ),
        (
            json!({"security": [{"token": ["a"]}], "x-minimum-role": "ADMIN"}),
            "Scopes: `a`. Role: `ADMIN` or higher.",
        ),
    ] {
        assert_eq!(
            prepared(operation.clone())["x-permission"],
            expected,
            "{operation}"
        );
    }
}

#[test]
fn an_operation_has_a_parameter_flag() {
    assert_eq!(prepared(json!({}))["x-has-parameters"], Value::Null);
    let parameter = json!({"name": "b", "in": "query"});
    assert_eq!(
        prepared(json!({"parameters": [parameter]}))["x-has-parameters"],
        true
    );
    let shared = json!({"paths": {"/a": {"parameters": [parameter], "get": {}}}});
    let made = for_generator(&shared);
    assert_eq!(made["paths"]["/a"]["get"]["x-has-parameters"], true);
}

#[test]
fn a_success_becomes_a_variant_with_the_headers_that_an_operation_sets() {
    let headers = json!({
        "ETag": {"$ref": "#/components/headers/Tag"},
        "RateLimit": {"$ref": "#/components/headers/Limit"},
    });
    let made = prepared(json!({"responses": {
        "200": {"description": "b", "headers": headers, "content": {}},
        "204": {"description": "c"},
    }}));
    let ok = &made["responses"]["200"];
    assert_eq!(
        (&ok["x-variant"], &ok["x-status"], &ok["x-has-fields"]),
        (&json!("Ok"), &json!("OK"), &json!(true))
    );
    let tag = json!({"required": true, "schema": {"type": "string", "x-field": "etag"}});
    assert_eq!(ok["headers"], json!({"ETag": tag}));
    let empty = &made["responses"]["204"];
    assert_eq!(empty["x-variant"], "NoContent");
    assert_eq!(
        (&empty["headers"], &empty["x-has-fields"]),
        (&json!({}), &Value::Null)
    );
}

#[test]
fn a_failure_keeps_only_its_status() {
    let made = prepared(json!({"responses": {"404": {"$ref": "#/components/responses/A"}}}));
    assert_eq!(
        made["responses"],
        json!({"404": {"description": "A failure."}})
    );
}

/// Returns the component `A` of a spec with this schema, prepared for the generator.
fn prepared_schema(schema: Value) -> Value {
    let map = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let named = json!({"type": "object", "properties": {}});
    let spec = json!({"components": {"schemas": {"A": schema, "Map": map, "Named": named}}});
    for_generator(&spec)["components"]["schemas"]["A"].clone()
}

#[test]
fn schemas_lose_parts_that_would_become_needless_types() {
    for (schema, expected) in [
        (json!({"const": true}), json!({})),
        (json!({"const": "a"}), json!({"const": "a"})),
        (
            json!({"properties": {"a": {"const": 1}}, "additionalProperties": true}),
            json!({"properties": {"a": {}}}),
        ),
        (json!({"items": {"const": 1}}), json!({"items": {}})),
        (
            json!({"additionalProperties": {"const": 1}}),
            json!({"additionalProperties": {}}),
        ),
    ] {
        assert_eq!(prepared_schema(schema.clone()), expected, "{schema}");
    }
}

#[test]
fn descriptions_become_rust_literals() {
    let made = prepared_schema(json!({
        "description": "Says \"a\".\nAnd b\\c.",
        "properties": {"a": {"description": "é"}},
    }));
    assert_eq!(made["x-doc"], r#""Says \"a\".\nAnd b\\c.""#);
    assert_eq!(made["properties"]["a"]["x-property-doc"], "\"é\"");
}

#[test]
fn a_property_that_refers_to_a_schema_without_a_type_holds_that_schema() {
    let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let made = prepared_schema(json!({"properties": {
        "map": reference("Map"),
        "named": reference("Named"),
    }}));
    let map = json!({"type": "object", "additionalProperties": {"type": "string"}});
    assert_eq!(
        made["properties"],
        json!({"map": map, "named": reference("Named")})
    );
}

#[test]
fn nullable_becomes_a_second_type_in_3_1() {
    let upgraded = |schema: Value| {
        let spec = json!({"openapi": "3.0.3", "components": {"schemas": {"A": schema}}});
        let made = to_3_1(&spec);
        assert_eq!(made["openapi"], "3.1.0");
        made["components"]["schemas"]["A"].clone()
    };
    for (schema, expected) in [
        (
            json!({"type": "string", "nullable": true}),
            json!({"type": ["string", "null"]}),
        ),
        (
            json!({"type": "string", "nullable": false}),
            json!({"type": "string"}),
        ),
        (
            json!({"type": "string", "nullable": true, "enum": ["a"]}),
            json!({"type": ["string", "null"], "enum": ["a", null]}),
        ),
        (
            json!({"properties": {"nullable": {"type": "string", "nullable": true}}}),
            json!({"properties": {"nullable": {"type": ["string", "null"]}}}),
        ),
        (
            json!({"items": {"type": "integer", "nullable": true}}),
            json!({"items": {"type": ["integer", "null"]}}),
        ),
        (
            json!({"example": {"type": "a", "nullable": true}, "x-b": {"nullable": true}}),
            json!({"example": {"type": "a", "nullable": true}, "x-b": {"nullable": true}}),
        ),
        (
            json!({"properties": {"example": {"type": "string", "nullable": true}}}),
            json!({"properties": {"example": {"type": ["string", "null"]}}}),
        ),
    ] {
        assert_eq!(upgraded(schema.clone()), expected, "{schema}");
    }
}

#[test]
fn a_spec_in_3_1_stays_as_it_is() {
    let schema = json!({"type": ["string", "null"], "nullable": true});
    let spec = json!({"openapi": "3.1.0", "components": {"schemas": {"A": schema}}});
    assert_eq!(to_3_1(&spec), spec);
}
