//! How ids, text enums and times of the domain are written to and read from columns, on either
//! database.

use std::io::Write as _;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::Pg;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{Text, Timestamp};
use diesel::sqlite::Sqlite;

use crate::domain::ids::{ApiKeyId, BrandId, CampaignId, ExternalId, ID_LENGTH, OrgId};
use crate::domain::organization::OrganizationKind;
use crate::domain::quiet_hours::QuietHoursMode;
use crate::domain::registry::RegistrationStatus;

use crate::db::engine::connection::DbConn;

macro_rules! id_columns {
    ($($name:ident),+ $(,)?) => {$(
        impl ToSql<Text, Sqlite> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
                out.set_value(self.to_string());
                Ok(IsNull::No)
            }
        }

        impl ToSql<Text, Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                out.write_all(self.encode(&mut [0; ID_LENGTH]).as_bytes())?;
                Ok(IsNull::No)
            }
        }

        impl ToSql<Text, AnyBackend> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, AnyBackend>) -> serialize::Result {
                out.set_value((Text, self));
                Ok(IsNull::No)
            }
        }

        impl<DB: Backend> FromSql<Text, DB> for $name
        where
            String: FromSql<Text, DB>,
        {
            fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
                let text = String::from_sql(bytes)?;
                Self::parse(&text)
                    .filter(|id| id.to_string() == text)
                    .ok_or_else(|| format!("{text:?} is not a {}", stringify!($name)).into())
            }
        }
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

id_columns!(OrgId, ApiKeyId, BrandId, CampaignId);
text_enum_columns!(OrganizationKind, QuietHoursMode, RegistrationStatus);

/// A time as rows have it. On SQLite a time is text, and Diesel interprets a format to write it and
/// several, one after the other, to read it: a tenth of reading an organization.
#[derive(Debug, Clone, Copy, AsExpression, FromSqlRow)]
#[diesel(sql_type = Timestamp)]
pub(in crate::db) struct StoredTime(NaiveDateTime);

impl StoredTime {
    pub(in crate::db) fn utc(self) -> DateTime<Utc> {
        self.0.and_utc()
    }
}

impl From<DateTime<Utc>> for StoredTime {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.naive_utc())
    }
}

impl From<NaiveDateTime> for StoredTime {
    fn from(time: NaiveDateTime) -> Self {
        Self(time)
    }
}

macro_rules! stored_time_as_diesel_has_it {
    ($($backend:ty),+) => {$(
        impl FromSql<Timestamp, $backend> for StoredTime {
            fn from_sql(value: <$backend as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
                <NaiveDateTime as FromSql<Timestamp, $backend>>::from_sql(value).map(Self)
            }
        }

        impl ToSql<Timestamp, $backend> for StoredTime {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, $backend>) -> serialize::Result {
                <NaiveDateTime as ToSql<Timestamp, $backend>>::to_sql(&self.0, out)
            }
        }
    )+};
}

stored_time_as_diesel_has_it!(Pg, AnyBackend);

/// What [`DbConn`] passes for when a statement is written without a look at the database.
type AnyBackend = <DbConn as diesel::Connection>::Backend;

impl FromSql<Timestamp, Sqlite> for StoredTime {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let text = <String as FromSql<Text, Sqlite>>::from_sql(value)?;
        let time = parse_time(&text).ok_or_else(|| format!("{text:?} is no time"))?;
        Ok(Self(time))
    }
}

impl ToSql<Timestamp, Sqlite> for StoredTime {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.to_string());
        Ok(IsNull::No)
    }
}

/// Reads what Diesel and [`StoredTime`] write: `2026-11-21 19:47:47`, with a fraction if there is
/// one.
fn parse_time(text: &str) -> Option<NaiveDateTime> {
    const NANOS_DIGITS: usize = 9;
    const SHAPE: &[u8] = b"0000-00-00 00:00:00";
    let fits = |(byte, shape): (u8, &u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        mark => byte == *mark,
    };
    if !text.get(..SHAPE.len())?.bytes().zip(SHAPE).all(fits) {
        return None;
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u32>().ok();
    let fraction = match text.get(SHAPE.len()..)? {
        "" => 0,
        rest => {
            let digits = rest.strip_prefix('.').filter(|digits| !digits.is_empty())?;
            if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let missing = NANOS_DIGITS.checked_sub(digits.len())?;
            digits.parse::<u32>().ok()? * 10_u32.pow(u32::try_from(missing).ok()?)
        }
    };
    let year = i32::try_from(number(0, 4)?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, number(5, 7)?, number(8, 10)?)?;
    date.and_hms_nano_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?, fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_time_is_read_as_it_was_written_and_written_as_diesel_would() {
        let shown = |text| {
            let time = parse_time(text)?;
            assert_eq!(time.to_string(), time.format("%F %T%.f").to_string());
            Some(time.to_string())
        };
        for text in [
            "2026-11-21 19:47:47",
            "2026-11-21 19:47:47.100",
            "2026-11-21 19:47:47.000001",
            "0001-01-01 00:00:00.123456789",
        ] {
            assert_eq!(shown(text).as_deref(), Some(text));
        }
        for text in [
            "",
            "2026-11-21",
            "2026-13-21 19:47:47",
            "2026-11-21 19:47:47.",
            "2026-11-21 19:47:47.+1",
            "2026/11/21 19:47:47",
            "2026-11-21T19:47:47",
            "2026-11-+1 19:47:47",
            "é",
        ] {
            assert_eq!(shown(text), None, "{text:?}");
        }
    }
}
