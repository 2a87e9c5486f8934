//! What commands print: data on standard output, for people or as JSON, and complaints on standard
//! error. Also the files that they make.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;

use serde_json::Value;

use crate::error::BoxError;

/// Where data goes, and in which form.
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints `value` as JSON, or `text` for people.
    pub(super) fn print(&mut self, value: &Value, text: &str) -> Result<(), BoxError> {
        match self.json {
            true => self.print_plain(&format!("{value:#}")),
            false => self.print_plain(text),
        }
    }

    /// Prints `text` in either form. Nobody reading is no fault: `quietline org list | head -1`.
    pub(super) fn print_plain(&mut self, text: &str) -> Result<(), BoxError> {
        match announce(text) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            printed => Ok(printed?),
        }
    }
}

/// Prints a line for whoever started the server, in either form.
pub(super) fn announce(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Prints why a command failed.
pub(super) fn complain(message: &str) {
    // Without a standard error there is nobody left to tell.
    let written = writeln!(io::stderr().lock(), "error: {message}");
    written.unwrap_or_else(|_| log::error!("{message}"));
}

/// Makes a file that nobody but its owner can read, and that was not there before.
pub(super) fn create_private(path: &str) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)
}

/// Lines of `name: value`, values in one column.
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
