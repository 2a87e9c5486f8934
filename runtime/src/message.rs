//! Messages for violations, one per keyword. They quote the spec, never the request.

use serde_json::{Map, Value};

/// Message for null where the schema requires another type.
pub(super) const NULL: &str = "cannot be null";
/// Message for a field that a client cannot set.
pub(super) const READ_ONLY: &str = "is read-only";
/// Message for any other keyword.
pub(super) const OTHER: &str = "is not valid";
/// [`rank`] of most keywords.
pub(super) const OTHER_RANK: u8 = 3;

/// Returns the message for a violation of `keyword`. `None` for a keyword without its own message.
pub(super) fn message(keyword: &str, schema: &Map<String, Value>) -> Option<String> {
    let value = schema.get(keyword);
    let count = |one: &str, many: &str| counted(value, one, many);
    Some(match keyword {
        "type" => expected_type(value?),
        "required" | "dependentRequired" => "is required".to_owned(),
        "additionalProperties" => "unknown field".to_owned(),
        "enum" => one_of(value?.as_array()?),
        "const" => format!("must be {}", text(value)),
        "minimum" | "maximum" => range(schema.get("minimum"), schema.get("maximum")),
        "exclusiveMinimum" => format!("must be more than {}", text(value)),
        "exclusiveMaximum" => format!("must be less than {}", text(value)),
        "multipleOf" => format!("must be a multiple of {}", text(value)),
        "minLength" => format!("must be at least {}", count("character", "characters")),
        "maxLength" => format!("must be at most {}", count("character", "characters")),
        "minItems" => format!("must have at least {}", count("item", "items")),
        "maxItems" => format!("must have at most {}", count("item", "items")),
        "minProperties" => format!("must have at least {}", count("field", "fields")),
        "maxProperties" => format!("must have at most {}", count("field", "fields")),
        "uniqueItems" => "must not have the same item twice".to_owned(),
        "pattern" => match schema.get("x-message") {
            Some(message) => text(Some(message)),
            None => format!("must match {}", text(value)),
        },
        "format" => match value?.as_str()? {
            "uuid" => "must be a UUID".to_owned(),
            "date-time" => "must be an RFC 3339 date-time".to_owned(),
            _ => return None,
        },
        _ => return None,
    })
}

/// Returns the rank of a violation. Of several violations of one field, only the lowest rank is
/// reported: a wrong type explains more than a wrong length.
pub(super) fn rank(keyword: &str, schema: &Map<String, Value>) -> u8 {
    match keyword {
        "type" | "required" | "dependentRequired" | "additionalProperties" => 0,
        "enum" | "const" => 1,
        "pattern" if schema.contains_key("x-message") => 2,
        // Last, because a bare pattern explains less than any other message.
        "pattern" => 4,
        _ => OTHER_RANK,
    }
}

fn expected_type(types: &Value) -> String {
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
    match types {
        Value::Array(types) => {
            let names: Vec<_> = types.iter().map(name).collect();
            format!("must be {}", names.join(" or "))
        }
        single => format!("must be {}", name(single)),
    }
}

fn one_of(options: &[Value]) -> String {
    let names: Vec<_> = options
        .iter()
        .filter(|o| !o.is_null())
        .map(|o| text(Some(o)))
        .collect();
    let or_null = if names.len() < options.len() {
        ", or null"
    } else {
        ""
    };
    format!("must be one of: {}{or_null}", names.join(", "))
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

/// Writes a value of the spec as a client would, strings without quotes.
fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}
