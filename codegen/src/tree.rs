//! Folders as maps: reads them, compares them by digest, and writes only the files that differ.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;
use std::{fs, io};

use sha2::{Digest, Sha256};

use crate::Result;

/// Contents by path, with `/` on every platform.
pub type Tree = BTreeMap<String, Vec<u8>>;

/// Returns a hash of all paths and contents, in lower-case hex.
pub fn digest(tree: &Tree) -> String {
    let mut hash = Sha256::new();
    for (name, bytes) in tree {
        // Without carriage returns, because git may add them at checkout.
        let bytes: Vec<u8> = bytes
            .iter()
            .copied()
            .filter(|byte| *byte != b'\r')
            .collect();
        // With separators and the length, so that another split of the same bytes differs.
        hash.update(format!("{name}\0{}\0", bytes.len()));
        hash.update(&bytes);
    }
    hex::encode(hash.finalize())
}

/// Reads all files below `root`.
///
/// # Errors
/// When a file cannot be read.
pub fn read_tree(root: &Path) -> Result<Tree> {
    let mut tree = Tree::new();
    walk(root, "", &mut tree)?;
    Ok(tree)
}

fn walk(folder: &Path, prefix: &str, tree: &mut Tree) -> Result<()> {
    // In any order, because the map sorts by path. Digests thus agree between file systems.
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            walk(&path, &format!("{prefix}{name}/"), tree)?;
        } else {
            let bytes = fs::read(&path).map_err(at(&path))?;
            tree.insert(format!("{prefix}{name}"), bytes);
        }
    }
    Ok(())
}

/// Makes `root`, which holds `old`, hold exactly `new`. Files that stay the same are not touched.
///
/// # Errors
/// When a file cannot be removed or written.
pub fn replace_tree(root: &Path, old: &Tree, new: &Tree, written_at: SystemTime) -> Result<()> {
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        let path = root.join(name);
        fs::remove_file(&path).map_err(at(&path))?;
        remove_if_empty(path.parent().expect("a file is in a folder"))?;
    }
    for (name, bytes) in new {
        if old.get(name) != Some(bytes) {
            write(&root.join(name), bytes, written_at)?;
        }
    }
    Ok(())
}

fn remove_if_empty(folder: &Path) -> Result<()> {
    match fs::read_dir(folder).map_err(at(folder))?.next() {
        Some(_) => Ok(()),
        None => fs::remove_dir(folder).map_err(at(folder)),
    }
}

/// Writes a file and dates it back. A file younger than the start of the build script would make
/// Cargo run the script, and compile the crate, once more in the next build.
pub(crate) fn write(path: &Path, bytes: &[u8], written_at: SystemTime) -> Result<()> {
    let folder = path.parent().expect("a file is in a folder");
    fs::create_dir_all(folder).map_err(at(folder))?;
    fs::write(path, bytes).map_err(at(path))?;
    let file = fs::File::options().write(true).open(path);
    file.and_then(|file| file.set_modified(written_at))
        .map_err(at(path))
}

/// Returns the time of the last change of any of `names`.
pub(crate) fn newest(root: &Path, inputs: &Tree) -> SystemTime {
    let modified = |name| fs::metadata(root.join(name)).and_then(|data| data.modified());
    let times = inputs.keys().filter_map(|name| modified(name).ok());
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Prefixes an error with its path.
pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> String + use<'_> {
    move |error| format!("{}: {error}", path.display())
}
