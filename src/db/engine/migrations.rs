//! Brings a database's schema up to date, under a lock, so that any number of servers may start at
//! once.

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::migration::{MigrationSource, MigrationVersion};
use diesel::pg::Pg;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::error::{BoxError, Error, Result};

use crate::db::engine::connection::{DbConn, create_if_missing, open_postgres, open_sqlite};
use crate::db::engine::sqlite;
use crate::db::engine::url::DatabaseUrl;

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Another process may be migrating a large file.
const SQLITE_PATIENCE: &str = "PRAGMA busy_timeout = 600000";

/// Any number that no other program uses for an advisory lock in this database.
const POSTGRES_LOCK: i64 = 0x0071_7569_6574_6c6e;

/// Applies what is missing; returns the connection that did it.
pub(in crate::db) fn run(url: &DatabaseUrl) -> Result<DbConn> {
    match url {
        DatabaseUrl::Sqlite(path) => {
            create_if_missing(path).map_err(Error::unavailable)?;
            let mut conn = open_sqlite(path).map_err(Error::unavailable)?;
            sqlite::check_version(&mut conn)?;
            sqlite::use_write_ahead_log(&mut conn)?;
            conn.batch_execute(SQLITE_PATIENCE)?;
            migrate_sqlite(&mut conn).map_err(Error::internal)?;
            Ok(DbConn::Sqlite(conn))
        }
        DatabaseUrl::Postgres(url) => {
            let mut conn = open_postgres(url).map_err(Error::unavailable)?;
            migrate_postgres(&mut conn).map_err(Error::internal)?;
            Ok(DbConn::Postgres(conn))
        }
    }
}

fn migrate_sqlite(conn: &mut SqliteConnection) -> Result<(), BoxError> {
    if !conn.has_pending_migration(SQLITE).unwrap_or(true) {
        return Ok(());
    }
    conn.exclusive_transaction(|conn| run_pending(conn, SQLITE))
}

fn migrate_postgres(conn: &mut PgConnection) -> Result<(), BoxError> {
    if is_current(conn)? {
        return Ok(());
    }
    // The lock is the session's, and the session is this connection, which ends soon. Waiting for
    // another server's migrations, and migrating a large table, may take as long as it takes.
    conn.batch_execute("SET lock_timeout = 0; SET statement_timeout = 0")?;
    diesel::sql_query("SELECT pg_advisory_lock($1)")
        .bind::<BigInt, _>(POSTGRES_LOCK)
        .execute(conn)?;
    run_pending(conn, POSTGRES)
}

/// Whether every migration is applied. Diesel's own look makes its table first, for which a role
/// that only serves, or only reads, has no right.
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
