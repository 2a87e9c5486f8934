//! Database layer: a connection pool and typed Diesel queries. Both backends run the same code, but
//! start transactions differently, and only PostgreSQL locks the row.

use chrono::{SubsecRound, Utc};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Pool};

use crate::audit::{self, Author};
use crate::failure::Failure;
use crate::model::{ApiKey, Organization};
use crate::schema::{api_keys, audit_log, organizations};

#[derive(Clone)]
pub enum Store {
    Sqlite(Pool<ConnectionManager<SqliteConnection>>),
    Postgres(Pool<ConnectionManager<PgConnection>>),
}

macro_rules! queries {
    ($backend:ident, $connection:ty, $transaction:ident $(, $lock:ident)?) => {
        mod $backend {
            use super::*;

            pub fn key(conn: &mut $connection, hash: &[u8]) -> Result<Option<ApiKey>, Failure> {
                let key = api_keys::table
                    .filter(api_keys::hash.eq(hash))
                    .select(ApiKey::as_select())
                    .first(conn);
                Ok(key.optional()?)
            }

            pub fn organization(conn: &mut $connection, id: &str) -> Result<Organization, Failure> {
                let organization = organizations::table
                    .find(id)
                    .select(Organization::as_select())
                    .first(conn);
                organization.optional()?.ok_or(Failure::NotFound)
            }

            pub fn update(
                conn: &mut $connection,
                id: &str,
                author: &Author,
                change: impl FnOnce(&Organization) -> Result<Organization, Failure>,
            ) -> Result<Organization, Failure> {
                conn.$transaction(|conn| {
                    let before = organizations::table
                        .find(id)
                        .select(Organization::as_select())
                        $(.$lock())?
                        .first(conn)
                        .optional()?
                        .ok_or(Failure::NotFound)?;
                    let now = Utc::now().naive_utc().trunc_subsecs(3);
                    let mut after = change(&before)?;
                    let entries = audit::record(&before, &mut after, author, now);
                    if entries.is_empty() {
                        return Ok(before);
                    }
                    after.version += 1;
                    after.updated_at = now;
                    diesel::update(organizations::table.find(id))
                        .set(&after)
                        .execute(conn)?;
                    diesel::insert_into(audit_log::table)
                        .values(&entries)
                        .execute(conn)?;
                    Ok(after)
                })
            }
        }
    };
}

queries!(sqlite, SqliteConnection, immediate_transaction);
queries!(postgres, PgConnection, transaction, for_update);

impl Store {
    pub fn open(url: &str) -> Result<Self, Failure> {
        match url.strip_prefix("sqlite://") {
            Some(path) => Ok(Self::Sqlite(
                Pool::builder()
                    .connection_customizer(Box::new(SqliteSettings))
                    .build(ConnectionManager::new(path))?,
            )),
            None => Ok(Self::Postgres(
                Pool::builder().build(ConnectionManager::new(url))?,
            )),
        }
    }

    pub fn key(&self, hash: &[u8]) -> Result<Option<ApiKey>, Failure> {
        match self {
            Self::Sqlite(pool) => sqlite::key(&mut *pool.get()?, hash),
            Self::Postgres(pool) => postgres::key(&mut *pool.get()?, hash),
        }
    }

    pub fn organization(&self, id: &str) -> Result<Organization, Failure> {
        match self {
            Self::Sqlite(pool) => sqlite::organization(&mut *pool.get()?, id),
            Self::Postgres(pool) => postgres::organization(&mut *pool.get()?, id),
        }
    }

    /// Changes an organization and adds the audit entries, in one transaction.
    pub fn update(
        &self,
        id: &str,
        author: &Author,
        change: impl FnOnce(&Organization) -> Result<Organization, Failure>,
    ) -> Result<Organization, Failure> {
        match self {
            Self::Sqlite(pool) => sqlite::update(&mut *pool.get()?, id, author, change),
            Self::Postgres(pool) => postgres::update(&mut *pool.get()?, id, author, change),
        }
    }
}

#[derive(Debug)]
struct SqliteSettings;

impl CustomizeConnection<SqliteConnection, diesel::r2d2::Error> for SqliteSettings {
    fn on_acquire(&self, conn: &mut SqliteConnection) -> Result<(), diesel::r2d2::Error> {
        conn.batch_execute(
            "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; \
             PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
        )
        .map_err(diesel::r2d2::Error::QueryError)
    }
}
