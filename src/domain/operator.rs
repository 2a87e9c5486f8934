//! Operators at the command line, as the audit log records them. Operators name themselves, so that
//! the name proves nothing.

use crate::error::Violation;

use super::display_text;

/// Operator who runs a command, and the reason for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Name, which customers never see.
    pub name: String,
    /// Reason, which the customer's audit log shows.
    pub reason: Option<String>,
}

impl Operator {
    /// Maximum length of a name and of a reason, in Unicode code points.
    const MAX_CHARS: usize = 200;

    /// Trims and checks a name.
    ///
    /// # Errors
    /// [`Violation`] of `as`, with the rule as its message.
    pub fn parse_name(text: &str) -> Result<String, Violation> {
        parse("as", text)
    }

    /// Trims and checks a reason.
    ///
    /// # Errors
    /// [`Violation`] of `reason`, with the rule as its message.
    pub fn parse_reason(text: &str) -> Result<String, Violation> {
        parse("reason", text)
    }
}

fn parse(path: &'static str, text: &str) -> Result<String, Violation> {
    let parsed = display_text::parse(text, Operator::MAX_CHARS);
    parsed
        .map(str::to_owned)
        .map_err(|rule| Violation::new(path, rule))
}
