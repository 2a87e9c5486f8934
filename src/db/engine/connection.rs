//! Connection to either database. Not here: opening a connection, which `postgres` and `sqlite` do.

use diesel::{PgConnection, SqliteConnection};

/// Connection to the database that the configuration names.
#[derive(diesel::MultiConnection)]
pub enum DbConn {
    Postgres(PgConnection),
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
