//! Tests of the digest, which shows whether `generated/` is current, and of replacing files.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use quietline_api_codegen::{
    Settings, Tree, digest, inputs, read_tree, record, replace_tree, update, watched,
};
use tempfile::TempDir;

fn tree<const N: usize>(files: [(&str, &str); N]) -> Tree {
    let files = files.into_iter();
    files
        .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
        .collect()
}

/// Creates a repository with these files and one of each kind of input and output.
fn repository() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    let files = [
        ("build.rs", "fn main() {}"),
        ("codegen/src/lib.rs", "// code"),
        ("codegen/tests/a.rs", "// a test"),
        ("generated/src/lib.rs", "// output"),
        ("generated/src/a/mod.rs", "// output"),
        ("openapi/a.yaml", "openapi: 3.1.0\npaths: {}\n"),
        ("openapi/generator.yaml", "generatorName: rust"),
        ("openapi/templates/a.mustache", "{{a}}"),
        ("openapi/upstream/a.yaml", "openapi: 3.0.3"),
        ("runtime/src/message.rs", "// runtime"),
    ];
    for (name, text) in files {
        put(folder.path(), name, text);
    }
    let root = folder.path();
    let outputs = read_tree(&root.join("generated/src")).expect("outputs");
    put(
        root,
        "generated/.digest",
        &record(&inputs(root).expect("inputs"), &outputs),
    );
    folder
}

fn put(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a new folder");
    fs::write(path, text).expect("a new file");
}

/// Returns settings without a generator, so that generating fails.
fn settings(root: &Path) -> Settings {
    Settings {
        root: root.to_owned(),
        out_dir: root.join("out"),
        generator: Some(OsString::from("no-such-generator")),
        rustfmt: "rustfmt".into(),
        is_forced: false,
    }
}

#[test]
fn the_digest_depends_on_names_and_content_but_not_on_line_endings() {
    let one = digest(&tree([("a", "x\ny"), ("b", "")]));
    assert_eq!(one.len(), 64);
    assert_eq!(one, digest(&tree([("a", "x\r\ny"), ("b", "")])));
    for other in [
        tree([("a", "x\ny")]),
        tree([("a", "x\nz"), ("b", "")]),
        tree([("a", "x\ny"), ("c", "")]),
        tree([("a", ""), ("b", "x\ny")]),
        tree([("a", "x\n"), ("b", "y")]),
    ] {
        assert_ne!(one, digest(&other), "{other:?}");
    }
}

#[test]
fn inputs_are_specs_templates_settings_and_the_code_that_reads_them() {
    let folder = repository();
    let inputs = inputs(folder.path()).expect("inputs");
    assert_eq!(
        inputs.keys().collect::<Vec<_>>(),
        [
            "build.rs",
            "codegen/src/lib.rs",
            "openapi/a.yaml",
            "openapi/generator.yaml",
            "openapi/templates/a.mustache",
        ]
    );
}

#[test]
fn nothing_runs_while_the_digest_is_current() {
    let folder = repository();
    let root = folder.path();
    for name in [
        "runtime/src/message.rs",
        "codegen/tests/a.rs",
        "openapi/upstream/a.yaml",
    ] {
        put(root, name, "// edited");
    }
    assert_eq!(update(&settings(root)), Ok(false));
}

#[test]
fn an_edit_of_an_input_or_an_output_requires_the_generator() {
    let edits = [
        "build.rs",
        "codegen/src/lib.rs",
        "generated/src/a/mod.rs",
        "generated/src/other.rs",
        "openapi/b.yaml",
        "openapi/generator.yaml",
        "openapi/templates/a.mustache",
    ];
    for name in edits {
        let folder = repository();
        assert_eq!(update(&settings(folder.path())), Ok(false));
        put(folder.path(), name, "openapi: 3.1.0 # edited");
        let problem = update(&settings(folder.path())).expect_err(name);
        assert!(
            problem.contains("It cannot be regenerated: openapi-generator-cli"),
            "{problem}"
        );
        assert!(
            problem.contains("`make generate` installs openapi-generator 7.26.0"),
            "{problem}"
        );
    }
}

#[test]
fn an_unsupported_spec_is_reported_before_the_generator_is_searched_for() {
    let folder = repository();
    put(
        folder.path(),
        "openapi/a.yaml",
        "openapi: 3.1.0\npaths: {}\nwebhooks: {}\n",
    );
    let problem = update(&settings(folder.path())).expect_err("webhooks");
    let expected = "openapi/a.yaml: the document: `webhooks` is not supported by openapi/templates";
    assert_eq!(problem, expected);
}

#[cfg(unix)]
#[test]
fn another_version_of_the_generator_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let folder = repository();
    put(folder.path(), "generator", "#!/bin/sh\necho 7.0.0\n");
    let path = folder.path().join("generator");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("an executable");
    let old = Settings {
        generator: Some(path.into()),
        is_forced: true,
        ..settings(folder.path())
    };
    let problem = update(&old).expect_err("another version");
    assert!(
        problem.contains(r#"is version "7.0.0", not 7.26.0"#),
        "{problem}"
    );
}

#[test]
fn all_inputs_and_outputs_are_watched() {
    let folder = repository();
    let root = folder.path();
    let paths = watched(root).expect("paths");
    for name in [
        "build.rs",
        "openapi",
        "generated/.digest",
        "generated/src/lib.rs",
        "generated/src/a/mod.rs",
    ] {
        assert!(paths.contains(&root.join(name)), "{name}");
    }
}

#[test]
fn a_folder_is_replaced_by_writing_only_what_differs() {
    let folder = TempDir::new().expect("a temporary folder");
    let root = folder.path();
    let old = tree([("same", "1"), ("gone/a", "2"), ("changed", "3")]);
    let (first, second) = (
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000),
        SystemTime::UNIX_EPOCH + Duration::from_secs(2_000),
    );
    replace_tree(root, &Tree::new(), &old, first).expect("a first tree");
    let new = tree([("same", "1"), ("changed", "4"), ("new/b", "5")]);
    replace_tree(root, &old, &new, second).expect("a second tree");
    assert_eq!(read_tree(root), Ok(new));
    assert!(!root.join("gone").exists());
    let modified = |name: &str| fs::metadata(root.join(name)).and_then(|data| data.modified());
    assert_eq!(modified("same").expect("a time"), first);
    assert_eq!(modified("changed").expect("a time"), second);
    assert_eq!(modified("new/b").expect("a time"), second);
}
