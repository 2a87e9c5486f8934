//! Messages of the program as `docs/operations/troubleshoot.md` quotes them.

use std::path::Path;

use super::{code, files, read};

const PAGE: &str = "docs/operations/troubleshoot.md";

/// Number of quoted messages that the page has at least.
const MESSAGES: usize = 100;

/// Reads the code that prints messages. String literals are as they are printed: without escapes,
/// and in one line.
fn printing_code() -> String {
    let mut all = String::new();
    for (folder, extension) in [("src", "rs"), ("runtime/src", "rs"), ("migrations", "sql")] {
        for path in files(folder, &[extension]) {
            if path
                .iter()
                .any(|part| part == "tests" || part == "tests.rs")
            {
                continue;
            }
            for (_, line) in code(&read(&path)) {
                match line.strip_suffix('\\') {
                    Some(start) => all.push_str(start),
                    None => all.extend([line, "\n"]),
                }
            }
        }
    }
    let unescaped = all.replace("\\\"", "\"");
    unescaped
        .replace("{{", "{")
        .replace("}}", "}")
        .replace('`', "")
}

/// Lists the code spans in the first cell of each row of a table.
fn quoted_messages(page: &str) -> Vec<&str> {
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let cells = rows.filter_map(|row| row.split(" | ").next());
    // Every second part is between two backticks.
    cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect()
}

#[test]
fn quoted_messages_are_those_that_the_program_prints() {
    let page = read(Path::new(PAGE));
    let messages = quoted_messages(&page);
    assert!(messages.len() >= MESSAGES, "{}", messages.len());
    let printing_code = printing_code();
    let is_printed = |message: &&str| {
        let mut parts = message.split('…');
        parts.all(|part| printing_code.contains(part.trim()))
    };
    let unknown: Vec<&str> = messages
        .into_iter()
        .filter(|message| !is_printed(message))
        .collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}
