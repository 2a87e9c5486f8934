//! Schemas as Rust: attributes for the derive on a type, or a builder where there is no type. Part
//! of build.rs.

use serde_json::{Value, json};

use super::super::members;
use super::rust::{
    deprecated, extended, extension_members, extensions, literal, parsed, texts, tokens,
};

/// Constraints by keyword: the method of utoipa's builders, which is also the key of its derive.
const CONSTRAINTS: [(&str, &str); 10] = [
    ("minimum", "minimum"),
    ("maximum", "maximum"),
    ("exclusiveMinimum", "exclusive_minimum"),
    ("exclusiveMaximum", "exclusive_maximum"),
    ("multipleOf", "multiple_of"),
    ("minLength", "min_length"),
    ("maxLength", "max_length"),
    ("pattern", "pattern"),
    ("minItems", "min_items"),
    ("maxItems", "max_items"),
];
const FLAGS: [(&str, &str); 2] = [("readOnly", "read_only"), ("writeOnly", "write_only")];
/// Formats that a Rust type stands for.
const TYPED_FORMATS: [&str; 6] = ["uuid", "date-time", "int32", "int64", "float", "double"];
/// What a field's type and the attributes of its derive can say together.
const DERIVABLE: [&str; 9] = [
    "type",
    "format",
    "oneOf",
    "anyOf",
    "nullable",
    "description",
    "example",
    "items",
    "additionalProperties",
];
const REFERENCE: &str = "#/components/schemas/";

/// A property with a type of its own gets attributes for the derive; one without, a function.
pub(super) fn prepare_property(
    spec: &Value,
    source: &Value,
    made: &mut Value,
    function: String,
) -> Option<Value> {
    if let Some(description) = source["description"].as_str() {
        made["x-property-doc"] = json!(literal(description));
    }
    let target = source["$ref"].as_str();
    let named = target.map(|target| referenced(spec, target));
    if named.is_some_and(has_type) {
        return None;
    }
    if let Some(schema) = named {
        *made = schema.clone();
    }
    if named.is_some() || !is_derivable(source) {
        made["x-attributes"] = json!(format!("schema_with = super::document::{function}"));
        return Some(json!({"function": function, "schema": schema(spec, source)}));
    }
    let attributes = attributes(source);
    if !attributes.is_empty() {
        made["x-attributes"] = json!(attributes);
    }
    None
}

/// Whether the derive can make all of this property's schema.
fn is_derivable(schema: &Value) -> bool {
    let is_known = |key: &str| {
        let is_constraint = CONSTRAINTS
            .iter()
            .chain(&FLAGS)
            .any(|(known, _)| *known == key);
        is_constraint || DERIVABLE.contains(&key) || key.starts_with("x-")
    };
    let items = &schema["items"];
    let has_plain_items = items.is_null() || members(Some(items)).all(|(key, _)| key == "$ref");
    has_plain_items
        && !schema["additionalProperties"].is_object()
        && members(Some(schema)).all(|(key, _)| is_known(key))
}

/// What `#[schema(..)]` of a field says: everything that its Rust type does not.
fn attributes(schema: &Value) -> String {
    let mut attributes = Vec::new();
    for (keyword, name) in CONSTRAINTS {
        if let Some(value) = schema.get(keyword) {
            attributes.push(format!("{name} = {}", tokens(value)));
        }
    }
    for (keyword, name) in FLAGS {
        if schema[keyword] == true {
            attributes.push(name.to_owned());
        }
    }
    if let Some(format) = untyped_format(schema) {
        attributes.push(format!("format = {}", literal(format)));
    }
    if let Some(example) = schema.get("example") {
        attributes.push(format!("example = json!({})", tokens(example)));
    }
    let extensions: Vec<String> = extension_members(schema)
        .map(|(key, value)| format!("({} = json!({}))", literal(key), tokens(value)))
        .collect();
    if !extensions.is_empty() {
        attributes.push(format!("extensions({})", extensions.join(", ")));
    }
    attributes.join(", ")
}

/// Statements that give `object` what the derive of a struct or an enum has no attribute for.
pub(super) fn object_changes(schema: &Value) -> String {
    let mut changes = String::new();
    for (keyword, name) in FLAGS {
        if schema[keyword] == true {
            changes += &format!("object.{name} = Some(true);");
        }
    }
    for (keyword, name) in [
        ("minProperties", "min_properties"),
        ("maxProperties", "max_properties"),
    ] {
        if let Some(bound) = schema.get(keyword) {
            changes += &format!("object.{name} = Some({bound});");
        }
    }
    if let Some(title) = schema["title"].as_str() {
        changes += &format!("object.title = Some({}.into());", literal(title));
    }
    if schema["deprecated"] == true {
        changes += "object.deprecated = Some(Deprecated::True);";
    }
    if let Some(Value::Bool(is_open)) = schema.get("additionalProperties") {
        changes += &format!(
            "object.additional_properties = \
             Some(Box::new(AdditionalProperties::FreeForm({is_open})));"
        );
    }
    if let Some(example) = schema.get("example") {
        changes += &format!("object.example = Some({});", parsed(example));
    }
    if extension_members(schema).next().is_some() {
        changes += &format!("object.extensions = {};", extensions(schema, &[], &[]));
    }
    changes
}

/// A schema that no Rust type stands for: of a parameter, a header or a map.
pub(super) fn schema(spec: &Value, schema: &Value) -> String {
    if let Some(target) = schema["$ref"].as_str() {
        return match target.strip_prefix(REFERENCE) {
            Some(name) if has_type(referenced(spec, target)) => {
                format!("reference::<models::{name}>()")
            }
            _ => format!("Ref::new({})", literal(target)),
        };
    }
    if schema["type"] == "array" {
        let items = self::schema(spec, &schema["items"]);
        return constrained(&format!("ArrayBuilder::new().items({items})"), schema);
    }
    let mut start = format!("ObjectBuilder::new().schema_type({})", types(schema));
    if let Some(values) = schema.get("enum") {
        start += &format!(".enum_values(Some({}))", tokens(values));
    }
    if let Some(format) = schema["format"].as_str() {
        start += &format!(
            ".format(Some(SchemaFormat::Custom({}.into())))",
            literal(format)
        );
    }
    let further = match schema.get("additionalProperties") {
        Some(Value::Bool(is_open)) => Some(format!("AdditionalProperties::FreeForm({is_open})")),
        Some(further) => Some(self::schema(spec, further)),
        None => None,
    };
    if let Some(further) = further {
        start += &format!(".additional_properties(Some({further}))");
    }
    constrained(&start, schema)
}

fn constrained(start: &str, schema: &Value) -> String {
    let mut made = texts(start, schema, &[], &["title", "description"]) + deprecated(schema);
    for (keyword, method) in FLAGS {
        if let Some(flag) = schema.get(keyword) {
            made += &format!(".{method}({flag})");
        }
    }
    for (keyword, method) in CONSTRAINTS {
        if let Some(value) = schema.get(keyword) {
            made += &format!(".{method}(Some({}))", tokens(value));
        }
    }
    if let Some(is_unique) = schema.get("uniqueItems") {
        made += &format!(".unique_items({is_unique})");
    }
    for keyword in ["default", "example"] {
        if let Some(value) = schema.get(keyword) {
            made += &format!(".{keyword}(Some({}))", parsed(value));
        }
    }
    if let Some(examples) = schema.get("examples") {
        made += &format!(".examples({})", tokens(examples));
    }
    // utoipa has no field for `const`.
    made + &extended(schema, &["const"])
}

fn types(schema: &Value) -> String {
    let one = |name: &Value| {
        let name = name.as_str().unwrap_or_default();
        let (first, rest) = name.split_at(name.len().min(1));
        format!("Type::{}{rest}", first.to_uppercase())
    };
    match &schema["type"] {
        Value::Array(several) => {
            let several: Vec<String> = several.iter().map(one).collect();
            format!("SchemaType::from_iter([{}])", several.join(", "))
        }
        name if schema["nullable"] == true => {
            format!("SchemaType::from_iter([{}, Type::Null])", one(name))
        }
        name => one(name),
    }
}

fn untyped_format(schema: &Value) -> Option<&str> {
    let format = schema["format"].as_str();
    format.filter(|format| !TYPED_FORMATS.contains(format))
}

/// Whether the models have a type for this component.
pub(super) fn has_type(schema: &Value) -> bool {
    schema.get("properties").is_some() || schema.get("enum").is_some()
}

fn referenced<'a>(spec: &'a Value, target: &str) -> &'a Value {
    spec.pointer(target.trim_start_matches('#'))
        .unwrap_or(&Value::Null)
}
