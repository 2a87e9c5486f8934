//! Parameters of path, query and headers: finds, decodes and validates them.

use std::borrow::Cow;

use actix_web::HttpRequest;
use serde_json::{Map, Value, json};

use super::schema::Schema;
use super::{Operation, Violation};

/// Location of a parameter. The locations are read one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Location {
    Path,
    Query,
    Header,
}

impl Location {
    /// Returns the value of `in` in a spec.
    pub(super) fn keyword(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Boolean,
}

/// A parameter of one operation.
#[derive(Debug)]
pub(super) struct Parameter {
    name: String,
    kind: Kind,
    /// For an array, `true` if each item is a parameter and `false` if commas separate the items.
    list: Option<bool>,
    required: bool,
    default: Option<Value>,
    schema: Schema,
}

impl Parameter {
    /// Compiles one resolved parameter object of `spec`.
    pub(super) fn compile(
        spec: &Value,
        object: &Value,
        location: Location,
    ) -> Result<Self, String> {
        let name = object["name"].as_str().unwrap_or_default().to_owned();
        let schema = resolve(spec, &object["schema"]);
        let is_list = schema["type"] == "array";
        let scalar = if is_list {
            resolve(spec, &schema["items"])
        } else {
            schema
        };
        let kind = match scalar["type"].as_str() {
            Some("integer") => Kind::Integer,
            Some("boolean") => Kind::Boolean,
            _ => Kind::Text,
        };
        // Headers are only checked for their type, because HTTP defines their content: an entity
        // tag of another form is valid and matches nothing. The pattern informs readers of the
        // spec.
        let rules = match location {
            Location::Header => json!({"type": schema["type"]}),
            Location::Path | Location::Query => schema.clone(),
        };
        Ok(Self {
            schema: Schema::compile(spec, &rules).map_err(|why| format!("{name}: {why}"))?,
            name,
            kind,
            // Absent means true for `form`, the only style of a list here:
            // <https://spec.openapis.org/oas/v3.1.0#parameter-object>.
            list: is_list.then(|| object["explode"] != false),
            required: object["required"] == true,
            default: schema.get("default").cloned(),
        })
    }

    /// Puts the value of the parameter, if present, into `values`. Returns its violation.
    pub(super) fn read(&self, raw: &Raw<'_>, values: &mut Map<String, Value>) -> Option<Violation> {
        match self.value(raw) {
            Ok(Some(value)) => drop(values.insert(self.name.clone(), value)),
            Ok(None) => {}
            Err(message) => return Some(Violation::new(&self.name, message)),
        }
        None
    }

    fn value(&self, raw: &Raw<'_>) -> Result<Option<Value>, String> {
        let texts = raw.get(&self.name)?;
        let value = match (self.list, texts.as_slice()) {
            (_, []) if self.required => return Err("is required".to_owned()),
            (_, []) => return Ok(self.default.clone()),
            (Some(true), texts) => self.list(texts.iter().map(|text| raw.decode(text)))?,
            // Split before decoding, so that an encoded comma belongs to its item (RFC 3986,
            // section 2.4).
            (Some(false), [text]) => self.list(text.split(',').map(|text| raw.decode(text)))?,
            (None, [text]) => self.kind.parse(&raw.decode(text)?)?,
            (_, _) => return Err("must not be given more than once".to_owned()),
        };
        match self.schema.violations(&value).into_iter().next() {
            Some(violation) => Err(violation.message),
            None => Ok(Some(value)),
        }
    }

    fn list<'a>(
        &self,
        texts: impl Iterator<Item = Result<Cow<'a, str>, String>>,
    ) -> Result<Value, String> {
        texts
            .map(|text| self.kind.parse(&text?))
            .collect::<Result<_, _>>()
            .map(Value::Array)
    }
}

impl Kind {
    fn parse(self, text: &str) -> Result<Value, String> {
        match self {
            Self::Text => Ok(Value::from(text)),
            Self::Integer => {
                // Checked here, because `parse` would also accept a leading `+`.
                let digits = text.strip_prefix('-').unwrap_or(text);
                if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err("must be an integer".to_owned());
                }
                // An integer beyond i64 becomes a float, which the schema finds out of range.
                let value = text.parse::<i64>().map(Value::from);
                Ok(value.unwrap_or_else(|_| json!(text.parse::<f64>().unwrap_or(f64::MAX))))
            }
            Self::Boolean => match text {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                _ => Err("must be true or false".to_owned()),
            },
        }
    }
}

/// Undecoded parameters of one location of a request.
pub(super) enum Raw<'a> {
    /// Path template and path.
    Path(&'a str, &'a str),
    Query(Vec<(Cow<'a, str>, &'a str)>),
    Header(&'a HttpRequest),
}

impl<'a> Raw<'a> {
    pub(super) fn of(location: Location, request: &'a HttpRequest, template: &'a str) -> Self {
        match location {
            Location::Path => Self::Path(template, request.uri().path()),
            Location::Query => Self::Query(pairs(request.uri().query().unwrap_or_default())),
            Location::Header => Self::Header(request),
        }
    }

    fn get(&self, name: &str) -> Result<Vec<Cow<'a, str>>, String> {
        match self {
            // The router has matched the path, so that both have equally many segments.
            Self::Path(template, path) => Ok(template
                .split('/')
                .zip(path.split('/'))
                .filter(|(part, _)| {
                    part.strip_prefix('{')
                        .and_then(|part| part.strip_suffix('}'))
                        == Some(name)
                })
                .map(|(_, text)| Cow::Borrowed(text))
                .collect()),
            Self::Query(pairs) => Ok(pairs
                .iter()
                .filter(|(key, _)| key == name)
                .map(|(_, text)| Cow::Borrowed(*text))
                .collect()),
            Self::Header(request) => {
                let lines = request.headers().get_all(name);
                // Lossy, because a header may contain bytes that are not UTF-8 (`obs-text` in RFC
                // 9110, section 5.5).
                let texts: Vec<_> = lines
                    .map(|line| String::from_utf8_lossy(line.as_bytes()))
                    .collect();
                // Several lines of a header are one list:
                // <https://www.rfc-editor.org/rfc/rfc9110#section-5.3>.
                Ok(if texts.len() > 1 {
                    vec![texts.join(", ").into()]
                } else {
                    own(texts)
                })
            }
        }
    }

    fn decode<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, String> {
        match self {
            Self::Path(..) => decode(text, false),
            Self::Query(_) => decode(text, true),
            Self::Header(_) => Ok(Cow::Borrowed(text)),
        }
    }
}

fn own(texts: Vec<Cow<'_, str>>) -> Vec<Cow<'static, str>> {
    texts
        .into_iter()
        .map(|text| Cow::Owned(text.into_owned()))
        .collect()
}

/// Splits a query into pairs and decodes the keys. Skips a key that cannot be decoded, because it
/// cannot be the name of a parameter.
fn pairs(query: &str) -> Vec<(Cow<'_, str>, &str)> {
    let pairs = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs
        .filter_map(|(key, text)| Some((decode(key, true).ok()?, text)))
        .collect()
}

/// Decodes percent-encoding (RFC 3986, section 2.1). In a query, `+` is a space
/// (<https://url.spec.whatwg.org/#application/x-www-form-urlencoded>).
fn decode(text: &str, plus_is_space: bool) -> Result<Cow<'_, str>, String> {
    if !text
        .bytes()
        .any(|byte| byte == b'%' || (plus_is_space && byte == b'+'))
    {
        return Ok(Cow::Borrowed(text));
    }
    let wrong = || "is not percent-encoded UTF-8".to_owned();
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' if plus_is_space => b' ',
            b'%' => {
                // One digit at a time, because `from_str_radix` would accept a sign, as in `%+1`.
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let (high, low) = (digit().ok_or_else(wrong)?, digit().ok_or_else(wrong)?);
                (high * 16 + low) as u8
            }
            other => other,
        });
    }
    String::from_utf8(decoded)
        .map(Cow::Owned)
        .map_err(|_not_utf8| wrong())
}

/// Returns the decoded path parameter `name`, for use before the parameters are read. `None` if its
/// percent-encoding is wrong.
pub fn path_parameter<'a>(
    request: &'a HttpRequest,
    operation: &'static Operation,
    name: &str,
) -> Option<Cow<'a, str>> {
    let raw = Raw::of(Location::Path, request, operation.path);
    let Cow::Borrowed(text) = raw.get(name).ok()?.into_iter().next()? else {
        return None;
    };
    raw.decode(text).ok()
}

/// Follows a reference within the spec.
pub(super) fn resolve<'a>(spec: &'a Value, value: &'a Value) -> &'a Value {
    let target = value.get("$ref").and_then(Value::as_str);
    match target.and_then(|target| spec.pointer(target.strip_prefix('#')?)) {
        Some(target) => resolve(spec, target),
        None => value,
    }
}
