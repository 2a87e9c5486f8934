//! Separate database for each test: a SQLite file in a temporary folder, or a PostgreSQL schema.

use std::sync::Once;
use std::time::{SystemTime, UNIX_EPOCH};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use quietline::db::DatabaseUrl;
use tempfile::TempDir;

/// Age after which schemas of crashed runs are dropped.
const LEFTOVER_AGE_SECS: u64 = 60 * 60;

/// Database of one test. Dropping this value drops the data.
pub enum TestDatabase {
    Sqlite(TempDir),
    Postgres { server: String, schema: String },
}

impl TestDatabase {
    /// Creates an empty database on the server that the environment names, or in a file.
    #[expect(clippy::disallowed_methods, reason = "the one setting of the tests")]
    pub fn create() -> Self {
        match std::env::var("TEST_DATABASE_URL") {
            Ok(server) => Self::create_schema(server),
            Err(_) => Self::sqlite(),
        }
    }

    /// Creates a SQLite file, regardless of the environment.
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

    /// Returns the URL that the program opens.
    pub fn url(&self) -> DatabaseUrl {
        self.url_text().parse().expect("a database URL")
    }

    /// Returns the URL as a configuration states it.
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

    /// Runs SQL directly on the database, without the program. Ids, times and bytes use the
    /// notation of [`TestDatabase::dialect`].
    pub fn execute(&self, sql: &str) {
        let sql = &self.dialect(sql);
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

    /// Translates `$id:<UUID>` and `$time:<microseconds since 1970>` to values, `$text:<column>` to
    /// the text of an id, and `$<hexadecimal digits>` to bytes, in the SQL of the database in use.
    fn dialect(&self, sql: &str) -> String {
        let Some((before, rest)) = sql.split_once('$') else {
            return sql.to_owned();
        };
        let (kind, rest) = ["id:", "time:", "text:"]
            .iter()
            .find_map(|kind| Some((*kind, rest.strip_prefix(kind)?)))
            .unwrap_or(("", rest));
        let is_part = |c: char| match kind {
            "text:" => c.is_ascii_alphabetic() || "._".contains(c),
            _ => c.is_ascii_hexdigit() || c == '-',
        };
        let (value, after) = rest.split_at(rest.find(|c| !is_part(c)).unwrap_or(rest.len()));
        let is_sqlite = matches!(self, Self::Sqlite(_));
        let written = match (kind, is_sqlite) {
            ("id:", true) => format!("x'{}'", value.replace('-', "")),
            ("id:", false) => format!("'{value}'::uuid"),
            ("time:", true) => value.to_owned(),
            ("time:", false) => {
                format!("timestamptz 'epoch' + {value} * interval '1 microsecond'")
            }
            ("text:", true) => format!(
                "(SELECT lower(substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-' \
                 || substr(h, 13, 4) || '-' || substr(h, 17, 4) || '-' || substr(h, 21)) \
                 FROM (SELECT hex({value}) AS h))"
            ),
            ("text:", false) => format!("{value}::text"),
            (_, true) => format!("x'{value}'"),
            (_, false) => format!("'\\x{value}'::bytea"),
        };
        format!("{before}{written}{}", self.dialect(after))
    }

    /// Runs SQL as [`TestDatabase::execute`] does, with foreign keys and checks off.
    pub fn execute_unchecked(&self, sql: &str) {
        let unchecked = match self {
            Self::Sqlite(_) => "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON",
            Self::Postgres { .. } => "SET session_replication_role = replica",
        };
        self.execute(&format!("{unchecked}; {sql}"));
    }

    /// Drops the triggers that refuse what no operation does, as an attacker with full control of
    /// the database would do before tampering.
    pub fn drop_triggers(&self) {
        let names = match self {
            Self::Sqlite(_) => "SELECT name AS value FROM sqlite_schema WHERE type = 'trigger'",
            Self::Postgres { .. } => {
                "SELECT tgname || ' ON ' || relname AS value FROM pg_trigger \
                 JOIN pg_class ON pg_class.oid = tgrelid \
                 WHERE relnamespace = current_schema()::regnamespace AND NOT tgisinternal"
            }
        };
        for name in self.values(names) {
            self.execute(&format!("DROP TRIGGER {name}"));
        }
    }

    /// Returns the column names of a table.
    pub fn columns(&self, table: &str) -> Vec<String> {
        self.values(&match self {
            Self::Sqlite(_) => format!("SELECT name AS value FROM pragma_table_info('{table}')"),
            Self::Postgres { .. } => format!(
                "SELECT attname::text AS value FROM pg_attribute \
                 WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped"
            ),
        })
    }

    /// Returns the texts that `sql` selects as `value`. `sql` uses the notation of
    /// [`TestDatabase::dialect`].
    pub fn values(&self, sql: &str) -> Vec<String> {
        let sql = &self.dialect(sql);
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
