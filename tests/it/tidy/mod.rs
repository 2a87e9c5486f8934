//! Style as a test: sizes, module comments, names. Not here: what rustfmt and clippy see, and the
//! rules on imports, which have files of their own.

mod circles;
mod language;
mod layers;
mod security;
mod source;
mod tree;
mod troubleshooting;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Longest file, in lines.
const MAX_LINES: usize = 500;
const MAX_TEST_LINES: usize = 800;

/// Longest line, in characters, strings and comments included.
const MAX_COLUMNS: usize = 100;

/// Longest recipe of the Makefile, in lines.
const MAX_RECIPE_LINES: usize = 5;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Lists every file under `folder` with one of these extensions, by its path from the root.
fn files(folder: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let extension = path.extension().and_then(|extension| extension.to_str());
            if path.is_dir() {
                folders.push(path);
            } else if extension.is_some_and(|extension| extensions.contains(&extension)) {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// Folders with Rust that is written by hand. tests/outside/ is not one of them as a whole,
/// because npm installs its packages there.
const FOLDERS: [&str; 5] = [
    "src",
    "runtime/src",
    "codegen",
    "tests/it",
    "tests/outside/sdk",
];

/// Lists all Rust that is written by hand.
fn sources() -> Vec<PathBuf> {
    let folders = FOLDERS.iter().flat_map(|folder| files(folder, &["rs"]));
    folders.chain(["build.rs".into()]).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// Returns the lines of code of a file with their numbers, without comments of whole lines.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text
        .lines()
        .enumerate()
        .map(|(number, line)| (number + 1, line.trim()));
    lines.filter(|(_, line)| !line.starts_with("//"))
}

#[test]
fn the_two_dialects_do_not_know_each_other() {
    let mut faults = Vec::new();
    for (dialect, other) in [
        ("agentmessage", "tether_relay"),
        ("tether_relay", "agentmessage"),
    ] {
        for folder in [
            format!("src/handlers/{dialect}"),
            format!("generated/src/{dialect}"),
        ] {
            for path in files(&folder, &["rs"]) {
                let text = read(&path);
                let named = code(&text).filter(|(_, line)| line.contains(&format!("{other}::")));
                faults.extend(named.map(|(at, line)| format!("{}:{at}: {line}", path.display())));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn files_and_lines_are_short() {
    let mut faults = Vec::new();
    for path in sources() {
        let text = read(&path);
        let is_test = path.iter().any(|part| part == "tests");
        let limit = if is_test { MAX_TEST_LINES } else { MAX_LINES };
        let length = text.lines().count();
        if length > limit {
            faults.push(format!("{}: {length} lines", path.display()));
        }
        for (number, line) in text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > MAX_COLUMNS {
                faults.push(format!(
                    "{}:{}: {columns} columns",
                    path.display(),
                    number + 1
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{} faults: {faults:#?}", faults.len());
}

#[test]
fn every_file_begins_with_what_it_is_for() {
    let is_generated = |text: &str| text.starts_with("// @generated");
    let faults: Vec<PathBuf> = sources()
        .into_iter()
        .filter(|path| {
            let text = read(path);
            let has_doc = text.strip_prefix("//! ").is_some_and(|doc| doc.len() > 10);
            !has_doc && !is_generated(&text)
        })
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn names_of_tests_are_sentences() {
    let mut faults = Vec::new();
    for path in sources() {
        let text = read(&path);
        let mut lines = text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            if !["#[test]", "#[actix_web::test]"].contains(&line) {
                continue;
            }
            let mut after = lines.by_ref().skip_while(|line| line.starts_with('#'));
            let signature = after.next().unwrap_or_default();
            let name = signature
                .split("fn ")
                .nth(1)
                .and_then(|rest| rest.split('(').next());
            let is_sentence = name
                .is_some_and(|name| !name.starts_with("test") && name.matches('_').count() >= 2);
            if !is_sentence {
                faults.push(format!("{}: {signature}", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn recipes_of_the_makefile_are_short() {
    let text = read(Path::new("Makefile"));
    let mut faults = Vec::new();
    let (mut target, mut length) = ("", 0);
    for line in text.lines() {
        if line.starts_with('\t') {
            length += 1;
        } else {
            (target, length) = (line, 0);
        }
        if length > MAX_RECIPE_LINES {
            faults.push(target);
        }
    }
    assert!(faults.is_empty(), "{faults:?}: put them into scripts/");
}

/// Lists the files that git keeps. Outside a checkout there are none.
fn tracked() -> Vec<PathBuf> {
    if !root().join(".git").exists() {
        return Vec::new();
    }
    let listed = Command::new("git")
        // Also in a checkout that belongs to somebody else.
        .args(["-c", "safe.directory=*", "ls-files", "-z"])
        .current_dir(root())
        .output();
    let listed = listed.expect("a checkout needs git");
    assert!(listed.status.success(), "{listed:?}");
    assert!(!listed.stdout.is_empty(), "a checkout has files");
    let listed = String::from_utf8_lossy(&listed.stdout);
    let paths = listed.split('\0').filter(|path| !path.is_empty());
    let paths = paths.map(PathBuf::from);
    // Removed and not yet committed is possible.
    paths.filter(|path| root().join(path).is_file()).collect()
}

fn faults_in_tracked(is_fault: impl Fn(&str) -> bool) -> Vec<String> {
    let mut faults = Vec::new();
    for path in tracked() {
        let bytes = fs::read(root().join(&path)).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let found = text.lines().enumerate().filter(|(_, line)| is_fault(line));
        faults.extend(found.map(|(number, _)| format!("{}:{}", path.display(), number + 1)));
    }
    faults
}

#[test]
fn open_work_is_an_issue_and_not_a_comment() {
    // Put together, so that this file does not hold the words itself.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
    ];
    let is_open = |line: &str| {
        words.iter().any(|word| {
            line.match_indices(word)
                .any(|(at, found)| !line[at + found.len()..].starts_with("(#"))
        })
    };
    let faults = faults_in_tracked(is_open);
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn nothing_names_the_machine_that_it_was_written_on() {
    let words = [
        concat!("/wo", "rk/"),
        concat!("crates.io", " index"),
        concat!("//regi", "stry."),
        concat!("/ro", "ot/"),
        concat!("/tm", "p/bash_jobs"),
    ];
    let faults = faults_in_tracked(|line| words.iter().any(|word| line.contains(word)));
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn statements_of_sql_stand_in_the_storage_room_only() {
    const STATEMENTS: [&str; 5] = [
        "PRAGMA ",
        "INSERT INTO",
        "UPDATE ",
        "DELETE FROM",
        "SELECT ",
    ];
    let mut faults = Vec::new();
    for path in files("src", &["rs"]) {
        if path.starts_with("src/db") {
            continue;
        }
        let text = read(&path);
        let is_fault = |line: &str| STATEMENTS.iter().any(|words| line.contains(words));
        let found = code(&text).filter(|(_, line)| is_fault(line));
        faults.extend(found.map(|(at, line)| format!("{}:{at}: {line}", path.display())));
    }
    assert!(faults.is_empty(), "{faults:#?}");
}
