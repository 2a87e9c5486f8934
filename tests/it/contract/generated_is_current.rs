//! The generated crate is made from the specs of the repository. The build itself checks that the
//! templates are current.

use std::fs;
use std::path::{Path, PathBuf};

use quietline_api::{agentmessage, tether_relay};
use serde_transcode::{Transcoder, transcode};

/// Old and new text.
type Edit = (&'static str, &'static str);

/// Edits that turn Tether's document into OpenAPI 3.1, each in one position.
const TETHER_IN_3_1: [Edit; 2] = [
    (r#""openapi":"3.0.3""#, r#""openapi":"3.1.0""#),
    (
        r#""type":"string","maxLength":500,"nullable":true"#,
        r#""type":["string","null"],"maxLength":500"#,
    ),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the spec `name` as JSON without white space, with its keys in order.
fn yaml_as_json(name: &str) -> String {
    let text = fs::read_to_string(root().join("openapi").join(name)).unwrap();
    let json = serde_saphyr::with_deserializer_from_str(&text, |yaml| {
        let mut json = Vec::new();
        transcode(yaml, &mut serde_json::Serializer::new(&mut json))
            .map_err(serde::de::Error::custom)?;
        Ok(json)
    });
    String::from_utf8(json.unwrap()).unwrap()
}

fn without_white_space(json: &str) -> String {
    let mut source = serde_json::Deserializer::from_str(json);
    serde_json::to_string(&Transcoder::new(&mut source)).unwrap()
}

#[test]
fn the_embedded_specs_are_the_documents_of_the_repository() {
    let table: [(&str, &str, &[Edit]); 2] = [
        (agentmessage::SPEC_JSON, "agentmessage.yaml", &[]),
        (tether_relay::SPEC_JSON, "tether-relay.yaml", &TETHER_IN_3_1),
    ];
    for (inside, name, edits) in table {
        let mut document = yaml_as_json(name);
        for (old, new) in edits {
            assert_eq!(document.matches(old).count(), 1, "{name}: {old}");
            document = document.replace(old, new);
        }
        let inside = without_white_space(inside);
        let same = inside.bytes().zip(document.bytes());
        let same = same.take_while(|(one, other)| one == other).count();
        let tail = |text: &str| text.get(same..).map(|rest| rest.chars().take(80).collect());
        let differing: [Option<String>; 2] = [tail(&inside), tail(&document)];
        assert!(inside == document, "{name}: {differing:?}");
    }
}

#[test]
fn the_first_line_of_every_generated_file_says_that_it_is_generated() {
    let mut folders = vec![root().join("generated/src")];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    // JSON does not have comments.
    files.retain(|path| path.extension().is_none_or(|extension| extension != "json"));
    assert!(files.len() > 8, "{files:?}");
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("// @generated "), "{path:?}");
    }
}

#[test]
fn the_record_names_the_generator_its_inputs_and_its_outputs() {
    let digest = fs::read_to_string(root().join("generated/.digest")).unwrap();
    let names: Vec<&str> = digest
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(names, ["generator", "inputs", "outputs"]);
}
