//! Conversions of ids, text enums and times of the domain to and from columns of either database.

use std::io::Write as _;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{self, BigInt, Text};
use diesel::sqlite::{Sqlite, SqliteType, SqliteValue};

use crate::domain::audit::entry::EntryHash;
use crate::domain::ids::{ApiKeyId, BrandId, CampaignId, ExternalId, OrgId, RevocationId, TokenId};
use crate::domain::organization::OrganizationKind;
use crate::domain::quiet_hours::QuietHoursMode;
use crate::domain::registry::RegistrationStatus;
use crate::error::{Error, Result};

use crate::db::engine::connection::{MultiBackend, MultiRawValue};
use crate::db::tables::sql_types::{Timestamptz, Uuid};

/// Implements reading and writing a column through [`MultiBackend`], as the database in use does.
macro_rules! on_either_database {
    ($name:ident: $sql_type:ident) => {
        impl ToSql<$sql_type, MultiBackend> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, MultiBackend>) -> serialize::Result {
                out.set_value(($sql_type, self));
                Ok(IsNull::No)
            }
        }

        impl FromSql<$sql_type, MultiBackend> for $name {
            fn from_sql(value: MultiRawValue<'_>) -> deserialize::Result<Self> {
                value.from_sql::<Self, $sql_type>()
            }
        }
    };
}

macro_rules! id_columns {
    ($($name:ident),+ $(,)?) => {$(
        const _: () = {
            #[derive(AsExpression, FromSqlRow)]
            #[diesel(foreign_derive)]
            #[diesel(sql_type = Uuid)]
            #[expect(dead_code, reason = "tells Diesel which type the derives are for")]
            struct Proxy($name);
        };

        impl ToSql<Uuid, Sqlite> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
                out.set_value(self.as_bytes().as_slice());
                Ok(IsNull::No)
            }
        }

        impl ToSql<Uuid, Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                out.write_all(self.as_bytes())?;
                Ok(IsNull::No)
            }
        }

        impl FromSql<Uuid, Sqlite> for $name {
            fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
                // To SQLite, text of the same bytes is another value, which lookups do not find.
                let is_blob = value.value_type() == Some(SqliteType::Binary);
                Some(value.read_blob())
                    .filter(|_| is_blob)
                    .and_then(Self::from_stored)
                    .ok_or_else(|| concat!("not the bytes of a ", stringify!($name)).into())
            }
        }

        impl FromSql<Uuid, Pg> for $name {
            fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                Self::from_stored(value.as_bytes())
                    .ok_or_else(|| concat!("not the bytes of a ", stringify!($name)).into())
            }
        }

        on_either_database!($name: Uuid);
    )+};
}

impl<DB: Backend> ToSql<Text, DB> for ExternalId
where
    str: ToSql<Text, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.as_str().to_sql(out)
    }
}

impl<DB: Backend> FromSql<Text, DB> for ExternalId
where
    String: FromSql<Text, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        String::from_sql(bytes).map(Self::from_stored)
    }
}

macro_rules! text_enum_columns {
    ($($name:ident),+ $(,)?) => {$(
        impl<DB: Backend> ToSql<Text, DB> for $name
        where
            str: ToSql<Text, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                self.into_str().to_sql(out)
            }
        }

        impl<DB: Backend> FromSql<Text, DB> for $name
        where
            String: FromSql<Text, DB>,
        {
            fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
                Ok(String::from_sql(bytes)?.parse()?)
            }
        }
    )+};
}

id_columns!(OrgId, ApiKeyId, BrandId, CampaignId, TokenId, RevocationId);
text_enum_columns!(OrganizationKind, QuietHoursMode, RegistrationStatus);

/// Moment in a row.
#[derive(Debug, Clone, Copy, AsExpression, FromSqlRow)]
#[diesel(sql_type = Timestamptz)]
pub(in crate::db) struct StoredTime(DateTime<Utc>);

impl StoredTime {
    pub(in crate::db) fn utc(self) -> DateTime<Utc> {
        self.0
    }
}

impl From<DateTime<Utc>> for StoredTime {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time)
    }
}

impl From<NaiveDateTime> for StoredTime {
    fn from(time: NaiveDateTime) -> Self {
        Self(time.and_utc())
    }
}

impl ToSql<Timestamptz, Sqlite> for StoredTime {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.timestamp_micros());
        Ok(IsNull::No)
    }
}

impl FromSql<Timestamptz, Sqlite> for StoredTime {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        let micros = <i64 as FromSql<BigInt, Sqlite>>::from_sql(value)?;
        DateTime::from_timestamp_micros(micros)
            .map(Self)
            .ok_or_else(|| format!("{micros} is not a time").into())
    }
}

impl ToSql<Timestamptz, Pg> for StoredTime {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        <DateTime<Utc> as ToSql<sql_types::Timestamptz, Pg>>::to_sql(&self.0, out)
    }
}

impl FromSql<Timestamptz, Pg> for StoredTime {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        <DateTime<Utc> as FromSql<sql_types::Timestamptz, Pg>>::from_sql(value).map(Self)
    }
}

on_either_database!(StoredTime: Timestamptz);

/// Reads a stored SHA-256.
pub(in crate::db) fn stored_hash(bytes: Vec<u8>) -> Result<EntryHash> {
    let wrong_length = |bytes: Vec<u8>| Error::internal(format!("a hash of {} bytes", bytes.len()));
    bytes.try_into().map_err(wrong_length)
}

/// Returns the error of a query, unless rows were read and hold an unexpected value.
pub(in crate::db) fn ignore_values<T>(rows: QueryResult<Vec<T>>) -> Result<()> {
    match rows {
        // The table can be read. One damaged row must not make the whole server unready.
        Ok(_) | Err(diesel::result::Error::DeserializationError(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use diesel::{Connection, IntoSql, RunQueryDsl, SqliteConnection, select};

    use super::*;

    #[test]
    fn a_time_is_read_as_it_was_written_to_the_microsecond() {
        let mut conn = SqliteConnection::establish(":memory:").unwrap();
        for text in [
            "0001-01-01T00:00:00Z",
            "1969-12-31T23:59:59.999999Z",
            "2026-11-30T12:34:56.789012Z",
            "9999-12-31T23:59:59.999999Z",
        ] {
            let time: DateTime<Utc> = text.parse().unwrap();
            let stored = StoredTime::from(time).into_sql::<Timestamptz>();
            let read: StoredTime = select(stored).get_result(&mut conn).unwrap();
            assert_eq!(read.utc(), time);
        }
    }
}
