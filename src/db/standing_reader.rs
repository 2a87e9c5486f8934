//! A connection that always reads the SQLite file, for the sake of the others. A read begins and
//! ends with a lock on the place of the write-ahead log that it reads from. Connections of one
//! process share that lock, and only the first to come and the last to leave has to ask the system
//! for it: with somebody always there, nobody has to. That is two system calls less for each read,
//! and no waiting for another worker that is in the middle of such a call.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use diesel::connection::SimpleConnection;

use crate::error::{Error, Result, chain};

use super::connection::{DbConn, open_sqlite_reader};
use super::fixed::{self, Begin, Commit, TakeReadLock};

/// The writer is not to wait for it.
const PATIENCE: &str = "PRAGMA busy_timeout = 0";

pub(super) struct StandingReader(Mutex<State>);

struct State {
    conn: DbConn,
    is_reading: bool,
}

impl StandingReader {
    /// Opens the database at `path`; nothing is read yet.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let mut conn = open_sqlite_reader(path).map_err(Error::unavailable)?;
        conn.batch_execute(PATIENCE)?;
        Ok(Self(Mutex::new(State {
            conn: DbConn::Sqlite(conn),
            is_reading: false,
        })))
    }

    /// Reads from where a read that begins now would. To be called when that has moved: after a
    /// commit, and after the log was copied. Until then others take and leave the lock themselves.
    ///
    /// From the end of the log, where a commit has moved it, it keeps everybody from starting the
    /// log again; once all of the log is copied it reads from the database and keeps what is
    /// written then from being copied. So it must not stay anywhere for long.
    pub(super) fn follow(&self) {
        self.change(|state| {
            state.leave()?;
            fixed::run(&mut state.conn, &Begin)?;
            state.is_reading = true;
            fixed::run(&mut state.conn, &TakeReadLock)
        });
    }

    /// Reads nothing until it is to follow again.
    pub(super) fn leave(&self) {
        self.change(State::leave);
    }

    /// Does `work` while it reads nothing, and does not follow anybody either.
    pub(super) fn while_away(&self, work: impl FnOnce()) {
        self.change(|state| {
            let left = state.leave();
            work();
            left
        });
    }

    fn change(&self, change: impl FnOnce(&mut State) -> Result<()>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = change(&mut state) {
            log::debug!("SQLite's standing reader: {}", chain(&error));
        }
    }
}

impl State {
    fn leave(&mut self) -> Result<()> {
        if std::mem::take(&mut self.is_reading) {
            fixed::run(&mut self.conn, &Commit)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use diesel::sql_types::Integer;
    use diesel::{QueryableByName, RunQueryDsl, SqliteConnection};
    use tempfile::TempDir;

    use super::*;
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

    #[derive(QueryableByName)]
    struct Outcome {
        #[diesel(sql_type = Integer)]
        busy: i32,
        #[diesel(sql_type = Integer)]
        log: i32,
        #[diesel(sql_type = Integer)]
        checkpointed: i32,
    }

    fn checkpoint(conn: &mut SqliteConnection, mode: &str) -> Outcome {
        diesel::sql_query(format!("PRAGMA wal_checkpoint({mode})"))
            .get_result(conn)
            .unwrap()
    }

    #[test]
    fn the_log_is_started_again_when_the_standing_reader_has_left() {
        let (_directory, mut conn, reader) = database();
        reader.follow();
        assert_eq!(checkpoint(&mut conn, "RESTART").busy, 1);
        reader.while_away(|| assert_eq!(checkpoint(&mut conn, "RESTART").busy, 0));
    }

    #[test]
    fn what_was_committed_is_copied_once_the_standing_reader_follows() {
        let (_directory, mut conn, reader) = database();
        reader.follow();
        conn.batch_execute(WRITE).unwrap();
        let behind = checkpoint(&mut conn, "PASSIVE");
        assert!(behind.checkpointed < behind.log);
        reader.follow();
        let copied = checkpoint(&mut conn, "PASSIVE");
        assert_eq!(copied.checkpointed, copied.log);
    }

    #[test]
    fn a_standing_reader_at_rest_holds_up_neither_the_log_nor_a_writer() {
        let (_directory, mut conn, reader) = database();
        reader.follow();
        checkpoint(&mut conn, "PASSIVE");
        reader.follow();
        assert_eq!(checkpoint(&mut conn, "TRUNCATE").busy, 0);
        conn.batch_execute(WRITE).unwrap();
    }
}
