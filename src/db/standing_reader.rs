//! A connection that reads the SQLite file while nobody writes, for the sake of the others. A read
//! begins and ends with a lock on the place of the write-ahead log that it reads from. Connections
//! of one process share that lock, and only the first to come and the last to leave has to ask the
//! system for it: with somebody always there, nobody has to. That is two system calls less for each
//! read, and no waiting for another worker that is in the middle of such a call.
//!
//! It is only for a database at rest: where somebody writes, in this process or another, a reader
//! that stays keeps the log from being copied or from being started again.

use std::path::Path;

use diesel::connection::SimpleConnection;

use crate::error::{Error, Result, chain};

use super::connection::{DbConn, open_sqlite_reader};
use super::fixed::{self, Begin, Commit, TakeReadLock};

/// Nobody is to wait for it.
const PATIENCE: &str = "PRAGMA busy_timeout = 0";

pub(super) struct StandingReader {
    conn: DbConn,
    is_reading: bool,
}

impl StandingReader {
    /// Opens the database at `path`; nothing is read yet.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let mut conn = open_sqlite_reader(path).map_err(Error::unavailable)?;
        conn.batch_execute(PATIENCE)?;
        Ok(Self {
            conn: DbConn::Sqlite(conn),
            is_reading: false,
        })
    }

    /// Reads from where a read that begins now would, until it is to leave. What fails is done
    /// without: others then take and leave the lock themselves.
    pub(super) fn stand(&mut self) {
        self.leave();
        self.is_reading = true;
        Self::note(fixed::run(&mut self.conn, &Begin));
        Self::note(fixed::run(&mut self.conn, &TakeReadLock));
    }

    /// Reads nothing.
    pub(super) fn leave(&mut self) {
        if std::mem::take(&mut self.is_reading) {
            Self::note(fixed::run(&mut self.conn, &Commit));
        }
    }

    fn note(outcome: Result<()>) {
        if let Err(error) = outcome {
            log::debug!("SQLite's standing reader: {}", chain(&error));
        }
    }
}

#[cfg(test)]
mod tests {
    use diesel::SqliteConnection;
    use tempfile::TempDir;

    use super::*;
    use crate::db::checkpointer::{Seen, checkpoint};
    use crate::db::connection::open_sqlite;
    use crate::db::sqlite::use_write_ahead_log;

    const WRITE: &str = "INSERT INTO things VALUES (1)";

    fn database() -> (TempDir, SqliteConnection, StandingReader) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.db");
        let mut conn = open_sqlite(&path).unwrap();
        use_write_ahead_log(&mut conn).unwrap();
        let setup = "PRAGMA busy_timeout = 0; CREATE TABLE things (number INTEGER)";
        conn.batch_execute(setup).unwrap();
        (directory, conn, StandingReader::open(&path).unwrap())
    }

    fn run(conn: &mut SqliteConnection, mode: &str) -> Seen {
        checkpoint(conn, &format!("PRAGMA wal_checkpoint({mode})")).unwrap()
    }

    #[test]
    fn the_log_is_started_again_when_the_standing_reader_has_left() {
        let (_directory, mut conn, mut reader) = database();
        reader.stand();
        assert_eq!(run(&mut conn, "RESTART").busy, 1);
        reader.leave();
        assert_eq!(run(&mut conn, "RESTART").busy, 0);
    }

    #[test]
    fn what_was_committed_is_copied_once_the_standing_reader_stands_elsewhere() {
        let (_directory, mut conn, mut reader) = database();
        reader.stand();
        conn.batch_execute(WRITE).unwrap();
        let behind = run(&mut conn, "PASSIVE");
        assert!(behind.checkpointed < behind.log);
        reader.stand();
        let copied = run(&mut conn, "PASSIVE");
        assert_eq!(copied.checkpointed, copied.log);
    }

    #[test]
    fn a_standing_reader_at_rest_holds_up_neither_the_log_nor_a_writer() {
        let (_directory, mut conn, mut reader) = database();
        reader.stand();
        run(&mut conn, "PASSIVE");
        reader.stand();
        assert_eq!(run(&mut conn, "TRUNCATE").busy, 0);
        conn.batch_execute(WRITE).unwrap();
    }
}
