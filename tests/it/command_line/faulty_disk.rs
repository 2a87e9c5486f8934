//! Disk of a program that fails on demand: `faulty_disk.c`, which the dynamic linker loads.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use super::program::{Program, Server};

/// Disk with the SQLite database of a program.
pub struct FaultyDisk {
    /// Folder whose files name the faults.
    faults: TempDir,
    disk: PathBuf,
}

impl FaultyDisk {
    pub fn of(program: &Program) -> Self {
        let file = program.sqlite_file();
        Self {
            faults: tempfile::tempdir().unwrap(),
            disk: Path::new(&file).parent().unwrap().to_owned(),
        }
    }

    /// Returns a command whose files are on this disk.
    pub fn command(&self, program: &Program, arguments: &[&str]) -> Command {
        let mut command = program.command(arguments);
        command
            .env("LD_PRELOAD", library())
            .env("DISK", &self.disk)
            .env("FAULTS", self.faults.path());
        command
    }

    /// Starts the server on this disk.
    pub fn serve(&self, program: &Program) -> Server {
        program.start(self.command(program, &["serve", "--listen", "127.0.0.1:0"]))
    }

    /// Lets the disk fail as `fault` says.
    pub fn arm(&self, fault: &str) {
        fs::write(self.faults.path().join(fault), "").unwrap();
    }

    /// Returns whether `fault` has not happened yet.
    pub fn is_armed(&self, fault: &str) -> bool {
        self.faults.path().join(fault).exists()
    }

    /// Lets the files of the disk grow by `bytes` from now on.
    pub fn limit_growth(&self, bytes: u64) {
        let entries = fs::read_dir(&self.disk).unwrap();
        let used: u64 = entries
            .map(|file| file.unwrap().metadata().unwrap().len())
            .sum();
        let limit = (used + bytes).to_string();
        fs::write(self.faults.path().join("space"), limit).unwrap();
    }

    /// Ends `fault`.
    pub fn repair(&self, fault: &str) {
        fs::remove_file(self.faults.path().join(fault)).unwrap();
    }
}

/// Compiles the library, once.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = LIBRARY.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("faulty_disk.so");
        let source = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/it/command_line/faulty_disk.c"
        );
        let compiled = Command::new("cc")
            .args(["-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"])
            .args([&path, Path::new(source)])
            .arg("-ldl")
            .status();
        assert!(compiled.expect("a C compiler").success());
        (folder, path)
    });
    path
}
