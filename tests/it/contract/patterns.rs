//! Each `pattern` of the specs compiles in the regular expressions of other people's tools. This is
//! the test in Rust. `tests/outside/contract/patterns.py` has ECMA-262, PCRE2, RE2 and Python.

use regex::Regex;
use serde_json::Value;

use crate::support::spec;

/// Syntax that at least one engine does not have.
const NOT_SHARED: [&str; 6] = ["\\u", "\\p", "(?=", "(?!", "(?<", "\\z"];

/// Collects the schemas with a `pattern` by their place in the document.
fn collect<'a>(node: &'a Value, place: &str, found: &mut Vec<(String, &'a Value)>) {
    if node["pattern"].is_string() {
        found.push((place.to_owned(), node));
    }
    match node {
        Value::Object(members) => members
            .iter()
            .for_each(|(name, node)| collect(node, &format!("{place}/{name}"), found)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(at, node)| collect(node, &format!("{place}/{at}"), found)),
        _ => {}
    }
}

fn schemas() -> Vec<(String, &'static Value)> {
    let mut found = Vec::new();
    collect(&spec::AGENT_MESSAGE, "agentmessage", &mut found);
    collect(&spec::TETHER, "tether-relay", &mut found);
    assert!(found.len() > 20, "{found:?}");
    found
}

#[test]
fn every_pattern_is_ascii_and_in_the_syntax_that_all_engines_share() {
    for (place, schema) in schemas() {
        let pattern = schema["pattern"].as_str().unwrap();
        let special = NOT_SHARED.iter().find(|syntax| pattern.contains(**syntax));
        assert_eq!(special, None, "{place}: {pattern}");
        // Without the flag `u`, PCRE2 and ECMA-262 see the parts of other characters.
        assert!(pattern.is_ascii(), "{place}: {pattern}");
    }
}

#[test]
fn every_pattern_compiles_in_rust_and_matches_the_example_beside_it() {
    for (place, schema) in schemas() {
        let pattern = Regex::new(schema["pattern"].as_str().unwrap());
        let pattern = pattern.unwrap_or_else(|error| panic!("{place}: {error}"));
        if let Some(example) = schema["example"].as_str() {
            assert!(pattern.is_match(example), "{place}: {example}");
        }
    }
}
