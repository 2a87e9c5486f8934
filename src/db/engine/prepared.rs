//! Statements of fixed text whose prepared form stays in the connection's cache. Diesel keeps no
//! UPDATE and no raw SQL there, and preparing costs more than running. Only changes of single rows
//! and the few statements around them belong here; all others are written with Diesel's query
//! builder.

use diesel::backend::Backend;
use diesel::connection::Connection;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::serialize::ToSql;
use diesel::sql_types::HasSqlType;
use diesel::sqlite::Sqlite;

use crate::error::Result;

use crate::db::engine::connection::DbConn;

/// Takes up the text of a statement and its binds.
pub(in crate::db) struct Pass<'a, 'b, DB: Backend>(pub(in crate::db) AstPass<'a, 'b, DB>);

impl<'b, DB: Backend> Pass<'_, 'b, DB> {
    /// Text as it stands.
    pub(in crate::db) fn sql(&mut self, text: &'static str) {
        self.0.push_sql(text);
    }

    /// Text, then a bound value.
    pub(in crate::db) fn bind<ST, T>(&mut self, text: &'static str, value: &'b T) -> QueryResult<()>
    where
        DB: HasSqlType<ST>,
        T: ToSql<ST, DB> + ?Sized,
    {
        self.0.push_sql(text);
        self.0.push_bind_param::<ST, T>(value)
    }

    /// Another piece of the statement.
    pub(in crate::db) fn piece(&mut self, piece: &'b impl QueryFragment<DB>) -> QueryResult<()> {
        piece.walk_ast(self.0.reborrow())
    }
}

/// Writes a piece of a statement once for both databases. Through Diesel's own wrapper of several
/// connection types the text would be built anew for every execution.
macro_rules! piece {
    ($piece:ty, |$this:ident, $pass:ident| $build:block) => {
        $crate::db::engine::prepared::piece!(@on diesel::sqlite::Sqlite, $piece, $this, $pass, $build);
        $crate::db::engine::prepared::piece!(@on diesel::pg::Pg, $piece, $this, $pass, $build);
    };
    (@on $backend:ty, $piece:ty, $this:ident, $pass:ident, $build:block) => {
        impl diesel::query_builder::QueryFragment<$backend> for $piece {
            fn walk_ast<'b>(
                &'b self,
                pass: diesel::query_builder::AstPass<'_, 'b, $backend>,
            ) -> diesel::result::QueryResult<()> {
                let ($this, $pass) = (self, &mut $crate::db::engine::prepared::Pass(pass));
                $build
            }
        }
    };
}

pub(in crate::db) use piece;

/// Runs `statement` and returns the number of rows that it touched.
pub(in crate::db) fn execute<S>(conn: &mut DbConn, statement: &S) -> Result<usize>
where
    S: QueryFragment<Sqlite> + QueryFragment<Pg> + QueryId,
{
    let touched = match conn {
        DbConn::Postgres(conn) => conn.execute_returning_count(statement),
        DbConn::Sqlite(conn) => conn.execute_returning_count(statement),
    };
    Ok(touched?)
}

/// Runs `statement` for its effect.
pub(in crate::db) fn run<S>(conn: &mut DbConn, statement: &S) -> Result<()>
where
    S: QueryFragment<Sqlite> + QueryFragment<Pg> + QueryId,
{
    execute(conn, statement).map(drop)
}

/// Declares a statement without binds.
macro_rules! plain_statement {
    ($($(#[$meta:meta])* $name:ident = $text:literal;)+) => {$(
        $(#[$meta])*
        #[derive(QueryId)]
        pub(in crate::db) struct $name;

        piece!($name, |_this, pass| {
            pass.sql($text);
            Ok(())
        });
    )+};
}

plain_statement! {
    /// Answers if the database does.
    Ping = "SELECT 1";
    /// Reads the least that there is: on SQLite BEGIN alone takes no lock.
    TakeReadLock = "SELECT 1 FROM sqlite_schema LIMIT 1";
    /// Takes SQLite's write lock at once: a transaction that reads first fails when another writes.
    BeginImmediate = "BEGIN IMMEDIATE";
    /// Marks where one request's part of a shared transaction begins.
    Savepoint = "SAVEPOINT request";
    /// Keeps a request's part.
    ReleaseSavepoint = "RELEASE request";
    /// Undoes a request's part.
    RollbackToSavepoint = "ROLLBACK TO request";
    /// Makes the transaction durable.
    Commit = "COMMIT";
    /// Gives the transaction up.
    Rollback = "ROLLBACK";
}
