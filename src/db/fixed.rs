//! Statements of fixed text whose prepared form stays in the connection's cache. Diesel keeps no
//! UPDATE and no raw SQL there, and preparing costs more than running. Only the few statements that
//! every write runs belong here; all others are written with Diesel's query builder.

use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::serialize::ToSql;
use diesel::sql_types::HasSqlType;
use diesel::{Connection, RunQueryDsl};

use crate::error::Result;

use super::connection::{DbConn, MultiBackend};

/// A statement of which there are few texts; only what is bound differs from one run to the next.
pub(super) trait FixedStatement {
    /// A type that stands for the text, and for no other text.
    type Id: 'static;

    /// Whether there is only one text. If there are several, the text itself finds the prepared form.
    const IS_ONE_TEXT: bool = true;

    /// Writes the text and its binds.
    fn build<'b>(&'b self, pass: &mut Pass<'_, 'b>) -> QueryResult<()>;
}

/// Takes up the text of a statement.
pub(super) struct Pass<'a, 'b>(AstPass<'a, 'b, MultiBackend>);

impl<'b> Pass<'_, 'b> {
    /// Text as it stands.
    pub(super) fn sql(&mut self, text: &'static str) {
        self.0.push_sql(text);
    }

    /// Text, then a bound value.
    pub(super) fn bind<ST, T>(&mut self, text: &'static str, value: &'b T) -> QueryResult<()>
    where
        MultiBackend: HasSqlType<ST>,
        T: ToSql<ST, MultiBackend> + ?Sized,
    {
        self.0.push_sql(text);
        self.0.push_bind_param::<ST, T>(value)
    }
}

/// Makes a [`FixedStatement`] something that Diesel executes.
struct Executable<'a, S>(&'a S);

impl<S: FixedStatement> QueryFragment<MultiBackend> for Executable<'_, S> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, MultiBackend>) -> QueryResult<()> {
        self.0.build(&mut Pass(pass.reborrow()))
    }
}

impl<S: FixedStatement> QueryId for Executable<'_, S> {
    type QueryId = S::Id;
    const HAS_STATIC_QUERY_ID: bool = S::IS_ONE_TEXT;
}

impl<S> RunQueryDsl<DbConn> for Executable<'_, S> {}

/// Runs `statement` and returns the number of rows that it touched.
pub(super) fn execute<S: FixedStatement>(conn: &mut DbConn, statement: &S) -> Result<usize> {
    Ok(conn.execute_returning_count(&Executable(statement))?)
}

/// Runs `statement` for its effect.
pub(super) fn run<S: FixedStatement>(conn: &mut DbConn, statement: &S) -> Result<()> {
    execute(conn, statement).map(drop)
}

/// Declares a statement without binds.
macro_rules! plain_statement {
    ($($(#[$meta:meta])* $name:ident = $text:literal;)+) => {$(
        $(#[$meta])*
        pub(super) struct $name;

        impl FixedStatement for $name {
            type Id = Self;

            fn build<'b>(&'b self, pass: &mut Pass<'_, 'b>) -> QueryResult<()> {
                pass.sql($text);
                Ok(())
            }
        }
    )+};
}

plain_statement! {
    /// Answers if the database does.
    Ping = "SELECT 1";
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
