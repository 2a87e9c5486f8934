//! Column types that Diesel has for only one of the two databases, declared for both.

use diesel::query_builder::QueryId;
use diesel::sql_types::{HasSqlType, Interval, SqlType, ops};

use crate::db::engine::connection::MultiBackend;

/// Id of 16 bytes: a `uuid` on PostgreSQL, a blob on SQLite.
#[derive(Debug, Clone, Copy, SqlType, QueryId)]
#[diesel(postgres_type(oid = 2950, array_oid = 2951))]
#[diesel(sqlite_type(name = "Binary"))]
pub struct Uuid;

/// Moment, to the microsecond. On SQLite an integer that counts microseconds since 1970.
#[derive(Debug, Clone, Copy, SqlType, QueryId)]
#[diesel(postgres_type(oid = 1184, array_oid = 1185))]
#[diesel(sqlite_type(name = "Long"))]
pub struct Timestamptz;

// `diesel::table!` identifies column types by name, and requires these operators of a
// `Timestamptz`.
impl ops::Add for Timestamptz {
    type Rhs = Interval;
    type Output = Self;
}

impl ops::Sub for Timestamptz {
    type Rhs = Interval;
    type Output = Self;
}

macro_rules! on_multi_connection {
    ($($name:ident),+) => {$(
        impl HasSqlType<$name> for MultiBackend {
            fn metadata(lookup: &mut Self::MetadataLookup) -> Self::TypeMetadata {
                Self::lookup_sql_type::<$name>(lookup)
            }
        }
    )+};
}

on_multi_connection!(Uuid, Timestamptz);
