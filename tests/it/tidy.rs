//! Style as a test: layering, sizes, module comments. What rustfmt and clippy see is not repeated.

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

/// What the files at a place under `src/` may name.
struct Layer {
    place: &'static str,
    /// Modules of this crate, or items of them.
    may_use: &'static [&'static str],
    /// Foreign crates that belong to another layer.
    must_not_name: &'static [&'static str],
}

const DIESEL: &str = "diesel";
const ACTIX: &str = "actix_web";
const GENERATED: &str = "quietline_api";

const LAYERS: &[Layer] = &[
    Layer {
        place: "domain",
        may_use: &["domain", "error"],
        must_not_name: &[DIESEL, ACTIX, GENERATED],
    },
    Layer {
        place: "error.rs",
        may_use: &["domain"],
        must_not_name: &[DIESEL, ACTIX, GENERATED],
    },
    Layer {
        place: "clock.rs",
        may_use: &[],
        must_not_name: &[DIESEL, ACTIX, GENERATED],
    },
    Layer {
        place: "logging.rs",
        may_use: &[],
        must_not_name: &[DIESEL, ACTIX, GENERATED],
    },
    Layer {
        place: "db",
        may_use: &["db", "domain", "error"],
        must_not_name: &[ACTIX, GENERATED],
    },
    Layer {
        place: "app",
        may_use: &["app", "domain", "db", "error", "clock", "state"],
        must_not_name: &[DIESEL, ACTIX, GENERATED],
    },
    Layer {
        place: "state.rs",
        may_use: &["auth::jwt", "auth::limits", "clock", "db"],
        must_not_name: &[DIESEL, ACTIX, GENERATED],
    },
    Layer {
        place: "request.rs",
        may_use: &["domain", "error"],
        must_not_name: &[DIESEL, GENERATED],
    },
    Layer {
        place: "auth",
        may_use: &["auth", "clock", "domain", "db", "error", "state", "request"],
        must_not_name: &[DIESEL, GENERATED],
    },
    Layer {
        place: "config",
        may_use: &[
            "config",
            "auth::jwt",
            "auth::limits",
            "db::DatabaseUrl",
            "logging",
        ],
        must_not_name: &[DIESEL, ACTIX, GENERATED],
    },
    Layer {
        place: "config.rs",
        may_use: &[
            "config",
            "auth::jwt",
            "auth::limits",
            "db::DatabaseUrl",
            "logging",
        ],
        must_not_name: &[DIESEL, ACTIX, GENERATED],
    },
    Layer {
        place: "handlers",
        may_use: &[
            "handlers", "app", "auth", "domain", "error", "state", "request",
        ],
        must_not_name: &[DIESEL],
    },
    Layer {
        place: "http",
        may_use: &[
            "http",
            "handlers",
            "state",
            "request",
            "error",
            "domain::ids",
        ],
        must_not_name: &[DIESEL],
    },
    Layer {
        place: "jobs",
        may_use: &["jobs", "app", "db", "domain", "error", "clock", "state"],
        must_not_name: &[DIESEL, ACTIX, GENERATED],
    },
];

/// Places that may name everything.
const TOP: [&str; 3] = ["cli", "lib.rs", "main.rs"];

/// The derives that have to stand on the type itself; their implementations are in `db::types`.
const DERIVES: [&str; 3] = [
    "diesel::expression::AsExpression",
    "diesel::deserialize::FromSqlRow",
    "diesel::sql_types::Text",
];
const FILES_WITH_DERIVES: [&str; 2] = ["src/domain/ids.rs", "src/domain/text_enum.rs"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file under `folder` with one of these extensions, by its path from the root.
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

/// All Rust that is written by hand.
fn sources() -> Vec<PathBuf> {
    let folders = [
        "src",
        "tests",
        "runtime/src",
        "codegen/src",
        "codegen/tests",
    ];
    let mut all: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| files(folder, &["rs"]))
        .collect();
    all.push("build.rs".into());
    all
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// The lines of code of a file with their numbers, without comments of whole lines.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text
        .lines()
        .enumerate()
        .map(|(number, line)| (number + 1, line.trim()));
    lines.filter(|(_, line)| !line.starts_with("//"))
}

/// Whether `path` is `prefix` or something inside it.
fn is_within(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
}

/// What follows each `crate::` in a line; not `$crate::` of a macro.
fn names_of_this_crate(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("crate::").filter_map(|(at, found)| {
        let before = line[..at].chars().next_back();
        let is_whole = before.is_none_or(|before| !before.is_alphanumeric() && before != '_');
        is_whole.then(|| &line[at + found.len()..])
    })
}

fn faults_of_layer(layer: &Layer, path: &Path) -> Vec<String> {
    let text = read(path);
    let may_derive = FILES_WITH_DERIVES
        .iter()
        .any(|file| path == Path::new(file));
    let mut faults = Vec::new();
    for (number, line) in code(&text) {
        let place = format!("{}:{number}", path.display());
        for name in names_of_this_crate(line) {
            if !layer.may_use.iter().any(|allowed| is_within(name, allowed)) {
                faults.push(format!("{place}: names crate::{name}"));
            }
        }
        let mut rest = line.to_owned();
        if may_derive {
            DERIVES
                .iter()
                .for_each(|derive| rest = rest.replace(derive, ""));
        }
        let rest = rest.replace("#[diesel(", "");
        for name in layer.must_not_name {
            if rest.contains(&format!("{name}::")) || rest.starts_with(&format!("use {name}")) {
                faults.push(format!("{place}: names {name}"));
            }
        }
    }
    faults
}

#[test]
fn every_file_names_only_what_its_layer_may_use() {
    let mut faults = Vec::new();
    for path in files("src", &["rs"]) {
        let inside = path.strip_prefix("src").unwrap();
        let place = inside.iter().next().unwrap().to_str().unwrap();
        if TOP.contains(&place) {
            continue;
        }
        match LAYERS.iter().find(|layer| layer.place == place) {
            Some(layer) => faults.extend(faults_of_layer(layer, &path)),
            None => faults.push(format!("{}: belongs to no layer", path.display())),
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
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
        let is_test = path.starts_with("tests") || path.starts_with("codegen/tests");
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
        match line.starts_with('\t') {
            true => length += 1,
            false => (target, length) = (line, 0),
        }
        if length > MAX_RECIPE_LINES {
            faults.push(target);
        }
    }
    assert!(faults.is_empty(), "{faults:?}: put them into scripts/");
}

/// All files that git keeps; none outside a checkout.
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
fn both_databases_are_reached_through_one_module_only() {
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
        // The layers say which derives the domain may have.
        let may_derive = path.starts_with("src/domain");
        let is_fault = |line: &str| {
            let is_statement = STATEMENTS.iter().any(|words| line.contains(words));
            is_statement || !may_derive && line.contains("diesel::")
        };
        let found = code(&text).filter(|(_, line)| is_fault(line));
        faults.extend(found.map(|(at, line)| format!("{}:{at}: {line}", path.display())));
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Use cases that take no permission, as they are called: they are the command line's.
fn use_cases_without_permission() -> Vec<String> {
    let mut calls = Vec::new();
    for path in files("src/app", &["rs"]) {
        let text = read(&path);
        let module = path.file_stem().unwrap().to_str().unwrap();
        for use_case in text.split("pub async fn ").skip(1) {
            let signature = use_case.split('{').next().unwrap_or_default();
            if !signature.contains("OrgAccess") {
                let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
                let name = signature.split(|letter| !is_name(letter)).next();
                calls.push(format!("app::{module}::{}", name.unwrap_or_default()));
            }
        }
    }
    calls
}

/// An operation has the permission that its caller was given, and makes none.
#[test]
fn operations_call_no_use_case_that_takes_no_permission() {
    let forbidden = use_cases_without_permission();
    assert!(forbidden.contains(&"app::organization::find".to_owned()));
    let is_called = |line: &str| {
        forbidden
            .iter()
            .any(|call| line.contains(&format!("{call}(")))
    };
    // Functions are called with their module, so that the calls above are all there can be.
    let is_import = |line: &str| {
        let imported = line.strip_prefix("use crate::app::");
        imported.is_some_and(|path| {
            let items = path.rsplit("::").next().unwrap_or_default();
            let mut items = items.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            items.any(|item| item.starts_with(char::is_lowercase))
        })
    };
    let mut faults = Vec::new();
    for place in ["src/handlers", "src/http", "src/auth"] {
        for path in files(place, &["rs"]) {
            let text = read(&path);
            let is_fault = |line: &str| {
                is_called(line) || is_import(line) || line.contains("OrgAccess::command_line")
            };
            let found = code(&text).filter(|(_, line)| is_fault(line));
            faults.extend(found.map(|(at, line)| format!("{}:{at}: {line}", path.display())));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}
