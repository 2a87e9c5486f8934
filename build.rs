//! Keeps `generated/src` what openapi-generator and our templates make of `openapi/`.
//!
//! `generated/.digest` records what was made from what. While it holds, nothing runs: no Java, no
//! network. Cargo runs this as the build script of `generated/`, so that the same build compiles
//! what it writes. It decides nothing about the API; the specs and the templates do.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;
use std::{env, fs, io, thread};

use serde_json::Value;
use sha2::{Digest, Sha256};

#[path = "openapi/templates/build/spec.rs"]
mod spec;

const GENERATOR_VERSION: &str = "7.26.0";
/// What is taken out of the generator's output, per spec.
const GENERATED_FILES: [&str; 4] = ["api.rs", "mod.rs", "models.rs", "routes.rs"];
const OUTPUT: &str = "generated/src";
const DIGEST: &str = "generated/.digest";

/// Contents by path, with `/` on every platform.
type Tree = BTreeMap<String, Vec<u8>>;
type Result<T> = std::result::Result<T, String>;

fn main() {
    let crate_root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("Cargo sets it"));
    let root = crate_root
        .parent()
        .expect("generated/ is inside the repository");
    if let Err(problem) = run(root) {
        for line in problem.lines() {
            println!("cargo::error={line}");
        }
    }
}

fn run(root: &Path) -> Result<()> {
    for variable in ["OPENAPI_GENERATOR", "OPENAPI_REGENERATE"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    for path in ["build.rs", "openapi", DIGEST] {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
    }
    let inputs = inputs(root)?;
    let present = read_tree(&root.join(OUTPUT))?;
    for name in present.keys() {
        println!(
            "cargo::rerun-if-changed={}",
            root.join(OUTPUT).join(name).display()
        );
    }
    let recorded = fs::read_to_string(root.join(DIGEST)).unwrap_or_default();
    let is_forced = env::var_os("OPENAPI_REGENERATE").is_some_and(|value| value != "0");
    if recorded.replace('\r', "") == record(&inputs, &present) && !is_forced {
        return Ok(());
    }

    let specs = read_specs(&inputs)?;
    let generator = find_generator(root).map_err(|why| {
        format!(
            "generated/ is not what openapi/ describes: a spec, a template or a generated file \
             was edited.\nIt cannot be regenerated: {why}.\n`make generate` installs \
             openapi-generator {GENERATOR_VERSION} and regenerates. To undo the edit instead: \
             git restore openapi generated"
        )
    })?;
    let made = generate(root, &generator, &specs)?;
    let written_at = newest(root, &inputs);
    replace_tree(&root.join(OUTPUT), &present, &made, written_at)?;
    let record = record(&inputs, &made);
    if record != recorded {
        write(&root.join(DIGEST), record.as_bytes(), written_at)?;
    }
    if record != recorded || made != present {
        println!("cargo::warning=generated/ was regenerated from openapi/; commit both");
    }
    Ok(())
}

/// Everything under `openapi/` that the output is made from: not the vendors' own documents.
fn inputs(root: &Path) -> Result<Tree> {
    let mut tree = read_tree(&root.join("openapi"))?;
    tree.retain(|name, _| !name.starts_with("upstream/"));
    Ok(tree)
}

/// The specs by module name, each checked for what the templates cannot express.
fn read_specs(inputs: &Tree) -> Result<BTreeMap<String, Value>> {
    let mut specs = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, bytes) in inputs {
        let Some(stem) = name
            .strip_suffix(".yaml")
            .filter(|stem| !stem.contains('/'))
        else {
            continue;
        };
        if stem == "generator" {
            continue;
        }
        let text = String::from_utf8_lossy(bytes);
        let spec: Value = serde_saphyr::from_str(&text)
            .map_err(|error| format!("openapi/{name} is not YAML: {error}"))?;
        for problem in spec::unsupported(&spec) {
            problems.push(format!(
                "openapi/{name}: {problem} is not supported by openapi/templates"
            ));
        }
        specs.insert(stem.replace('-', "_"), spec);
    }
    if problems.is_empty() {
        Ok(specs)
    } else {
        Err(problems.join("\n"))
    }
}

fn record(inputs: &Tree, outputs: &Tree) -> String {
    format!(
        "generator {GENERATOR_VERSION}\ninputs {}\noutputs {}\n",
        digest(inputs),
        digest(outputs)
    )
}

fn digest(tree: &Tree) -> String {
    let mut hash = Sha256::new();
    for (name, bytes) in tree {
        // Line endings are git's business.
        let bytes: Vec<u8> = bytes
            .iter()
            .copied()
            .filter(|byte| *byte != b'\r')
            .collect();
        hash.update(format!("{name}\0{}\0", bytes.len()));
        hash.update(&bytes);
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The generator's command line: given, on the PATH, or where `make generate` installs it.
fn find_generator(root: &Path) -> Result<Vec<OsString>> {
    let candidates = match env::var_os("OPENAPI_GENERATOR") {
        Some(jar)
            if Path::new(&jar)
                .extension()
                .is_some_and(|extension| extension == "jar") =>
        {
            vec![vec!["java".into(), "-jar".into(), jar]]
        }
        Some(command) => vec![vec![command]],
        None => vec![
            vec!["openapi-generator-cli".into()],
            vec![root.join(".venv/bin/openapi-generator-cli").into()],
        ],
    };
    let mut problem = "openapi-generator-cli was found neither on the PATH nor in .venv".to_owned();
    for candidate in candidates {
        match version_of(&candidate) {
            Ok(version) if version == GENERATOR_VERSION => return Ok(candidate),
            Ok(version) => {
                problem = format!("{candidate:?} is version {version:?}, not {GENERATOR_VERSION}");
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && candidate.len() == 1 => {}
            Err(error) => problem = format!("{candidate:?}: {error}"),
        }
    }
    Err(problem)
}

fn version_of(generator: &[OsString]) -> io::Result<String> {
    let output = Command::new(&generator[0])
        .args(&generator[1..])
        .arg("version")
        .output()?;
    if !output.status.success() {
        return Err(io::Error::other(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Everything that belongs under `generated/src`.
fn generate(root: &Path, generator: &[OsString], specs: &BTreeMap<String, Value>) -> Result<Tree> {
    let scratch = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets it")).join("openapi");
    if scratch.exists() {
        fs::remove_dir_all(&scratch).map_err(at(&scratch))?;
    }
    let runs: Vec<Result<Tree>> = thread::scope(|threads| {
        let run = |(module, spec)| {
            let out = scratch.join(module);
            threads.spawn(move || generate_one(root, generator, spec, &out))
        };
        let running: Vec<_> = specs.iter().map(run).collect();
        running
            .into_iter()
            .map(|run| run.join().expect("generate_one returns its errors"))
            .collect()
    });
    let mut tree = Tree::new();
    for (module, files) in specs.keys().zip(runs) {
        tree.extend(
            files?
                .into_iter()
                .map(|(name, bytes)| (format!("{module}/{name}"), bytes)),
        );
    }
    let modules = tree.keys().filter_map(|name| name.strip_suffix("/mod.rs"));
    let modules: String = modules.map(|name| format!("pub mod {name};\n")).collect();
    let library = "// @generated by build.rs; do not edit.\n\
        //! The APIs that `openapi/` describes: types, the traits to implement, and routes.\n\n";
    tree.insert(
        "lib.rs".to_owned(),
        format!("{library}{modules}").into_bytes(),
    );
    Ok(tree)
}

fn generate_one(root: &Path, generator: &[OsString], spec: &Value, out: &Path) -> Result<Tree> {
    fs::create_dir_all(out).map_err(at(out))?;
    let input = out.join("input.json");
    let for_generator = spec::for_generator(spec).to_string();
    fs::write(&input, for_generator).map_err(at(&input))?;
    run_tool(
        Command::new(&generator[0])
            .args(&generator[1..])
            .args(["generate", "-c", "openapi/generator.yaml", "-i"])
            .arg(&input)
            .arg("-o")
            .arg(out)
            .current_dir(root),
    )?;
    let rustfmt = env::var_os("RUSTFMT").unwrap_or_else(|| "rustfmt".into());
    run_tool(
        Command::new(rustfmt)
            .args(["--edition", "2024"])
            .arg(out.join("mod.rs")),
    )?;
    let mut files = Tree::new();
    for name in GENERATED_FILES {
        let path = out.join(name);
        files.insert(name.to_owned(), fs::read(&path).map_err(at(&path))?);
    }
    let json =
        serde_json::to_string_pretty(&spec::to_3_1(spec)).map_err(|error| error.to_string())?;
    files.insert("spec.json".to_owned(), format!("{json}\n").into_bytes());
    Ok(files)
}

fn run_tool(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let (stdout, stderr) = (&output.stdout, &output.stderr);
    let said = [
        String::from_utf8_lossy(stdout),
        String::from_utf8_lossy(stderr),
    ]
    .concat();
    Err(format!("{command:?} failed:\n{said}"))
}

fn read_tree(root: &Path) -> Result<Tree> {
    fn walk(folder: &Path, prefix: &str, tree: &mut Tree) -> Result<()> {
        for entry in fs::read_dir(folder).map_err(at(folder))? {
            let path = entry.map_err(at(folder))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                walk(&path, &format!("{prefix}{name}/"), tree)?;
            } else {
                tree.insert(
                    format!("{prefix}{name}"),
                    fs::read(&path).map_err(at(&path))?,
                );
            }
        }
        Ok(())
    }
    let mut tree = Tree::new();
    walk(root, "", &mut tree)?;
    Ok(tree)
}

/// Makes the folder hold exactly `new`, touching only what differs.
fn replace_tree(root: &Path, old: &Tree, new: &Tree, written_at: SystemTime) -> Result<()> {
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        let path = root.join(name);
        fs::remove_file(&path).map_err(at(&path))?;
        remove_if_empty(path.parent().expect("a file is in a folder"))?;
    }
    for (name, bytes) in new
        .iter()
        .filter(|(name, bytes)| old.get(*name) != Some(bytes))
    {
        write(&root.join(name), bytes, written_at)?;
    }
    Ok(())
}

fn remove_if_empty(folder: &Path) -> Result<()> {
    match fs::read_dir(folder).map_err(at(folder))?.next() {
        Some(_) => Ok(()),
        None => fs::remove_dir(folder).map_err(at(folder)),
    }
}

/// Writes a file and dates it back: younger than the start of this script, it would make Cargo
/// run the script, and compile the crate, once more in the next build.
fn write(path: &Path, bytes: &[u8], written_at: SystemTime) -> Result<()> {
    let folder = path.parent().expect("a file is in a folder");
    fs::create_dir_all(folder).map_err(at(folder))?;
    fs::write(path, bytes).map_err(at(path))?;
    fs::File::options()
        .write(true)
        .open(path)
        .and_then(|f| f.set_modified(written_at))
        .map_err(at(path))
}

/// When the youngest input was last changed.
fn newest(root: &Path, inputs: &Tree) -> SystemTime {
    let modified = |name| fs::metadata(root.join("openapi").join(name)).and_then(|m| m.modified());
    inputs
        .keys()
        .filter_map(|name| modified(name).ok())
        .max()
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

fn at(path: &Path) -> impl Fn(io::Error) -> String + use<'_> {
    move |error| format!("{}: {error}", path.display())
}
