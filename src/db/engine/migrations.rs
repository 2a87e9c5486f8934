//! Brings a database's schema up to date, under a lock, so that several servers may start at the
//! same time.

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::migration::{MigrationSource, MigrationVersion};
use diesel::pg::Pg;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::error::{BoxError, Error, Result};

use super::connection::DbConn;
use super::postgres;
use super::sqlite;
use super::url::DatabaseUrl;

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Key of the advisory lock, an arbitrary number that other programs are unlikely to use.
const POSTGRES_LOCK: i64 = 0x0071_7569_6574_6c6e;

/// Applies the pending migrations and returns the connection that did it.
pub(in crate::db) fn run(url: &DatabaseUrl) -> Result<DbConn> {
    match url {
        DatabaseUrl::Sqlite(path) => {
            let mut conn = sqlite::open(path)?;
            migrate_sqlite(&mut conn).map_err(Error::internal)?;
            Ok(DbConn::Sqlite(conn))
        }
        DatabaseUrl::Postgres(url) => {
            let mut conn = postgres::connect(url).map_err(Error::unavailable)?;
            postgres::check_session(&mut conn, url)?;
            postgres::check_database(&mut conn)?;
            migrate_postgres(&mut conn).map_err(Error::internal)?;
            Ok(DbConn::Postgres(conn))
        }
    }
}

fn migrate_sqlite(conn: &mut SqliteConnection) -> Result<(), BoxError> {
    // Without the lock first, so that a start does not wait for the writes of another process.
    if !conn.has_pending_migration(SQLITE).unwrap_or(true) {
        return Ok(());
    }
    conn.exclusive_transaction(|conn| run_pending(conn, SQLITE))
}

fn migrate_postgres(conn: &mut PgConnection) -> Result<(), BoxError> {
    if is_current(conn)? {
        return Ok(());
    }
    // The session holds the lock. `Db::open` closes it before the pool opens.
    conn.batch_execute(postgres::MIGRATION_SESSION)?;
    diesel::sql_query("SELECT pg_advisory_lock($1)")
        .bind::<BigInt, _>(POSTGRES_LOCK)
        .execute(conn)?;
    run_pending(conn, POSTGRES)
}

/// Returns whether all migrations are applied. `has_pending_migration` creates Diesel's table
/// first, which a role that only serves, or only reads, may not do.
/// <https://github.com/diesel-rs/diesel/pull/2062>. Remove when the
/// method only reads.
fn is_current(conn: &mut PgConnection) -> Result<bool, BoxError> {
    #[derive(QueryableByName)]
    struct Applied {
        #[diesel(sql_type = Text)]
        version: String,
    }
    let has_table = sql::<Bool>("to_regclass('__diesel_schema_migrations') IS NOT NULL");
    if !diesel::select(has_table).get_result(conn)? {
        return Ok(false);
    }
    let query = diesel::sql_query("SELECT version FROM __diesel_schema_migrations");
    let applied: Vec<Applied> = query.load(conn)?;
    let wanted = MigrationSource::<Pg>::migrations(&POSTGRES)?;
    Ok(wanted.iter().all(|migration| {
        let version = migration.name().version().to_string();
        applied.iter().any(|applied| applied.version == version)
    }))
}

fn run_pending<C, S>(conn: &mut C, source: S) -> Result<(), BoxError>
where
    C: MigrationHarness<C::Backend> + Connection,
    C::Backend: diesel::backend::Backend,
    S: MigrationSource<C::Backend>,
{
    let _applied: Vec<MigrationVersion<'_>> = conn.run_pending_migrations(source)?;
    Ok(())
}
