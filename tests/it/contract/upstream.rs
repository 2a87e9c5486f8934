//! The Tether document as it was published stands unchanged inside ours, and what we added says so.

use std::fs;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

const MARK: &str = "x-quietline-extension";

/// SHA-256 of the document as it was published.
const PUBLISHED: &str = "1223e4266d473b0ac608c75bbcb86c41e25eea224cf9b65f44412edb7dea42d6";

/// Additions that explain and decide nothing.
const WORDS: [&str; 4] = ["description", "summary", "example", "examples"];

/// Additions that the vendor states elsewhere (CONTRACT, 2.1) and that are therefore not ours.
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

fn ours() -> Value {
    yaml("openapi/tether-relay.yaml")
}

/// The children of an object or array by key or position; none of anything else.
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

/// Collects where `ours` differs from `theirs` other than by additional properties. A list has
/// the same items in the same order, each with all that it had; parameters of ours may follow.
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

/// A place in our document: keys from the root.
type Place = Vec<String>;

fn below(place: &Place, key: &str) -> Place {
    [place.as_slice(), &[key.to_owned()]].concat()
}

/// Whether something on the way from the root to `place`, itself included, is marked as ours.
fn is_marked(document: &Value, place: &Place) -> bool {
    let mut node = document;
    for key in place {
        node = child(node, key).unwrap();
        if node[MARK] == true {
            return true;
        }
    }
    false
}

/// Everything in `ours` that `theirs` does not have; only the topmost node of an addition.
fn additions(theirs: &Value, ours: &Value, place: &Place, found: &mut Vec<Place>) {
    for (key, value) in children(ours) {
        match child(theirs, &key) {
            Some(theirs) => additions(theirs, value, &below(place, &key), found),
            None => found.push(below(place, &key)),
        }
    }
}

fn at<'a>(document: &'a Value, place: &Place) -> &'a Value {
    let step = |node, key: &String| child(node, key).unwrap();
    place.iter().fold(document, step)
}

/// Every place from which `target` is referred to.
fn referrers(node: &Value, target: &str, place: &Place, found: &mut Vec<Place>) {
    if node["$ref"] == target {
        found.push(place.clone());
    }
    for (key, child) in children(node) {
        referrers(child, target, &below(place, &key), found);
    }
}

/// Whether an addition is marked, or only words, or made of such additions alone.
fn is_declared(document: &Value, place: &Place) -> bool {
    let key = place.last().unwrap().as_str();
    let node = at(document, place);
    if WORDS.contains(&key) || key.starts_with("x-") || is_marked(document, place) {
        return true;
    }
    if let Some(target) = node["$ref"].as_str() {
        let component: Place = target[2..].split('/').map(str::to_owned).collect();
        return STATED_ELSEWHERE.contains(&target) || is_marked(document, &component);
    }
    let is_component = place.len() == 3 && place[0] == "components";
    if is_component {
        let target = format!("#/{}", place.join("/"));
        let mut places = Vec::new();
        referrers(document, &target, &Vec::new(), &mut places);
        let serves_ours = |place: &Place| is_marked(document, place);
        return STATED_ELSEWHERE.contains(&target.as_str()) || places.iter().all(serves_ours);
    }
    let children = children(node);
    let mut all = children.iter();
    !children.is_empty() && all.all(|(key, _)| is_declared(document, &below(place, key)))
}

#[test]
fn the_published_document_is_kept_byte_for_byte() {
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
    for place in places {
        let mut changed = ours();
        *changed.pointer_mut(&place).unwrap() = Value::Null;
        let mut changes = Vec::new();
        collect_changes(&published, &changed, "", &mut changes);
        assert_eq!(changes.len(), 1, "{place}: {changes:?}");
    }
}

#[test]
fn every_addition_to_paths_and_components_is_marked_as_ours() {
    let (published, ours) = (published(), ours());
    let mut found = Vec::new();
    additions(&published, &ours, &Vec::new(), &mut found);
    assert!(
        found
            .iter()
            .all(|place| ["paths", "components"].contains(&place[0].as_str()))
    );
    let undeclared: Vec<String> = found
        .iter()
        .filter(|place| !is_declared(&ours, place))
        .map(|place| place.join(" > "))
        .collect();
    assert!(undeclared.is_empty(), "{undeclared:#?}");
}
