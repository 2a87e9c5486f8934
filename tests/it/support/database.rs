//! A database of a test's own: a SQLite file in a temporary folder, or a PostgreSQL schema.

use std::sync::Once;
use std::time::{SystemTime, UNIX_EPOCH};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use quietline::db::DatabaseUrl;
use tempfile::TempDir;

/// Schemas of runs that crashed are dropped after this time.
const LEFTOVER_AGE_SECS: u64 = 60 * 60;

/// Dropping it drops the data.
pub enum TestDatabase {
    Sqlite(TempDir),
    Postgres { server: String, schema: String },
}

impl TestDatabase {
    /// A new, empty database on the server that the environment names, or in a file.
    #[expect(clippy::disallowed_methods, reason = "the one setting of the tests")]
    pub fn create() -> Self {
        match std::env::var("TEST_DATABASE_URL") {
            Ok(server) => Self::create_schema(server),
            Err(_) => Self::sqlite(),
        }
    }

    /// A SQLite file, whatever the environment says.
    pub fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().expect("a temporary folder"))
    }

    fn create_schema(server: String) -> Self {
        static SWEEP: Once = Once::new();
        SWEEP.call_once(|| sweep_leftovers(&server));
        let schema = format!("test_{}_{:08x}", unix_secs(), rand::random::<u32>());
        run_on(&server, &format!("CREATE SCHEMA {schema}"));
        Self::Postgres { server, schema }
    }

    /// The URL that the program opens.
    pub fn url(&self) -> DatabaseUrl {
        self.url_text().parse().expect("a database URL")
    }

    /// The URL as it would stand in the configuration.
    pub fn url_text(&self) -> String {
        match self {
            Self::Sqlite(folder) => {
                format!("sqlite://{}", folder.path().join("test.db").display())
            }
            Self::Postgres { server, schema } => {
                let separator = if server.contains('?') { '&' } else { '?' };
                format!("{server}{separator}options=-csearch_path%3D{schema}")
            }
        }
    }

    /// Runs SQL behind the program's back, as somebody with access to the database could.
    pub fn execute(&self, sql: &str) {
        match self {
            Self::Sqlite(folder) => {
                let path = folder.path().join("test.db");
                let path = path.to_str().expect("a UTF-8 path");
                let mut conn = SqliteConnection::establish(path).expect("the test's own file");
                conn.batch_execute("PRAGMA busy_timeout = 5000")
                    .expect("a setting");
                conn.batch_execute(sql)
                    .unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
            Self::Postgres { .. } => run_on(&self.url_text(), sql),
        }
    }

    /// Runs SQL as [`TestDatabase::execute`] does, with foreign keys switched off.
    pub fn execute_unchecked(&self, sql: &str) {
        let unchecked = match self {
            Self::Sqlite(_) => "PRAGMA foreign_keys = OFF",
            Self::Postgres { .. } => "SET session_replication_role = replica",
        };
        self.execute(&format!("{unchecked}; {sql}"));
    }

    /// Drops the triggers that keep the audit log append-only, as somebody with full control of the
    /// database would before tampering with it.
    pub fn drop_audit_triggers(&self) {
        let names = match self {
            Self::Sqlite(_) => "SELECT name AS value FROM sqlite_schema WHERE type = 'trigger'",
            Self::Postgres { .. } => {
                "SELECT tgname || ' ON audit_log' AS value FROM pg_trigger \
                 WHERE tgrelid = 'audit_log'::regclass AND NOT tgisinternal"
            }
        };
        for name in self.values(names) {
            self.execute(&format!("DROP TRIGGER {name}"));
        }
    }

    /// The names of a table's columns.
    pub fn columns(&self, table: &str) -> Vec<String> {
        self.values(&match self {
            Self::Sqlite(_) => format!("SELECT name AS value FROM pragma_table_info('{table}')"),
            Self::Postgres { .. } => format!(
                "SELECT attname::text AS value FROM pg_attribute \
                 WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped"
            ),
        })
    }

    /// The texts that `sql` selects as `value`, asked behind the program's back.
    pub fn values(&self, sql: &str) -> Vec<String> {
        let rows: QueryResult<Vec<Value>> = match self {
            Self::Sqlite(folder) => {
                let path = folder.path().join("test.db");
                let path = path.to_str().expect("a UTF-8 path");
                let mut conn = SqliteConnection::establish(path).expect("the test's own file");
                conn.batch_execute("PRAGMA busy_timeout = 5000")
                    .expect("a setting");
                diesel::sql_query(sql).load(&mut conn)
            }
            Self::Postgres { .. } => {
                let mut conn = PgConnection::establish(&self.url_text()).expect("the test's own");
                diesel::sql_query(sql).load(&mut conn)
            }
        };
        let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
        rows.into_iter().map(|row| row.value).collect()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Self::Postgres { server, schema } = self {
            run_on(server, &format!("DROP SCHEMA {schema} CASCADE"));
        }
    }
}

fn run_on(url: &str, sql: &str) {
    let mut conn = PgConnection::establish(url).expect("the PostgreSQL of TEST_DATABASE_URL");
    conn.batch_execute("SET client_min_messages = warning")
        .expect("a setting");
    conn.batch_execute(sql)
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

#[derive(QueryableByName)]
struct Value {
    #[diesel(sql_type = Text)]
    value: String,
}

#[derive(QueryableByName)]
struct Schema {
    #[diesel(sql_type = Text)]
    name: String,
}

fn sweep_leftovers(server: &str) {
    let mut conn = PgConnection::establish(server).expect("the PostgreSQL of TEST_DATABASE_URL");
    let all = "SELECT nspname::text AS name FROM pg_namespace \
               WHERE nspname ~ '^test_[0-9]+_[0-9a-f]{8}$'";
    let schemas: Vec<Schema> = diesel::sql_query(all)
        .load(&mut conn)
        .expect("a list of schemas");
    for Schema { name } in schemas {
        let born = name
            .split('_')
            .nth(1)
            .and_then(|secs| secs.parse::<u64>().ok());
        if born.is_some_and(|born| born + LEFTOVER_AGE_SECS < unix_secs()) {
            run_on(server, &format!("DROP SCHEMA IF EXISTS {name} CASCADE"));
        }
    }
}

fn unix_secs() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs()
}
