//! Tables of schema, instance, and the messages for its violations.

use serde::Deserialize;
use serde_json::{Value, json};

use super::input::Input;
use super::schema::Schema;
use super::{Operation, Rejection};

/// Returns the violations of `instance` as `path: message`.
fn violations(schema: &Value, instance: &Value) -> Vec<String> {
    let start = json!({"minLength": 5, "pattern": "^[0-9:]+$", "x-message": "must be a time"});
    let spec = json!({"components": {"schemas": {
        "Mode": {"type": "string", "enum": ["reject", "defer"]},
        "Window": {
            "type": "object",
            "additionalProperties": false,
            "x-read-only": ["id"],
            "properties": {
                "start": start,
                "mode": {"$ref": "#/components/schemas/Mode"},
            },
        },
    }}});
    let schema = Schema::compile(&spec, schema).expect("the schemas of these tests compile");
    let found = schema.violations(instance).into_iter();
    found
        .map(|violation| format!("{}: {}", violation.path, violation.message))
        .collect()
}

/// Asserts that each instance breaks its schema in one way only, with this message.
fn assert_message<const N: usize>(table: [(Value, Value, &str); N]) {
    for (schema, instance, words) in table {
        assert_eq!(
            violations(&schema, &instance),
            [format!(": {words}")],
            "{schema} {instance}"
        );
    }
}

#[test]
fn a_wrong_type_names_the_right_one() {
    assert_message([
        (json!({"type": "string"}), json!(null), "cannot be null"),
        (json!({"type": "string"}), json!(5), "must be a string"),
        (json!({"type": "integer"}), json!("5"), "must be an integer"),
        (
            json!({"type": "integer"}),
            json!(30.5),
            "must be an integer",
        ),
        (
            json!({"type": "boolean"}),
            json!("true"),
            "must be a boolean",
        ),
        (json!({"type": "number"}), json!([]), "must be a number"),
        (json!({"type": "object"}), json!([]), "must be an object"),
        (json!({"type": "array"}), json!({}), "must be an array"),
        (
            json!({"type": ["string", "null"]}),
            json!(5),
            "must be a string or null",
        ),
    ]);
}

#[test]
fn a_number_out_of_range_names_the_range() {
    let days = json!({"type": "integer", "minimum": 30, "maximum": 365});
    let int64 = json!({"type": "integer", "format": "int64"});
    assert_message([
        (days.clone(), json!(29), "must be between 30 and 365"),
        (days, json!(366), "must be between 30 and 365"),
        (
            json!({"type": "integer", "minimum": 1}),
            json!(0),
            "must be at least 1",
        ),
        (
            json!({"type": "integer", "maximum": 9}),
            json!(10),
            "must be at most 9",
        ),
        (
            json!({"type": "integer"}),
            json!(1u64 << 31),
            "must be between -2147483648 and 2147483647",
        ),
        (
            int64,
            json!(u64::MAX),
            "must be between -9223372036854775808 and 9223372036854775807",
        ),
        (
            json!({"exclusiveMinimum": 1}),
            json!(1),
            "must be more than 1",
        ),
        (
            json!({"exclusiveMaximum": 1}),
            json!(1),
            "must be less than 1",
        ),
        (
            json!({"multipleOf": 5}),
            json!(6),
            "must be a multiple of 5",
        ),
    ]);
}

#[test]
fn a_wrong_text_names_its_rule() {
    assert_message([
        (
            json!({"minLength": 1}),
            json!(""),
            "must be at least 1 character",
        ),
        (
            json!({"minLength": 4}),
            json!("ééé"),
            "must be at least 4 characters",
        ),
        (
            json!({"maxLength": 2}),
            json!("ééé"),
            "must be at most 2 characters",
        ),
        (
            json!({"enum": ["reject", "defer"]}),
            json!("drop"),
            "must be one of: reject, defer",
        ),
        (
            json!({"enum": ["a", null]}),
            json!("b"),
            "must be one of: a, or null",
        ),
        (json!({"const": true}), json!(false), "must be true"),
        (json!({"pattern": "^a$"}), json!("b"), "must match ^a$"),
        (
            json!({"pattern": "^a$", "x-message": "must be a"}),
            json!("b"),
            "must be a",
        ),
        (json!({"format": "uuid"}), json!("x"), "must be a UUID"),
        (
            json!({"format": "date-time"}),
            json!("2026-01-01"),
            "must be an RFC 3339 date-time",
        ),
    ]);
}

#[test]
fn a_collection_names_its_size() {
    assert_message([
        (
            json!({"minItems": 1}),
            json!([]),
            "must have at least 1 item",
        ),
        (
            json!({"maxItems": 2}),
            json!([1, 2, 3]),
            "must have at most 2 items",
        ),
        (
            json!({"uniqueItems": true}),
            json!([1, 1]),
            "must not have the same item twice",
        ),
        (
            json!({"minProperties": 1}),
            json!({}),
            "must have at least 1 field",
        ),
        (
            json!({"maxProperties": 0}),
            json!({"a": 1}),
            "must have at most 0 fields",
        ),
        (json!(false), json!(1), "is not valid"),
    ]);
}

#[test]
fn a_keyword_without_its_own_message_is_not_valid() {
    for (schema, instance, expected) in [
        (
            json!({"additionalProperties": false}),
            json!({"a": 1}),
            ": is not valid",
        ),
        (
            json!({"properties": {"required": false}}),
            json!({"required": 1}),
            "required: is not valid",
        ),
        (json!({"not": {}}), json!(1), ": is not valid"),
    ] {
        assert_eq!(violations(&schema, &instance), [expected], "{schema}");
    }
}

#[test]
fn a_field_may_have_any_name() {
    let schema = json!({"properties": {
        "a/b~c": {"maxLength": 1},
        "enum": {"type": "string"},
        "required": {"maximum": 1},
        "type": {"enum": ["a"]},
    }});
    let instance = json!({"a/b~c": "xx", "enum": 1, "required": 2, "type": "b"});
    assert_eq!(
        violations(&schema, &instance),
        [
            "a/b~c: must be at most 1 character",
            "enum: must be a string",
            "required: must be at most 1",
            "type: must be one of: a",
        ]
    );
}

#[test]
fn valid_instances_have_no_violations() {
    for (schema, instance) in [
        (json!({"type": "integer"}), json!(30)),
        (json!({"type": "integer"}), json!(30.0)),
        (json!({"type": ["string", "null"]}), json!(null)),
        (
            json!({"type": ["string", "null"], "enum": ["a", null]}),
            json!(null),
        ),
        (json!({"maxLength": 2}), json!("😀\u{10ffff}")),
        (
            json!({"type": "string", "format": "email"}),
            json!("formats are notes"),
        ),
        (
            json!({"oneOf": [{"$ref": "#/components/schemas/Window"}, {"type": "null"}]}),
            json!(null),
        ),
        (
            json!({"anyOf": [{"type": "null"}, {"$ref": "#/components/schemas/Window"}]}),
            json!({}),
        ),
        (
            json!({"type": "string", "example": null, "x-anything": {}}),
            json!(""),
        ),
    ] {
        assert_eq!(
            violations(&schema, &instance),
            [""; 0],
            "{schema} {instance}"
        );
    }
}

#[test]
fn at_most_a_hundred_violations_are_named_and_the_others_are_counted() {
    let schema = json!({"$ref": "#/components/schemas/Window"});
    for (fields, last) in [
        (100, "field_099: unknown field"),
        (101, "…: and 1 more"),
        (1000, "…: and 900 more"),
    ] {
        let names = (0..fields).map(|number| (format!("field_{number:03}"), json!(1)));
        let found = violations(&schema, &Value::Object(names.collect()));
        assert_eq!(found.len(), fields.min(101));
        assert_eq!(found[99], "field_099: unknown field");
        assert_eq!(found.last().expect("there are many"), last);
    }
}

#[test]
fn every_invalid_field_is_named_once_and_in_order() {
    let window = json!({"$ref": "#/components/schemas/Window"});
    let schema = json!({
        "type": "object",
        "required": ["window", "label", "id"],
        "dependentRequired": {"window": ["zone"]},
        "properties": {
            "window": window,
            "or_null": {"oneOf": [window, {"type": "null"}]},
            "scopes": {"type": "array", "items": {"type": "string", "maxLength": 1, "enum": ["a"]}},
        },
    });
    let instance = json!({
        "window": {"start": "", "mode": null, "id": 1, "zone": 2},
        "or_null": {"mode": "x"},
        "scopes": ["a", "bb", 3],
    });
    assert_eq!(
        violations(&schema, &instance),
        [
            "id: is required",
            "label: is required",
            "or_null.mode: must be one of: reject, defer",
            "scopes.1: must be one of: a",
            "scopes.2: must be a string",
            "window.id: is read-only",
            "window.mode: cannot be null",
            "window.start: must be a time",
            "window.zone: unknown field",
            "zone: is required",
        ]
    );
}

static PATCH: Operation = Operation {
    id: "patchThing",
    method: "PATCH",
    path: "/thing",
    scheme: None,
    scopes: &[],
    minimum_role: None,
    statuses: &[200],
};

/// The four kinds of property, as the templates declare them.
#[derive(Debug, PartialEq, Deserialize)]
struct Thing {
    required: i32,
    #[serde(deserialize_with = "Option::deserialize")]
    required_or_null: Option<i32>,
    #[serde(default, deserialize_with = "super::present")]
    optional: Option<i32>,
    #[serde(default, with = "::serde_with::rust::double_option")]
    optional_or_null: Option<Option<i32>>,
}

fn parse(body: &str) -> Result<Thing, Rejection> {
    let (number, or_null) = (
        json!({"type": "integer"}),
        json!({"type": ["integer", "null"]}),
    );
    let schema = json!({
        "type": "object",
        "required": ["required", "required_or_null"],
        "properties": {
            "required": number,
            "required_or_null": or_null,
            "optional": number,
            "optional_or_null": or_null,
        },
    });
    let body_object = json!({"content": {"application/json": {"schema": schema}}});
    let spec = json!({"paths": {"/thing": {"patch": {"requestBody": body_object}}}});
    Input::compile(&spec, &PATCH).parse_body(body.as_bytes())
}

#[test]
fn null_differs_from_absent() {
    let thing = |optional, optional_or_null| {
        Ok(Thing {
            required: 1,
            required_or_null: None,
            optional,
            optional_or_null,
        })
    };
    for (more, expected) in [
        ("", thing(None, None)),
        (r#","optional":2"#, thing(Some(2), None)),
        (r#","optional_or_null":null"#, thing(None, Some(None))),
        (r#","optional_or_null":3e0"#, thing(None, Some(Some(3)))),
    ] {
        assert_eq!(
            parse(&format!(
                r#"{{"required":1.0,"required_or_null":null{more}}}"#
            )),
            expected
        );
    }
    for (body, path, message) in [
        (r#"{"required":1}"#, "required_or_null", "is required"),
        (
            r#"{"required":null,"required_or_null":1}"#,
            "required",
            "cannot be null",
        ),
        (
            r#"{"required":1,"required_or_null":1,"optional":null}"#,
            "optional",
            "cannot be null",
        ),
    ] {
        let Err(Rejection::InvalidBody(found)) = parse(body) else {
            panic!("{body} is refused")
        };
        assert_eq!(
            (found[0].path.as_str(), found[0].message.as_str()),
            (path, message)
        );
    }
}

#[test]
fn a_body_that_is_not_an_object_is_malformed() {
    for body in ["[]", "null", "5", "\"x\""] {
        let expected = Rejection::MalformedJson("request body must be a JSON object".to_owned());
        assert_eq!(parse(body), Err(expected));
    }
}
