//! A connection for long reads, apart from the pools and their time limits.

use diesel::connection::SimpleConnection;

use crate::error::Result;

use super::connection::DbConn;

/// Reader of snapshots, for the command line.
pub struct Reader(DbConn);

impl Reader {
    pub(in crate::db) fn new(conn: DbConn) -> Self {
        Self(conn)
    }

    /// Runs `work` in a transaction in which all queries see the same state.
    ///
    /// # Errors
    /// Errors of `work` and of the transaction.
    pub fn snapshot<T>(&mut self, work: impl FnOnce(&mut DbConn) -> Result<T>) -> Result<T> {
        let begin = match &self.0 {
            DbConn::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            DbConn::Sqlite(_) => "BEGIN",
        };
        self.0.batch_execute(begin)?;
        let outcome = work(&mut self.0);
        let ended = self.0.batch_execute("ROLLBACK");
        let value = outcome?;
        ended?;
        Ok(value)
    }
}
