//! Statements with fixed SQL that stay prepared in the connection's cache, because preparing a
//! statement takes longer than running it. Diesel caches neither its own UPDATE nor raw SQL. Only
//! changes of single rows and the few statements around them belong here. All other statements are
//! written with Diesel's query builder.
//!
//! Diesel's rule: <https://github.com/diesel-rs/diesel/pull/279>. Remove when Diesel
//! caches an UPDATE with a fixed list of columns.

use diesel::backend::Backend;
use diesel::connection::Connection;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::serialize::ToSql;
use diesel::sql_types::HasSqlType;
use diesel::sqlite::Sqlite;

use crate::error::Result;

use super::connection::DbConn;

/// Collects the SQL of a statement and its bound values.
pub(in crate::db) struct Bind<'a, 'b, DB: Backend>(pub(in crate::db) AstPass<'a, 'b, DB>);

impl<'b, DB: Backend> Bind<'_, 'b, DB> {
    /// Appends SQL.
    pub(in crate::db) fn sql(&mut self, text: &'static str) {
        self.0.push_sql(text);
    }

    /// Appends SQL, then a bound value.
    pub(in crate::db) fn bind<ST, T>(&mut self, text: &'static str, value: &'b T) -> QueryResult<()>
    where
        DB: HasSqlType<ST>,
        T: ToSql<ST, DB> + ?Sized,
    {
        self.0.push_sql(text);
        self.0.push_bind_param::<ST, T>(value)
    }

    /// Appends another fragment.
    pub(in crate::db) fn fragment(
        &mut self,
        fragment: &'b impl QueryFragment<DB>,
    ) -> QueryResult<()> {
        fragment.walk_ast(self.0.reborrow())
    }
}

/// Defines a statement, or a fragment of a statement, once for both databases. Through [`DbConn`]
/// the SQL would be built again for every execution.
///
/// The short form reads as SQL, with each bound value in braces after its type:
/// `sql!(Touch<'_>, |touch| "UPDATE t SET n = n + 1 WHERE id = " {Text: touch.id})`.
/// The long form is code on a [`Bind`]. With `on Pg` the statement is for PostgreSQL only.
macro_rules! sql {
    (on Pg, $statement:ty, |$this:ident, $bind:ident| $build:block) => {
        $crate::db::engine::prepared::sql!(
            @on diesel::pg::Pg, $statement, $this, $bind, $build
        );
    };
    ($statement:ty, |$this:ident, $bind:ident| $build:block) => {
        $crate::db::engine::prepared::sql!(
            @on diesel::sqlite::Sqlite, $statement, $this, $bind, $build
        );
        $crate::db::engine::prepared::sql!(
            @on diesel::pg::Pg, $statement, $this, $bind, $build
        );
    };
    (
        $statement:ty,
        |$this:ident|
        $($text:literal $({ $kind:ty: $value:expr })?)+
    ) => {
        $crate::db::engine::prepared::sql!($statement, |$this, bind| {
            $(bind.sql($text); $(bind.bind::<$kind, _>("", $value)?;)?)+
            Ok(())
        });
    };
    (@on $backend:ty, $statement:ty, $this:ident, $bind:ident, $build:block) => {
        impl diesel::query_builder::QueryFragment<$backend> for $statement {
            fn walk_ast<'b>(
                &'b self,
                pass: diesel::query_builder::AstPass<'_, 'b, $backend>,
            ) -> diesel::result::QueryResult<()> {
                let ($this, $bind) = (self, &mut $crate::db::engine::prepared::Bind(pass));
                $build
            }
        }
    };
}

pub(in crate::db) use sql;

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

/// Runs `statement` and discards the number of rows.
pub(in crate::db) fn run<S>(conn: &mut DbConn, statement: &S) -> Result<()>
where
    S: QueryFragment<Sqlite> + QueryFragment<Pg> + QueryId,
{
    execute(conn, statement).map(drop)
}

/// SQL without values.
pub(super) struct Statement(pub(super) &'static str);

impl QueryId for Statement {
    type QueryId = ();
    // All texts have this one type, so the cache must look them up by text.
    const HAS_STATIC_QUERY_ID: bool = false;
}

sql!(Statement, |statement, bind| {
    bind.sql(statement.0);
    Ok(())
});
