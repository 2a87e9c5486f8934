//! Opens the SQLite file: creates it, turns the WAL on, and connects to it.

use std::error::Error as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::fd::IntoRawFd as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{
    Connection, ConnectionError, ConnectionResult, RunQueryDsl, SqliteConnection, select,
};

use crate::db::engine::fault::is_malformed;
use crate::error::{Error, Result, chain};

use super::files::beside;
use super::pragmas::{self, Role};

/// Oldest version in which two connections cannot corrupt a database by resetting the WAL at the
/// same time. <https://sqlite.org/wal.html>
const OLDEST_VERSION: [u32; 3] = [3, 51, 3];

/// Explanation of a malformed file.
const DAMAGED: &str = "the file is damaged, or a -wal of another file lay beside it; restore as \
    docs/operations/backup-and-restore.md says";

/// Opens the file at `path` for its migrations. Creates the file if it does not exist.
///
/// # Errors
/// [`Error::Unavailable`] for a file that cannot be opened, [`Error::Internal`] for a version of
/// SQLite that may lose data.
pub(in crate::db::engine) fn open(path: &Path) -> Result<SqliteConnection> {
    create_if_missing(path).map_err(Error::unavailable)?;
    warn_if_public(path).map_err(Error::unavailable)?;
    if has_wal_of_another_file(path).map_err(Error::unavailable)? {
        return Err(Error::internal(
            "the -wal beside it belongs to another file: move the -wal and the -shm away",
        ));
    }
    open_existing(path).map_err(|error| {
        if !is_malformed(&error) {
            return error;
        }
        let cause = error.source().map_or_else(|| error.to_string(), chain);
        Error::internal(format!("{cause}: {DAMAGED}"))
    })
}

fn open_existing(path: &Path) -> Result<SqliteConnection> {
    let mut conn = establish(path).map_err(Error::unavailable)?;
    check_version(&mut conn)?;
    use_write_ahead_log(&mut conn)?;
    // Only now, because the change of mode must not wait for ten minutes.
    conn.batch_execute(Role::Migration.settings())?;
    Ok(conn)
}

/// Connects to the file at `path`, with the settings of `role`.
pub(super) fn connect(path: &Path, role: Role) -> ConnectionResult<SqliteConnection> {
    let mut conn = establish(path)?;
    conn.batch_execute(role.settings())
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

fn establish(path: &Path) -> ConnectionResult<SqliteConnection> {
    let path = path
        .to_str()
        .ok_or_else(|| ConnectionError::BadConnection("path is not UTF-8".into()))?;
    let mut conn = SqliteConnection::establish(path)?;
    conn.batch_execute(pragmas::EVERY_CONNECTION)
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

/// Creates the file with access for its owner only, because it will hold attestations and all audit
/// logs. SQLite gives its other files the same mode.
fn create_if_missing(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    match options.append(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => {
            // Never closed, because on POSIX that would drop the locks which this process's
            // connections hold on the file. Other processes would take the file for unused.
            // <https://sqlite.org/howtocorrupt.html>, section 2.2.
            let _kept_open = file.into_raw_fd();
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Warns if every user of the machine may read the file, as after a careless copy.
fn warn_if_public(path: &Path) -> io::Result<()> {
    // By its name, because closing the file would drop the locks of its connections.
    if fs::metadata(path)?.permissions().mode() & 0o004 != 0 {
        log::warn!("other users may read the SQLite file {}", path.display());
    }
    Ok(())
}

/// Returns whether the WAL beside the file cannot belong to it. SQLite would apply it all the same,
/// and destroy the file. Recognizes a copy by `VACUUM INTO` that no program has opened yet: its
/// header says that it is not in WAL mode.
/// <https://sqlite.org/fileformat2.html#file_format_version_numbers>
fn has_wal_of_another_file(path: &Path) -> io::Result<bool> {
    const NOT_IN_WAL_MODE: [u8; 2] = [1, 1];
    let wal = beside(&path.canonicalize()?, "-wal");
    if !fs::metadata(wal).is_ok_and(|wal| wal.len() > 0) {
        return Ok(false);
    }
    let mut header = [0; 20];
    let mut file = File::open(path)?;
    let read = file.read(&mut header);
    // Never closed, for the reason above.
    let _kept_open = file.into_raw_fd();
    Ok(read? == header.len() && header[18..] == NOT_IN_WAL_MODE)
}

fn use_write_ahead_log(conn: &mut SqliteConnection) -> Result<()> {
    const PATIENCE: Duration = Duration::from_secs(5);
    let started = Instant::now();
    // SQLite ignores the busy timeout while another process makes the same change.
    while let Err(error) = conn.batch_execute(pragmas::WRITE_AHEAD_LOG) {
        if started.elapsed() > PATIENCE {
            return Err(error.into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn check_version(conn: &mut SqliteConnection) -> Result<()> {
    diesel::define_sql_function! {
        fn sqlite_version() -> diesel::sql_types::Text;
    }
    let version: String = select(sqlite_version()).get_result(conn)?;
    let numbers: Vec<u32> = version
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect();
    if numbers.as_slice() < OLDEST_VERSION.as_slice() {
        return Err(Error::internal(format!(
            "SQLite {version} may corrupt the database, the version must be 3.51.3 or later"
        )));
    }
    Ok(())
}
