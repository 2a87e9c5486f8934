//! Disk space in reserve: a file beside the database whose space is released when the disk is full
//! and a write must succeed all the same. The space is taken again right after that write.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::files::beside;

/// Length of the file. A revocation takes 17 KiB of the WAL in a small database, and more where the
/// indexes are deeper. The reserve lasts for 60 revocations or more.
const LENGTH: u64 = 8 * 1024 * 1024;

/// Space that one write releases. The revocation of 1,000 keys takes 0.9 MiB of the WAL, and 2 MiB
/// with the longest labels and reasons. The write shares its transaction with up to 63 others,
/// whose pages have to fit too.
const STEP: u64 = 4 * 1024 * 1024;

/// Bytes that are written at once.
const CHUNK: usize = 64 * 1024;

/// Reserve of one database.
pub(super) struct Reserve {
    path: PathBuf,
    is_released: AtomicBool,
    /// Locked while the space changes, and while a checkpoint may take it.
    space: Mutex<()>,
}

impl Reserve {
    pub(super) fn of(database: &Path) -> Self {
        Self {
            path: beside(database, "-reserve"),
            is_released: AtomicBool::new(false),
            space: Mutex::new(()),
        }
    }

    /// Creates the file, or extends it to its full length.
    ///
    /// # Errors
    /// An error of the disk. Space that was taken until then is kept.
    pub(super) fn fill(&self) -> io::Result<()> {
        self.unless_released(|| {
            let mut options = OpenOptions::new();
            let options = options.append(true).create(true).mode(0o600);
            extend(&options.open(&self.path)?)
        })
        .unwrap_or(Ok(()))
    }

    /// Releases space for the transaction in progress, until [`Reserve::take_back`]. Waits for a
    /// checkpoint in progress.
    pub(super) fn release(&self) {
        let _space = self.lock();
        match shorten(&self.path) {
            Ok(()) => {
                log::warn!("the disk is full: space in reserve is released for a revocation");
                self.is_released.store(true, Ordering::Relaxed);
            }
            Err(error) => log::warn!("{} cannot be released: {error}", self.path.display()),
        }
    }

    /// Takes back the released space that is left. Called after every transaction.
    pub(super) fn take_back(&self) {
        if !self.is_released.load(Ordering::Relaxed) {
            return;
        }
        let _space = self.lock();
        let file = OpenOptions::new().append(true).open(&self.path);
        // A full disk is why the space was released. The server tries again later.
        if let Err(error) = file.and_then(|file| extend(&file)) {
            log::debug!("{} is not full: {error}", self.path.display());
        }
        self.is_released.store(false, Ordering::Relaxed);
    }

    /// Runs `work`, unless space is released. A checkpoint might take it for the database file.
    pub(super) fn unless_released<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let _space = self.lock();
        let is_released = self.is_released.load(Ordering::Relaxed);
        (!is_released).then(work)
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.space.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn extend(mut file: &File) -> io::Result<()> {
    while file.metadata()?.len() < LENGTH {
        // Random, because some file systems compress.
        let mut chunk = [0; CHUNK];
        rand::fill(&mut chunk);
        file.write_all(&chunk)?;
    }
    Ok(())
}

fn shorten(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(file.metadata()?.len().saturating_sub(STEP))?;
    // On some file systems, the space is not free before this.
    file.sync_all()
}
