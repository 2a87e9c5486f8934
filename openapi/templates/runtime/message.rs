//! Words for a broken rule, one text per keyword. They quote the spec, never the request.

use serde_json::{Map, Value};

/// What is wrong with `instance`, given the schema object that holds the broken `keyword`.
pub(super) fn message(keyword: &str, schema: &Map<String, Value>, instance: &Value) -> String {
    let limit = |name: &str| schema.get(name);
    match keyword {
        "type" | "enum" | "const" if instance.is_null() => "cannot be null".to_owned(),
        "type" => expected_type(schema),
        "enum" => one_of(limit("enum")),
        "const" => format!("must be {}", text(limit("const"))),
        "minimum" | "maximum" => range(limit("minimum"), limit("maximum")),
        "exclusiveMinimum" => format!("must be more than {}", text(limit(keyword))),
        "exclusiveMaximum" => format!("must be less than {}", text(limit(keyword))),
        "multipleOf" => format!("must be a multiple of {}", text(limit(keyword))),
        "minLength" => format!(
            "must be at least {}",
            counted(limit(keyword), "character", "characters")
        ),
        "maxLength" => format!(
            "must be at most {}",
            counted(limit(keyword), "character", "characters")
        ),
        "minItems" => format!(
            "must have at least {}",
            counted(limit(keyword), "item", "items")
        ),
        "maxItems" => format!(
            "must have at most {}",
            counted(limit(keyword), "item", "items")
        ),
        "minProperties" => format!(
            "must have at least {}",
            counted(limit(keyword), "field", "fields")
        ),
        "maxProperties" => format!(
            "must have at most {}",
            counted(limit(keyword), "field", "fields")
        ),
        "uniqueItems" => "must not have the same item twice".to_owned(),
        "pattern" => match limit("x-message") {
            Some(words) => text(Some(words)),
            None => format!("must match {}", text(limit(keyword))),
        },
        "format" => match limit(keyword).and_then(Value::as_str) {
            Some("uuid") => "must be a UUID".to_owned(),
            Some("date-time") => "must be an RFC 3339 date-time".to_owned(),
            _ => GENERIC.to_owned(),
        },
        _ => GENERIC.to_owned(),
    }
}

const GENERIC: &str = "is not valid";

/// Which of several broken rules of one field is told: the lowest. A wrong type explains more than
/// a wrong length, and a pattern with its own words explains more than either.
pub(super) fn rank(keyword: &str, schema: &Map<String, Value>) -> u8 {
    match keyword {
        "type" | "required" | "additionalProperties" => 0,
        "enum" | "const" => 1,
        "pattern" if schema.contains_key("x-message") => 2,
        "pattern" => 4,
        _ => 3,
    }
}

fn expected_type(schema: &Map<String, Value>) -> String {
    let name = |value: &Value| match value.as_str() {
        Some("integer") => "an integer",
        Some("object") => "an object",
        Some("array") => "an array",
        Some("string") => "a string",
        Some("boolean") => "a boolean",
        Some("number") => "a number",
        Some("null") => "null",
        _ => "another type",
    };
    match schema.get("type") {
        Some(Value::Array(types)) => {
            format!(
                "must be {}",
                types.iter().map(name).collect::<Vec<_>>().join(" or ")
            )
        }
        Some(single) => format!("must be {}", name(single)),
        None => GENERIC.to_owned(),
    }
}

fn one_of(options: Option<&Value>) -> String {
    let options = options
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let words: Vec<_> = options
        .iter()
        .filter(|o| !o.is_null())
        .map(|o| text(Some(o)))
        .collect();
    let or_null = if words.len() < options.len() {
        ", or null"
    } else {
        ""
    };
    format!("must be one of: {}{or_null}", words.join(", "))
}

fn range(minimum: Option<&Value>, maximum: Option<&Value>) -> String {
    match (minimum, maximum) {
        (Some(_), Some(_)) => format!("must be between {} and {}", text(minimum), text(maximum)),
        (Some(_), None) => format!("must be at least {}", text(minimum)),
        _ => format!("must be at most {}", text(maximum)),
    }
}

fn counted(limit: Option<&Value>, one: &str, many: &str) -> String {
    let unit = if limit.and_then(Value::as_u64) == Some(1) {
        one
    } else {
        many
    };
    format!("{} {unit}", text(limit))
}

/// A value of the spec as a client would write it, strings without quotes.
fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}
