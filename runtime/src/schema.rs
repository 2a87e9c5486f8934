//! Validator of one schema of the spec, which reports every violation by field.

use std::borrow::Cow;
use std::collections::HashMap;
use std::str::FromStr;

use jsonschema::error::{ValidationError, ValidationErrorKind};
use jsonschema::paths::Location;
use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};

use super::Violation;
use super::message::{self, message, rank};

/// Maximum number of reported violations. Bounds the response to a body of unknown fields.
const MAX_VIOLATIONS: usize = 100;

/// Path of the entry for further violations. Sorts after every field of a spec.
const LEFT_OUT: &str = "…";

/// Compiled schema.
#[derive(Debug)]
pub(super) struct Schema {
    /// Rule of each keyword, by the location that the validator reports.
    rules: HashMap<Location, Rule>,
    validator: Validator,
}

/// Message and rank for violations of one keyword.
#[derive(Debug)]
struct Rule {
    rank: u8,
    message: Cow<'static, str>,
    /// Properties that are refused because they are read-only.
    read_only: Vec<String>,
}

/// Rule for keywords without their own message.
static OTHER: Rule = Rule {
    rank: message::OTHER_RANK,
    message: Cow::Borrowed(message::OTHER),
    read_only: Vec::new(),
};

impl Rule {
    /// Returns the rule of `keyword`, or `None` if it has no message of its own.
    fn of(keyword: &str, schema: &Map<String, Value>) -> Option<Self> {
        let read_only = match keyword {
            "additionalProperties" => schema.get("x-read-only").and_then(Value::as_array),
            _ => None,
        };
        let names = read_only.into_iter().flatten().filter_map(Value::as_str);
        Some(Self {
            message: message(keyword, schema)?.into(),
            rank: rank(keyword, schema),
            read_only: names.map(str::to_owned).collect(),
        })
    }

    /// Returns the message for the unexpected property `name`.
    fn message_for(&self, name: &String) -> &str {
        if self.read_only.contains(name) {
            message::READ_ONLY
        } else {
            &self.message
        }
    }
}

impl Schema {
    /// Compiles `schema`, whose references point into `components` of `spec`.
    pub(super) fn compile(spec: &Value, schema: &Value) -> Result<Self, String> {
        let mut schemas = Map::new();
        collect_references(spec, schema, &mut schemas);
        // Wrapped, so that the references of the schema resolve within one document.
        let mut document = json!({"allOf": [schema], "components": {"schemas": schemas}});
        normalise(&mut document["allOf"][0]);
        if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
            schemas.values_mut().for_each(normalise);
        }
        let validator = jsonschema::options()
            // The formats are parsed like the generated types, so that a valid value always
            // converts.
            .with_draft(Draft::Draft202012)
            .with_format("uuid", |text: &str| uuid::Uuid::try_parse(text).is_ok())
            .with_format("date-time", |text: &str| {
                chrono::DateTime::<chrono::Utc>::from_str(text).is_ok()
            })
            // Draft 2020-12 does not validate formats by default:
            // <https://json-schema.org/draft/2020-12/json-schema-validation#section-7.2.1>.
            .should_validate_formats(true)
            .build(&document)
            .map_err(|error| format!("{}: {error}", error.instance_path()))?;
        let mut rules = HashMap::new();
        collect_rules(&Location::new(), &document, &mut rules);
        Ok(Self { rules, validator })
    }

    /// Returns the violations of `instance`: one per field, sorted by path. Beyond
    /// [`MAX_VIOLATIONS`], one more says how many were left out.
    pub(super) fn violations(&self, instance: &Value) -> Vec<Violation> {
        let mut found = Vec::new();
        for error in self.validator.iter_errors(instance) {
            self.describe(&error, &mut found);
        }
        // By rank within a path, because only the first violation of each path is kept.
        found.sort_by(|(rank, a), (other_rank, b)| a.path.cmp(&b.path).then(rank.cmp(other_rank)));
        found.dedup_by(|(_, later), (_, first)| later.path == first.path);
        let left_out = found.len().saturating_sub(MAX_VIOLATIONS);
        let left_out =
            (left_out > 0).then(|| Violation::new(LEFT_OUT, format!("and {left_out} more")));
        let found = found.into_iter().map(|(_, violation)| violation);
        found.take(MAX_VIOLATIONS).chain(left_out).collect()
    }

    fn describe(&self, error: &ValidationError<'_>, found: &mut Vec<(u8, Violation)>) {
        let rule = match error.kind() {
            // Reported at the location of a schema, which may equal the location of a keyword.
            ValidationErrorKind::FalseSchema => None,
            _ => self.rules.get(error.schema_path()),
        };
        let rule = rule.unwrap_or(&OTHER);
        let path = dotted(error.instance_path());
        let mut report = |path: String, message: &str| {
            found.push((rule.rank, Violation::new(path, message)));
        };
        match error.kind() {
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                // The validator names the object, but a client looks for the missing field.
                report(child(&path, name), &rule.message);
            }
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                for name in unexpected {
                    report(child(&path, name), rule.message_for(name));
                }
            }
            ValidationErrorKind::Type { .. }
            | ValidationErrorKind::Enum { .. }
            | ValidationErrorKind::Constant { .. }
                if error.instance().is_null() =>
            {
                report(path, message::NULL);
            }
            _ => report(path, &rule.message),
        }
    }
}

/// Collects the rules of all keywords of `schema`, which is at `location`. Examples are searched as
/// well, without an effect, because the validator reports no location inside an example.
fn collect_rules(location: &Location, schema: &Value, rules: &mut HashMap<Location, Rule>) {
    match schema {
        Value::Object(members) => {
            for (keyword, value) in members {
                let location = location.join(keyword);
                collect_rules(&location, value, rules);
                if let Some(rule) = Rule::of(keyword, members) {
                    rules.insert(location, rule);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect_rules(&location.join(index), item, rules);
            }
        }
        _ => {}
    }
}

/// Splits a JSON pointer (RFC 6901, section 4). Unlike the functions of the pointer crates, it
/// allocates only for a part with an escaped character, which is rare.
fn segments(pointer: &str) -> impl Iterator<Item = Cow<'_, str>> {
    pointer.split('/').skip(1).map(|part| {
        if part.contains('~') {
            // `~0` last, because `~01` means `~1` and not `/`.
            Cow::Owned(part.replace("~1", "/").replace("~0", "~"))
        } else {
            Cow::Borrowed(part)
        }
    })
}

/// Returns the dotted path of a field, with a single allocation.
fn dotted(location: &Location) -> String {
    let pointer = location.as_str();
    let mut path = String::with_capacity(pointer.len());
    for segment in segments(pointer) {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(&segment);
    }
    path
}

fn child(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// Collects the named schemas that `schema` refers to, directly or through others. Copies of all
/// schemas for every parameter would take most of the server's memory.
fn collect_references(spec: &Value, schema: &Value, found: &mut Map<String, Value>) {
    let reference = schema.get("$ref").and_then(Value::as_str);
    if let Some(name) = reference.and_then(|target| target.strip_prefix("#/components/schemas/"))
        && !found.contains_key(name)
    {
        let named = &spec["components"]["schemas"][name];
        // Inserted before its own references are followed, because a schema may refer to itself.
        found.insert(name.to_owned(), named.clone());
        collect_references(spec, named, found);
    }
    match schema {
        Value::Object(members) => members
            .values()
            .for_each(|member| collect_references(spec, member, found)),
        Value::Array(items) => items
            .iter()
            .for_each(|item| collect_references(spec, item, found)),
        _ => {}
    }
}

/// Turns a schema of OpenAPI 3.1 into the JSON Schema that the generated types agree with.
fn normalise(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    bound_integers(object);
    // Before the loop, which also normalises the `else` that this makes.
    unfold_null_choice(object);
    // The whole rule in place of the part that every engine of a client can compile.
    if let Some(pattern) = object.remove("x-quietline-pattern") {
        object.insert("pattern".to_owned(), pattern);
    }
    // Only formats that become a Rust type are checked. Rules for text are patterns.
    object.retain(|key, value| {
        key != "format" || matches!(value.as_str(), Some("uuid" | "date-time"))
    });
    for (key, value) in object.iter_mut() {
        match (key.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                properties.values_mut().for_each(normalise);
            }
            ("items" | "additionalProperties" | "else", inner) => normalise(inner),
            _ => {}
        }
    }
}

/// Bounds an integer to its Rust type. The bounds are in a schema of their own, because messages
/// quote the bounds of the spec.
fn bound_integers(object: &mut Map<String, Value>) {
    let is_integer = |kind: &Value| kind == "integer";
    let is_integer = object.get("type").is_some_and(|kind| {
        is_integer(kind)
            || kind
                .as_array()
                .is_some_and(|kinds| kinds.iter().any(is_integer))
    });
    if is_integer {
        let bounds = match object.get("format").and_then(Value::as_str) {
            Some("int64") => json!({"minimum": i64::MIN, "maximum": i64::MAX}),
            // The generator uses `i32` for an integer without a format.
            _ => json!({"minimum": i32::MIN, "maximum": i32::MAX}),
        };
        object.insert("allOf".to_owned(), json!([bounds]));
    }
}

/// Turns "this or null" into a condition, so that violations inside "this" keep their location.
fn unfold_null_choice(object: &mut Map<String, Value>) {
    let is_null_type = |choice: &Value| choice.get("type").is_some_and(|kind| kind == "null");
    for keyword in ["oneOf", "anyOf"] {
        let Some(Value::Array(choices)) = object.remove(keyword) else {
            continue;
        };
        for choice in choices.into_iter().filter(|choice| !is_null_type(choice)) {
            object.insert("if".to_owned(), json!({"type": "null"}));
            object.insert("else".to_owned(), choice);
        }
    }
}
