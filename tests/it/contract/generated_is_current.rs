//! What is generated is generated from these specs. That it was made by the present templates is
//! checked by the build itself (build.rs).

use std::fs;
use std::path::{Path, PathBuf};

use quietline_api::{agentmessage, tether_relay};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn yaml(name: &str) -> Value {
    let text = fs::read_to_string(root().join("openapi").join(name)).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

#[test]
fn the_specs_inside_the_program_are_the_documents_of_the_repository() {
    let table = [
        (agentmessage::SPEC_JSON, "agentmessage.yaml"),
        (tether_relay::SPEC_JSON, "tether-relay.yaml"),
    ];
    for (json, name) in table {
        let inside: Value = serde_json::from_str(json).unwrap();
        // Compared by parts, so that a difference is not printed with the whole document.
        let document = yaml(name);
        let keys = |value: &Value| {
            value
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(keys(&inside), keys(&document), "{name}");
        for key in keys(&document) {
            assert!(inside[&key] == document[&key], "{name}: {key} differs");
        }
    }
}

#[test]
fn every_generated_file_says_so_in_its_first_line() {
    let mut folders = vec![root().join("generated/src")];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(path),
            }
        }
    }
    // JSON has no comments.
    files.retain(|path| path.extension().is_none_or(|extension| extension != "json"));
    assert!(files.len() > 10, "{files:?}");
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("// @generated "), "{path:?}");
    }
}

#[test]
fn the_generator_is_recorded_with_what_it_read_and_wrote() {
    let digest = fs::read_to_string(root().join("generated/.digest")).unwrap();
    let names: Vec<&str> = digest
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(names, ["generator", "inputs", "outputs"]);
}
