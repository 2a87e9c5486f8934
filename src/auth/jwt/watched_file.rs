//! File that is read again when it changes. Its metadata is polled, because notifications miss
//! changes on network file systems and of links, such as those of Kubernetes.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

#[derive(Debug)]
pub(super) struct WatchedFile {
    pub(super) path: PathBuf,
    read: Read,
    /// State at the last read. `None` before the first one, and after a failure.
    last: Mutex<Option<FileState>>,
    /// Problem of the last read, so that it is reported once.
    problem: Mutex<Option<String>>,
}

/// Reads a file, and refuses one that it should not read.
type Read = fn(&Path) -> io::Result<String>;

/// Metadata of which a change means that the content may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileState {
    device: u64,
    inode: u64,
    length: u64,
    modified: Option<SystemTime>,
}

impl WatchedFile {
    pub(super) fn new(path: PathBuf, read: Read) -> Self {
        Self {
            path,
            read,
            last: Mutex::new(None),
            problem: Mutex::new(None),
        }
    }

    /// Reads the file if it has changed since the last call, or `always`. Returns `None` otherwise.
    pub(super) fn read_if_changed(&self, always: bool) -> Option<io::Result<String>> {
        // Before the content, so that a change in between is noticed by the next call.
        let state = fs::metadata(&self.path).ok().map(|metadata| FileState {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: metadata.modified().ok(),
        });
        let mut last = lock(&self.last);
        if *last == state && !always {
            return None;
        }
        *last = state;
        Some((self.read)(&self.path))
    }

    /// Notes the outcome of a read. A file that could not be used is read again by the next call,
    /// because what was wrong may change without the file, such as its mode. Returns a problem that
    /// differs from the last one.
    pub(super) fn note(&self, outcome: Result<(), String>) -> Option<String> {
        let problem = outcome.err();
        if problem.is_some() {
            *lock(&self.last) = None;
        }
        let mut last = lock(&self.problem);
        let is_new = *last != problem;
        last.clone_from(&problem);
        problem.filter(|_| is_new)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
