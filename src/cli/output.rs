//! Output of commands: data on standard output, for people or as JSON, and errors on standard
//! error. Also the files that commands create.

use std::borrow::Cow;
use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;

use serde_json::Value;

use crate::domain::display_text::is_visible;
use crate::error::BoxError;

/// Destination and format of data.
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints `value` as JSON, or `text` for people.
    pub(super) fn print(&mut self, value: &Value, text: &str) -> Result<(), BoxError> {
        if self.json {
            self.print_plain(&format!("{value:#}"))
        } else {
            self.print_plain(text)
        }
    }

    /// Prints `text` in either format. A closed pipe is not an error, as in `quietline org list |
    /// head -1`.
    pub(super) fn print_plain(&mut self, text: &str) -> Result<(), BoxError> {
        match announce(text) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            printed => Ok(printed?),
        }
    }
}

/// Prints a line for the operator who starts the server, in either format.
pub(super) fn announce(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", visible(line))?;
    stdout.flush()
}

/// Escapes characters of `text` that would control a terminal or that are invisible, because
/// customers choose much of the output. The escapes are the escapes of JSON, so that JSON output
/// stays valid.
fn visible(text: &str) -> Cow<'_, str> {
    let is_escaped = |c: char| match c {
        '\n' => false,
        // White space that is neither a control character nor breaks the line.
        '\u{2028}' | '\u{2029}' => true,
        _ => !is_visible(c) && (c.is_control() || !c.is_whitespace()),
    };
    if !text.contains(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_escaped(c) {
            let mut units = [0; 2];
            let units = c.encode_utf16(&mut units).iter();
            shown.extend(units.map(|unit| format!("\\u{unit:04x}")));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Prints the reason why a command failed.
pub(super) fn print_error(message: &str) {
    let message = visible(message);
    // Without a standard error, the log is the only place left.
    let written = writeln!(io::stderr().lock(), "error: {message}");
    written.unwrap_or_else(|_| log::error!("{message}"));
}

/// Creates a new file that only its owner can read. Fails if the file exists.
pub(super) fn create_private(path: &str) -> io::Result<File> {
    let mut options = OpenOptions::new();
    // With the mode from the start, because other users could open the file before a later
    // change of its mode.
    options.write(true).create_new(true).mode(0o600).open(path)
}

/// Formats lines of `name: value`, with the values in one column.
pub(super) fn table(rows: &[(&str, String)]) -> String {
    let width = rows
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or_default();
    let lines: Vec<String> = rows
        .iter()
        .map(|(name, value)| format!("{name:width$}  {value}"))
        .collect();
    lines.join("\n")
}

/// Formats a count with its noun, such as `1 entry`.
pub(super) fn counted<T>(count: T, singular: &str, plural: &str) -> String
where
    T: Copy + Display + PartialEq + From<u8>,
{
    let is_one = count == T::from(1);
    let noun = if is_one { singular } else { plural };
    format!("{count} {noun}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_of_a_terminal_and_invisible_characters_are_shown_as_json_escapes() {
        let text = "a\u{1b}[2J \u{9b}31m \u{202e}b\u{7f}\t\n😀é";
        let shown = r"a\u001b[2J \u009b31m \u202eb\u007f\u0009";
        assert_eq!(visible(text), format!("{shown}\n😀é"));
        assert_eq!(visible("one\ntwo"), "one\ntwo");
        let invisible = "\u{200b}\u{3164}\u{2800}\u{2028}\u{e0041}";
        assert_eq!(visible(invisible), r"\u200b\u3164\u2800\u2028\udb40\udc41");
        let json = format!("\"{}\"", visible(invisible));
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), invisible);
        let names = "株式会社\u{3000}花 Gr\u{fc}n\u{a0}e\u{301}";
        assert_eq!(visible(names), names);
    }
}
