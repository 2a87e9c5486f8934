//! A connection to either database. Opening one is the part of `postgres` and `sqlite`.

use diesel::{PgConnection, SqliteConnection};

/// A connection to the database that the configuration names.
#[derive(diesel::MultiConnection)]
pub enum DbConn {
    /// To PostgreSQL.
    Postgres(PgConnection),
    /// To the SQLite file.
    Sqlite(SqliteConnection),
}

/// Compiles `body` once for each database. A query on [`DbConn`] itself would be correct too, but
/// its SQL is built anew for every execution, which a hot statement cannot afford.
macro_rules! on_each_backend {
    ($conn:ident => $body:expr) => {
        match $conn {
            $crate::db::engine::connection::DbConn::Postgres($conn) => $body,
            $crate::db::engine::connection::DbConn::Sqlite($conn) => $body,
        }
    };
}

pub(in crate::db) use on_each_backend;
