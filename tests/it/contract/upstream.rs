//! The published Tether document is unchanged inside ours, and our additions are marked.

use std::fs;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

const MARK: &str = "x-quietline-extension";

/// SHA-256 of the published document.
const PUBLISHED: &str = "1223e4266d473b0ac608c75bbcb86c41e25eea224cf9b65f44412edb7dea42d6";

/// Additions that only explain.
const EXPLANATIONS: [&str; 4] = ["description", "summary", "example", "examples"];

/// Additions from the vendor's other documents (CONTRACT, 2.1), so they are not ours.
const STATED_ELSEWHERE: [&str; 2] = [
    "#/components/responses/Unauthorized",
    "#/components/headers/X-Request-Id",
];

fn bytes(path: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&String::from_utf8(bytes(path)).unwrap()).unwrap()
}

fn published() -> Value {
    yaml("openapi/upstream/tether-relay.yaml")
}

/// Returns our document without the server that stands before the published servers.
fn ours() -> Value {
    let mut ours = whole();
    let servers = ours["servers"].as_array_mut().unwrap();
    assert_eq!(servers.remove(0)[MARK], true);
    ours
}

fn whole() -> Value {
    yaml("openapi/tether-relay.yaml")
}

/// Returns the children of an object or array by key or position.
fn children(node: &Value) -> Vec<(String, &Value)> {
    match node {
        Value::Object(map) => map
            .iter()
            .map(|(key, child)| (key.clone(), child))
            .collect(),
        Value::Array(items) => {
            let numbered = items.iter().enumerate();
            numbered.map(|(at, item)| (at.to_string(), item)).collect()
        }
        _ => Vec::new(),
    }
}

fn child<'a>(node: &'a Value, key: &str) -> Option<&'a Value> {
    match node {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        node => node.get(key),
    }
}

/// Collects the differences between `ours` and `theirs` except for additional properties. A list
/// must have the same items in the same order. Our parameters may follow.
fn collect_changes(theirs: &Value, ours: &Value, path: &str, changes: &mut Vec<String>) {
    let is_same_kind = match (theirs, ours) {
        (Value::Object(_), Value::Object(_)) => true,
        (Value::Array(theirs), Value::Array(ours)) if path.ends_with("/parameters") => {
            theirs.len() <= ours.len()
        }
        (Value::Array(theirs), Value::Array(ours)) => theirs.len() == ours.len(),
        (theirs, ours) => theirs == ours,
    };
    if !is_same_kind {
        changes.push(format!("{path}: {theirs} became {ours}"));
        return;
    }
    for (key, value) in children(theirs) {
        let path = format!("{path}/{key}");
        match child(ours, &key) {
            Some(ours) => collect_changes(value, ours, &path, changes),
            None => changes.push(format!("{path} is missing")),
        }
    }
}

/// Position in our document: keys from the root.
type Position = Vec<String>;

fn below(position: &Position, key: &str) -> Position {
    [position.as_slice(), &[key.to_owned()]].concat()
}

/// Returns whether a node from the root to `position`, itself included, is marked as ours.
fn is_marked(document: &Value, position: &Position) -> bool {
    let mut node = document;
    for key in position {
        node = child(node, key).unwrap();
        if node[MARK] == true {
            return true;
        }
    }
    false
}

/// Collects everything in `ours` that `theirs` lacks. Only the topmost node of an addition counts.
fn additions(theirs: &Value, ours: &Value, position: &Position, found: &mut Vec<Position>) {
    for (key, value) in children(ours) {
        match child(theirs, &key) {
            Some(theirs) => additions(theirs, value, &below(position, &key), found),
            None => found.push(below(position, &key)),
        }
    }
}

fn at<'a>(document: &'a Value, position: &Position) -> &'a Value {
    let step = |node, key: &String| child(node, key).unwrap();
    position.iter().fold(document, step)
}

/// Collects every position that refers to `target`.
fn referrers(node: &Value, target: &str, position: &Position, found: &mut Vec<Position>) {
    if node["$ref"] == target {
        found.push(position.clone());
    }
    for (key, child) in children(node) {
        referrers(child, target, &below(position, &key), found);
    }
}

/// Returns whether an addition is marked, only explains, or contains only such additions.
fn is_declared(document: &Value, position: &Position) -> bool {
    let key = position.last().unwrap().as_str();
    let node = at(document, position);
    if EXPLANATIONS.contains(&key) || key.starts_with("x-") || is_marked(document, position) {
        return true;
    }
    if let Some(target) = node["$ref"].as_str() {
        let component: Position = target[2..].split('/').map(str::to_owned).collect();
        return STATED_ELSEWHERE.contains(&target) || is_marked(document, &component);
    }
    let is_component = position.len() == 3 && position[0] == "components";
    if is_component {
        let target = format!("#/{}", position.join("/"));
        let mut places = Vec::new();
        referrers(document, &target, &Vec::new(), &mut places);
        let serves_ours = |position: &Position| is_marked(document, position);
        return STATED_ELSEWHERE.contains(&target.as_str()) || places.iter().all(serves_ours);
    }
    let children = children(node);
    let mut all = children.iter();
    !children.is_empty() && all.all(|(key, _)| is_declared(document, &below(position, key)))
}

#[test]
fn the_published_document_is_unchanged() {
    let digest = Sha256::digest(bytes("openapi/upstream/tether-relay.yaml"));
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, PUBLISHED);
}

#[test]
fn every_node_of_the_published_document_is_in_ours_unchanged() {
    let mut changes = Vec::new();
    collect_changes(&published(), &ours(), "", &mut changes);
    assert!(changes.is_empty(), "{changes:#?}");
}

#[test]
fn the_comparison_finds_each_kind_of_change() {
    let published = published();
    let operation = "/paths/~1api~1organizations~1{organizationId}~1missed-call-message/put";
    let places = [
        "/info/title".to_owned(),
        "/tags".to_owned(),
        format!("{operation}/operationId"),
        format!("{operation}/parameters"),
        format!("{operation}/requestBody/required"),
        "/components/schemas/UpdateMissedCallMessageRequest/additionalProperties".to_owned(),
    ];
    for position in places {
        let mut changed = ours();
        *changed.pointer_mut(&position).unwrap() = Value::Null;
        let mut changes = Vec::new();
        collect_changes(&published, &changed, "", &mut changes);
        assert_eq!(changes.len(), 1, "{position}: {changes:?}");
    }
}

/// Clients use the first server unless they are told another.
#[test]
fn the_server_of_the_document_stands_before_the_published_servers() {
    assert_eq!(whole()["servers"][0]["url"], "/");
}

#[test]
fn every_addition_to_paths_and_components_is_marked_as_ours() {
    let (published, ours) = (published(), ours());
    let mut found = Vec::new();
    additions(&published, &ours, &Vec::new(), &mut found);
    assert!(
        found
            .iter()
            .all(|position| ["paths", "components"].contains(&position[0].as_str()))
    );
    let undeclared: Vec<String> = found
        .iter()
        .filter(|position| !is_declared(&ours, position))
        .map(|position| position.join(" > "))
        .collect();
    assert!(undeclared.is_empty(), "{undeclared:#?}");
}
