//! Build script of `generated/`: regenerates its sources from `openapi/` when they are not current,
//! before Cargo compiles them. `codegen/` does the work.

use std::env;
use std::path::{Path, PathBuf};

use quietline_api_codegen::{Settings, update, watched};

fn main() {
    let crate_root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("Cargo sets it"));
    let root = crate_root
        .parent()
        .expect("generated/ is inside the repository");
    if let Err(problem) = run(root) {
        // One directive per line, because Cargo reads directives line by line.
        for line in problem.lines() {
            println!("cargo::error={line}");
        }
    }
}

fn run(root: &Path) -> Result<(), String> {
    for variable in ["OPENAPI_GENERATOR", "OPENAPI_REGENERATE"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    for path in watched(root)? {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    let settings = Settings {
        root: root.to_owned(),
        out_dir: env::var_os("OUT_DIR").expect("Cargo sets it").into(),
        generator: env::var_os("OPENAPI_GENERATOR"),
        rustfmt: env::var_os("RUSTFMT").unwrap_or_else(|| "rustfmt".into()),
        is_forced: env::var_os("OPENAPI_REGENERATE").is_some_and(|value| value != "0"),
    };
    if update(&settings)? {
        println!("cargo::warning=generated/ was regenerated from openapi/; commit both");
    }
    Ok(())
}
