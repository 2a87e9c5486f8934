//! Pieces of Rust text: literals, calls on utoipa's builders, vendor extensions. Part of build.rs.

use serde_json::Value;

use super::super::{Object, members};

pub(super) fn deprecated(object: &Value) -> &str {
    match object["deprecated"] == true {
        true => ".deprecated(Some(Deprecated::True))",
        false => "",
    }
}

/// `start`, and a call for each of these members that is there: plain ones, then those in `Some`.
pub(super) fn texts(start: &str, object: &Value, plain: &[&str], optional: &[&str]) -> String {
    let mut calls = start.to_owned();
    for method in plain {
        if let Some(text) = object[camel_case(method)].as_str() {
            calls += &format!(".{method}({})", literal(text));
        }
    }
    for method in optional {
        if let Some(text) = object[camel_case(method)].as_str() {
            calls += &format!(".{method}(Some({}))", literal(text));
        }
    }
    calls
}

/// A call that adds the vendor extensions and the members in `also`, if there are any.
pub(super) fn extended(object: &Value, also: &[&str]) -> String {
    let has_any = extension_members(object).next().is_some()
        || also.iter().any(|key| object.get(key).is_some());
    match has_any {
        true => format!(".extensions({})", extensions(object, &[], also)),
        false => String::new(),
    }
}

/// The vendor extensions but those in `except`, and the members in `also`.
pub(super) fn extensions(object: &Value, except: &[&str], also: &[&str]) -> String {
    let also = also
        .iter()
        .filter_map(|key| object.get(key).map(|value| (*key, value)));
    let entries: Vec<String> = extension_members(object)
        .filter(|(key, _)| !except.contains(key))
        .chain(also)
        .map(|(key, value)| format!("({}, {})", literal(key), parsed(value)))
        .collect();
    format!("extensions([{}])", entries.join(", "))
}

pub(super) fn extension_members(object: &Value) -> impl Iterator<Item = (&str, &Value)> {
    members(Some(object))
        .map(|(key, value)| (key.as_str(), value))
        .filter(|(key, _)| key.starts_with("x-"))
}

/// A string as Rust writes it.
pub(super) fn literal(text: &str) -> String {
    format!("{text:?}")
}

/// A value that is parsed when the document is built.
pub(super) fn parsed(value: &Value) -> String {
    format!("json({})", literal(&value.to_string()))
}

/// A value as Rust writes it, or as the `json!` of utoipa's derive reads it.
pub(super) fn tokens(value: &Value) -> String {
    match value {
        Value::String(text) => literal(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(tokens).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(object) => object_tokens(object),
        scalar => scalar.to_string(),
    }
}

fn object_tokens(object: &Object) -> String {
    let entries: Vec<String> = object
        .iter()
        .map(|(key, value)| format!("{}: {}", literal(key), tokens(value)))
        .collect();
    format!("{{{}}}", entries.join(", "))
}

fn camel_case(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |made, part| {
        let (initial, rest) = part.split_at(part.len().min(1));
        made + &initial.to_uppercase() + rest
    })
}

pub(super) fn snake_case(name: &str) -> String {
    let mut made = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !made.is_empty() && !made.ends_with('_') {
            made.push('_');
        }
        match character.is_alphanumeric() {
            true => made.extend(character.to_lowercase()),
            false => made.push('_'),
        }
    }
    made
}
