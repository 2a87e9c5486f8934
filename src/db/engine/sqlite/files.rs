//! The files of the database: the file itself, its WAL and the index of the WAL. Detects that one
//! was replaced or removed under the running program. Further writes would go to a file without a
//! name, and would be lost when the program ends.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

/// Files that the open connections use.
pub(super) struct Files {
    // Closed last: on POSIX, closing it would drop the locks of this process's connections.
    // <https://sqlite.org/howtocorrupt.html>, section 2.2.
    open: File,
    database: Named,
    wal: Named,
    wal_index: Named,
    /// True from the first detection until the program ends. A file that comes back may have been
    /// used by another program meanwhile.
    are_gone: AtomicBool,
}

impl Files {
    /// Notes `open`, the database file at `path`, and the files beside it. An open connection must
    /// have created these, and must stay open, because the last one to close deletes them.
    pub(super) fn note(path: &Path, open: File) -> io::Result<Self> {
        let database = Named {
            path: path.to_owned(),
            identity: identity(&open.metadata()?),
        };
        // SQLite follows links, and has its other files beside the file itself.
        let real = path.canonicalize()?;
        Ok(Self {
            open,
            database,
            wal: Named::find(beside(&real, "-wal"))?,
            wal_index: Named::find(beside(&real, "-shm"))?,
            are_gone: AtomicBool::new(false),
        })
    }

    /// Checks every file.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if a file was replaced or removed since the start.
    pub(super) fn check(&self) -> Result<()> {
        self.refuse_if_gone()?;
        let all = [&self.database, &self.wal, &self.wal_index];
        let Some(gone) = all.into_iter().find(|file| file.is_gone()) else {
            return Ok(());
        };
        if !self.are_gone.swap(true, Ordering::Relaxed) {
            log::error!(
                "{} was replaced or removed under the server, which refuses all requests from now \
                 on: stop it, then restore as docs/operations/backup-and-restore.md says",
                gone.path.display()
            );
        }
        self.refuse_if_gone()
    }

    /// Checks the result of earlier checks only.
    ///
    /// # Errors
    /// Errors of [`Files::check`].
    pub(super) fn refuse_if_gone(&self) -> Result<()> {
        if self.are_gone.load(Ordering::Relaxed) {
            return Err(Error::unavailable(
                "the SQLite file was replaced or removed under the server",
            ));
        }
        Ok(())
    }

    /// Returns whether the WAL can still be copied into the database file. Not if another program
    /// may have begun a WAL or an index of its own for the same database file.
    pub(super) fn can_checkpoint(&self) -> bool {
        self.database.is_gone() || !self.wal.path.exists()
    }

    /// Makes the database file durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.open.sync_data()
    }
}

/// Returns the path of a file that SQLite has beside the database file.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(database);
    path.push(suffix);
    path.into()
}

/// Name of a file, and the file that it stood for at the start.
struct Named {
    path: PathBuf,
    identity: Identity,
}

/// Device and inode. An inode is not reused while the file is open.
type Identity = (u64, u64);

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

impl Named {
    fn find(path: PathBuf) -> io::Result<Self> {
        let identity = identity(&fs::metadata(&path)?);
        Ok(Self { path, identity })
    }

    /// Returns whether the name stands for nothing or for another file.
    fn is_gone(&self) -> bool {
        match fs::metadata(&self.path) {
            Ok(metadata) => identity(&metadata) != self.identity,
            // Other errors may pass, and do not say that the file is gone.
            Err(error) => matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
        }
    }
}
