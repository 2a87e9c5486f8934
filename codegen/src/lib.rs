//! Keeps `generated/src` equal to the output of openapi-generator and the templates for `openapi/`.
//!
//! `generated/.digest` records the inputs and outputs of the last run. While both still match,
//! nothing runs: no Java, no network. Not here: the API, which the specs and the templates define.

mod generator;
mod spec;
mod tree;
mod unsupported;
mod upgrade;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use spec::{for_generator, read_specs};
pub use tree::{Tree, digest, read_tree, replace_tree};
pub use unsupported::unsupported;
pub use upgrade::to_3_1;

use generator::GENERATOR_VERSION;

const OUTPUT: &str = "generated/src";
const DIGEST: &str = "generated/.digest";
const BUILD_SCRIPT: &str = "build.rs";
const SPECS: &str = "openapi";
const OWN_SOURCES: &str = "codegen/src";

/// Result of a step. An error is text for the developer who runs the build.
pub type Result<T> = std::result::Result<T, String>;

/// Paths and environment of a build script.
#[derive(Debug)]
pub struct Settings {
    /// Folder of the repository.
    pub root: PathBuf,
    /// Folder for the generator's own output.
    pub out_dir: PathBuf,
    /// Command or jar of the generator. `None` searches the PATH and `.venv`.
    pub generator: Option<OsString>,
    /// Command of rustfmt.
    pub rustfmt: OsString,
    /// Generates even if nothing has changed.
    pub is_forced: bool,
}

/// Returns the paths whose change requires another run of [`update`].
///
/// # Errors
/// When the generated files cannot be listed.
pub fn watched(root: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = vec![root.join(BUILD_SCRIPT), root.join(SPECS), root.join(DIGEST)];
    let output = root.join(OUTPUT);
    paths.extend(read_tree(&output)?.keys().map(|name| output.join(name)));
    Ok(paths)
}

/// Regenerates `generated/src` unless the digest says that it is current. Returns whether a file
/// was changed.
///
/// # Errors
/// When a spec has something that the templates cannot express, or the generator is missing or
/// fails.
pub fn update(settings: &Settings) -> Result<bool> {
    let root = settings.root.as_path();
    let inputs = inputs(root)?;
    let present = read_tree(&root.join(OUTPUT))?;
    let recorded = std::fs::read_to_string(root.join(DIGEST)).unwrap_or_default();
    // Without carriage returns, because git may add them at checkout.
    if recorded.replace('\r', "") == record(&inputs, &present) && !settings.is_forced {
        return Ok(false);
    }

    // Before the search for the generator, because an unsupported spec has to be edited first.
    let specs = read_specs(&inputs)?;
    let generator = generator::find(settings).map_err(|why| {
        format!(
            "generated/ does not match openapi/: a spec, a template, codegen/ or a \
             generated file was edited.\nIt cannot be regenerated: {why}.\n`make generate` \
             installs openapi-generator {GENERATOR_VERSION} and regenerates. To undo the edit \
             instead: git restore openapi codegen generated build.rs"
        )
    })?;
    let made = generator::generate(settings, &generator, &specs)?;
    let written_at = tree::newest(root, &inputs);
    replace_tree(&root.join(OUTPUT), &present, &made, written_at)?;
    let record = record(&inputs, &made);
    if record != recorded {
        tree::write(&root.join(DIGEST), record.as_bytes(), written_at)?;
    }
    Ok(record != recorded || made != present)
}

/// Reads everything that the output is made from, by its path from `root`: specs, templates, the
/// generator's settings, this crate and the build script. Leaves out the vendors' own documents.
///
/// # Errors
/// When a file cannot be read.
pub fn inputs(root: &Path) -> Result<Tree> {
    let mut inputs = Tree::new();
    for folder in [SPECS, OWN_SOURCES] {
        let files = read_tree(&root.join(folder))?;
        inputs.extend(
            files
                .into_iter()
                .map(|(name, bytes)| (format!("{folder}/{name}"), bytes)),
        );
    }
    let script = root.join(BUILD_SCRIPT);
    let bytes = std::fs::read(&script).map_err(tree::at(&script))?;
    inputs.insert(BUILD_SCRIPT.to_owned(), bytes);
    inputs.retain(|name, _| !name.starts_with("openapi/upstream/"));
    Ok(inputs)
}

/// Returns the text of `generated/.digest` for these inputs and outputs.
pub fn record(inputs: &Tree, outputs: &Tree) -> String {
    format!(
        "generator {GENERATOR_VERSION}\ninputs {}\noutputs {}\n",
        digest(inputs),
        digest(outputs)
    )
}
