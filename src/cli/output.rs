//! Output of commands: data on standard output, for people or as JSON, and errors on standard
//! error. Also the files that commands create.

use std::borrow::Cow;
use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;

use serde_json::Value;

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

/// Escapes characters of `text` that would control a terminal, because customers choose much of the
/// output. The escapes are the escapes of JSON, so that JSON output stays valid.
fn visible(text: &str) -> Cow<'_, str> {
    // Control characters, and characters that change the direction of writing or break a line.
    let controls_terminal = |c: char| match c {
        '\n' => false,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            true
        }
        _ => c.is_control(),
    };
    if !text.contains(controls_terminal) {
        return Cow::Borrowed(text);
    }
    let shown = text.chars().map(|c| {
        if controls_terminal(c) {
            format!("\\u{:04x}", u32::from(c))
        } else {
            c.to_string()
        }
    });
    Cow::Owned(shown.collect())
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
    fn controls_of_a_terminal_are_shown_as_json_escapes() {
        let text = "a\u{1b}[2J \u{9b}31m \u{202e}b\u{7f}\t\n😀é";
        let shown = r"a\u001b[2J \u009b31m \u202eb\u007f\u0009";
        assert_eq!(visible(text), format!("{shown}\n😀é"));
        assert_eq!(visible("one\ntwo"), "one\ntwo");
    }
}
