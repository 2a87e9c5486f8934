//! Parsers of values that several commands have.

use std::str::FromStr;

use strum::VariantArray;

/// Reads a value of an enumeration by its text.
pub(super) fn text_enum<T>(text: &str) -> Result<T, String>
where
    T: FromStr + VariantArray + Copy + Into<&'static str>,
{
    let all: Vec<&str> = T::VARIANTS.iter().map(|value| (*value).into()).collect();
    let parsed = text.parse();
    parsed.map_err(|_other_text| format!("must be one of: {}", all.join(", ")))
}
