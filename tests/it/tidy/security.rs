//! Tests that `SECURITY.md` names as evidence.

use std::path::Path;

use super::{read, root};

const PAGE: &str = "SECURITY.md";

/// Number of tests that the page names at least.
const TESTS: usize = 60;

/// Folders of test crates. The names of their tests begin below the folder.
const FOLDERS: [&str; 4] = ["tests/it", "src", "runtime/src", "codegen/src"];

/// Lists the code spans that are paths of tests, such as `limits::failures::a_sentence`.
fn named_tests(page: &str) -> Vec<&str> {
    // Every second part is between two backticks.
    let spans = page.split('`').skip(1).step_by(2);
    spans.filter(|span| span.contains("::")).collect()
}

/// Returns whether a file has the test of this path.
fn is_test(path: &str) -> bool {
    let Some((modules, name)) = path.rsplit_once("::") else {
        return false;
    };
    let modules = modules.replace("::", "/");
    // Tests of a file are in it, or in a file of their own.
    let own_file = modules.strip_suffix("/tests").unwrap_or(&modules);
    let files = [
        format!("{modules}.rs"),
        format!("{modules}/mod.rs"),
        format!("{own_file}.rs"),
    ];
    let mut candidates = FOLDERS
        .iter()
        .flat_map(|folder| files.iter().map(move |file| format!("{folder}/{file}")));
    candidates.any(|file| root().join(&file).is_file() && has_test(&read(Path::new(&file)), name))
}

/// Returns whether `text` has a test function of this name.
fn has_test(text: &str, name: &str) -> bool {
    let functions = [format!("fn {name}() {{"), format!("async fn {name}() {{")];
    let mut is_marked = false;
    for line in text.lines().map(str::trim) {
        if is_marked && functions.iter().any(|function| function == line) {
            return true;
        }
        let is_attribute = line.starts_with("#[") || line.starts_with("//");
        let is_mark = ["#[test]", "#[actix_web::test]"].contains(&line);
        is_marked = is_mark || (is_marked && is_attribute);
    }
    false
}

#[test]
fn every_test_that_the_security_policy_names_exists() {
    let page = read(Path::new(PAGE));
    let tests = named_tests(&page);
    assert!(tests.len() >= TESTS, "{}", tests.len());
    let missing: Vec<&str> = tests.into_iter().filter(|path| !is_test(path)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn only_a_test_function_counts_as_a_test() {
    let text = "#[test]\n// Why.\nfn a_claim_holds() {\n}\nfn a_helper_of_tests() {\n}\n";
    assert!(has_test(text, "a_claim_holds"));
    assert!(!has_test(text, "a_helper_of_tests"));
    assert!(!is_test("db::roles::a_test_that_was_renamed"));
}
