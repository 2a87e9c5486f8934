//! Strict JSON parser: one value, no duplicate keys, no deep nesting. Not here: schemas.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Deepest nesting of arrays and objects, the outermost counted.
pub(super) const MAX_DEPTH: usize = 32;

/// U+FEFF in UTF-8. RFC 8259, section 8.1, forbids senders to begin with it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

const BEGINS_WITH_MARK: &str =
    "request body begins with a byte order mark (U+FEFF): send UTF-8 without it";
const DUPLICATE_KEY: &str = "request body has the same key twice in one object";
const TOO_DEEP: &str = "request body is nested more than 32 levels deep";

/// Parses `bytes` as exactly one JSON value. The error is a message that a client may read.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, String> {
    if bytes.starts_with(BYTE_ORDER_MARK) {
        return Err(BEGINS_WITH_MARK.to_owned());
    }
    let message = Cell::new(None);
    let reader = Strict {
        depth: MAX_DEPTH,
        message: &message,
    };
    let mut source = serde_json::Deserializer::from_slice(bytes);
    let parsed = reader
        .deserialize(&mut source)
        .and_then(|value| source.end().map(|()| value));
    parsed.map_err(|error| match message.get() {
        Some(message) => message.to_owned(),
        None => format!(
            "request body is not valid JSON (line {}, column {})",
            error.line(),
            error.column()
        ),
    })
}

/// Visitor that builds a value of at most `depth` further levels.
#[derive(Clone, Copy)]
struct Strict<'a> {
    depth: usize,
    /// Message of the broken rule, because serde's errors carry text and position only.
    message: &'a Cell<Option<&'static str>>,
}

impl Strict<'_> {
    fn refuse<E: Error>(&self, message: &'static str) -> E {
        self.message.set(Some(message));
        E::custom(message)
    }

    fn descend<E: Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => Err(self.refuse(TOO_DEEP)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    /// Turns `30.0` and `3e1` into the integer 30, as JSON Schema defines an integer
    /// (<https://json-schema.org/draft/2020-12/json-schema-validation#section-6.1.1>).
    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        // 2^53: up to here a float without a fraction is exactly one integer.
        const LIMIT: f64 = 9_007_199_254_740_992.0;
        if value.fract() == 0.0 && (-LIMIT..=LIMIT).contains(&value) {
            return Ok(Value::from(value as i64));
        }
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("not finite"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.descend()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.descend()?;
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(inner)?;
            // Parsers disagree about which of two equal keys wins (RFC 8259, section 4), so that a
            // proxy in front could check another value than the one stored here.
            if object.insert(key, value).is_some() {
                return Err(self.refuse(DUPLICATE_KEY));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nested(depth: usize) -> String {
        format!("{}{}", "[".repeat(depth), "]".repeat(depth))
    }

    #[test]
    fn one_json_value_is_read_as_it_stands() {
        for (text, expected) in [
            (
                r#"{"a":{"b":[1,null,true]},"b":"x"}"#,
                json!({"a": {"b": [1, null, true]}, "b": "x"}),
            ),
            (r#" "\u0000" "#, json!("\0")),
            (r#""\ud83d\ude00""#, json!("😀")),
            ("18446744073709551615", json!(u64::MAX)),
            ("30.0", json!(30)),
            ("3e1", json!(30)),
            ("-0.0", json!(0)),
            ("30.5", json!(30.5)),
            ("1e300", json!(1e300)),
        ] {
            assert_eq!(parse(text.as_bytes()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_one_json_value_is_refused() {
        let invalid_utf8: &[u8] = b"\"\xff\"";
        for bytes in [
            b"".as_slice(),
            b"{",
            b"{} {}",
            b"{}x",
            b"{\"a\":1,}",
            b"{'a':1}",
            b"NaN",
            b"1e999",
            b"01",
            b"\"\\ud83d\"",
            b"\"\0\"",
            invalid_utf8,
        ] {
            let refusal = parse(bytes).expect_err("not JSON");
            assert!(
                refusal.starts_with("request body is not valid JSON (line 1, "),
                "{refusal}"
            );
        }
    }

    #[test]
    fn a_byte_order_mark_is_refused_by_its_name() {
        for bytes in [b"\xef\xbb\xbf{}".as_slice(), b"\xef\xbb\xbf"] {
            assert_eq!(parse(bytes), Err(BEGINS_WITH_MARK.to_owned()), "{bytes:?}");
        }
    }

    #[test]
    fn a_key_twice_is_refused_at_any_level() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"x":{"a":1,"b":2,"\u0061":3}}]"#] {
            assert_eq!(
                parse(text.as_bytes()),
                Err(DUPLICATE_KEY.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn more_than_32_levels_are_refused() {
        assert!(parse(nested(32).as_bytes()).is_ok());
        for depth in [33, 200, 30_000] {
            assert_eq!(
                parse(nested(depth).as_bytes()),
                Err(TOO_DEEP.to_owned()),
                "{depth}"
            );
        }
    }
}
