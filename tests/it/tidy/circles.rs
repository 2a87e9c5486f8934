//! Circles of files: no file needs itself by way of others.
//!
//! A file needs another one when it names an item of it. A module that only declares or re-exports
//! what it holds needs none of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::layers::tree_of_src;
use super::source::{Named, Source};
use super::tree::{Target, Tree};

/// For each module the modules it needs, with a line that says so.
type Graph<'a> = BTreeMap<&'a str, BTreeMap<String, String>>;

fn graph(tree: &Tree) -> Graph<'_> {
    let needs = |path: &str| {
        let module = &tree.modules[path];
        let mut needs = BTreeMap::new();
        for named in &module.source.names {
            let Target::Own { module: to, item } = tree.target(path, named) else {
                continue;
            };
            let is_item = !item.is_empty() || named.is_glob;
            if is_item && to != path && is_needed(named, &module.source) {
                let line = format!("{}:{}", module.file, named.line);
                needs.entry(to).or_insert(line);
            }
        }
        needs
    };
    let modules = tree.modules.keys();
    modules.map(|path| (path.as_str(), needs(path))).collect()
}

/// Returns whether a file uses `named` itself. It may only hand it on, as a `mod.rs` does.
fn is_needed(named: &Named, source: &Source) -> bool {
    let Some(alias) = named.alias.as_ref().filter(|_| named.is_public) else {
        return true;
    };
    let words = source.tokens.iter().filter(|token| token.text == *alias);
    words.count() > 1
}

/// Returns the shortest way from `start` back to itself, without its end.
fn circle<'a>(graph: &'a Graph<'a>, start: &'a str) -> Option<Vec<&'a str>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(at) = next.pop_front() {
        for to in graph.get(at)?.keys() {
            if to == start {
                let way = std::iter::successors(Some(at), |at| before.get(at).copied());
                let mut way: Vec<&str> = way.collect();
                way.reverse();
                return Some(way);
            }
            if !before.contains_key(to.as_str()) {
                before.insert(to, at);
                next.push_back(to);
            }
        }
    }
    None
}

/// Returns for each file that is in a circle the shortest one, and each circle once.
fn circles(tree: &Tree) -> Vec<String> {
    let graph = graph(tree);
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for start in graph.keys() {
        let Some(way) = circle(&graph, start) else {
            continue;
        };
        let mut members = way.clone();
        members.sort_unstable();
        if !seen.insert(members) {
            continue;
        }
        let steps = way.iter().enumerate().map(|(at, from)| {
            let to = way[(at + 1) % way.len()];
            format!("{} needs {to}", graph[from][to])
        });
        found.push(steps.collect::<Vec<_>>().join(", "));
    }
    found
}

#[test]
fn no_file_imports_itself_in_a_circle() {
    let found = circles(&tree_of_src());
    assert!(found.is_empty(), "{} circles: {found:#?}", found.len());
}

/// Returns the circles of files that are given as path and text.
fn of(files: &[(&str, &str)]) -> Vec<String> {
    circles(&super::tree::tree(files))
}

#[test]
fn a_circle_of_files_is_found_with_its_lines() {
    let two = of(&[
        ("src/a.rs", "\nuse crate::b::X;"),
        ("src/b.rs", "use super::a;\n\nfn f() { a::f() }"),
        ("src/c.rs", "use crate::a::f;"),
    ]);
    assert_eq!(two, ["src/a.rs:2 needs b, src/b.rs:3 needs a"]);
    let three = of(&[
        ("src/d/mod.rs", "mod a; mod b; mod c;"),
        ("src/d/a.rs", "fn f() { super::b::f() }"),
        ("src/d/b.rs", "use super::{c::X, a};"),
        ("src/d/c.rs", "use crate::d::a::{self, Y};"),
    ]);
    let steps = "src/d/a.rs:1 needs d::b, src/d/b.rs:1 needs d::c, src/d/c.rs:1 needs d::a";
    assert_eq!(three, [steps]);
}

#[test]
fn a_parent_and_a_child_that_need_each_other_are_a_circle() {
    let found = of(&[
        ("src/d/mod.rs", "mod a;\npub struct X;\nfn f() { a::f() }"),
        ("src/d/a.rs", "use super::X;"),
    ]);
    assert_eq!(found, ["src/d/mod.rs:3 needs d::a, src/d/a.rs:1 needs d"]);
    let used = "mod a;\npub use a::X;\npub struct Y(X);";
    let found = of(&[("src/d/mod.rs", used), ("src/d/a.rs", "use super::Y;")]);
    assert_eq!(found.len(), 1);
}

#[test]
fn declarations_re_exports_and_test_code_make_no_circle() {
    let found = of(&[
        ("src/lib.rs", "pub mod d;"),
        (
            "src/d/mod.rs",
            "mod a; mod b;\npub use a::X;\npub struct Y;",
        ),
        (
            "src/d/a.rs",
            "use super::{b, Y};\npub struct X;\nfn f() { b::f() }",
        ),
        (
            "src/d/b.rs",
            "#[cfg(test)]\nmod tests { use super::super::X; }",
        ),
        ("src/e.rs", "#[cfg(test)]\nmod tests;"),
        ("src/e/tests.rs", "use super::*;\nuse crate::f::X;"),
        ("src/f.rs", "use crate::e::X;\nuse crate::f::Y;"),
    ]);
    assert_eq!(found, Vec::<String>::new());
    // Only through the re-export, and to the file behind it.
    let found = of(&[
        ("src/d/mod.rs", "mod a; mod b;\npub use a::X;"),
        ("src/d/a.rs", "use super::b::f;\npub struct X;"),
        ("src/d/b.rs", "use super::X;"),
    ]);
    assert_eq!(found.len(), 1);
}
