//! The schemas of both databases are equal. Other tests cover how the program uses them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use diesel::connection::Connection;
use diesel::{PgConnection, SqliteConnection};
use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use quietline::db::{DatabaseUrl, Db};
use quietline::domain::cursor::ListName;
use quietline::domain::ids::OrgId;
use quietline::operator;

use super::parallel::in_parallel;
use crate::support::TestApp;
use crate::support::database::TestDatabase;

const SCHEMA: &str = include_str!("../../../src/db/tables/schema.rs");

const RECORDED: &str = "SELECT version AS value FROM __diesel_schema_migrations ORDER BY version";

fn names(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("migrations")
        .join(folder);
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// Queries on the schema of one database. Each row is one text.
struct Queries {
    tables: &'static str,
    columns: &'static str,
    primary_keys: &'static str,
    indexes: &'static str,
    foreign_keys: &'static str,
}

const SQLITE: Queries = Queries {
    tables: "SELECT name AS value FROM sqlite_schema WHERE type = 'table' \
         AND name NOT GLOB '__diesel*' ORDER BY 1",
    columns: "SELECT t.name || '.' || c.name || ' ' || c.type \
         || CASE WHEN c.\"notnull\" THEN '' ELSE ' NULL' END AS value \
         FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' \
         AND t.name NOT GLOB '__diesel*' ORDER BY t.name, c.cid",
    primary_keys: "SELECT t.name || ' (' || (SELECT group_concat(name, ', ') FROM (SELECT name \
         FROM pragma_table_info(t.name) WHERE pk > 0 ORDER BY pk)) || ')' AS value \
         FROM sqlite_schema t WHERE t.type = 'table' AND t.name NOT GLOB '__diesel*' ORDER BY 1",
    indexes: "SELECT t.name || ' (' || (SELECT group_concat(name, ', ') FROM (SELECT name \
         FROM pragma_index_info(i.name) ORDER BY seqno)) || ')' \
         || CASE WHEN i.\"unique\" THEN ' UNIQUE' ELSE '' END AS value \
         FROM sqlite_schema t, pragma_index_list(t.name) i WHERE t.type = 'table' \
         AND t.name NOT GLOB '__diesel*' ORDER BY 1",
    foreign_keys: "SELECT t.name || '.' || f.\"from\" || ' -> ' || f.\"table\" || '.' || f.\"to\" \
         AS value FROM sqlite_schema t, pragma_foreign_key_list(t.name) f \
         WHERE t.type = 'table' ORDER BY 1",
};

const POSTGRES: Queries = Queries {
    tables: "SELECT table_name::text AS value FROM information_schema.tables \
         WHERE table_schema = current_schema() AND table_name NOT LIKE '\\_\\_diesel%' \
         ORDER BY table_name COLLATE \"C\"",
    columns: "SELECT table_name || '.' || column_name || ' ' || data_type \
         || CASE is_nullable WHEN 'NO' THEN '' ELSE ' NULL' END AS value \
         FROM information_schema.columns WHERE table_schema = current_schema() \
         AND table_name NOT LIKE '\\_\\_diesel%' \
         ORDER BY table_name COLLATE \"C\", ordinal_position",
    primary_keys: "SELECT t.relname || ' (' || string_agg(a.attname, ', ' ORDER BY k.place) \
         || ')' AS value FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid \
         CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (number, place) \
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number \
         WHERE i.indisprimary AND t.relnamespace = current_schema()::regnamespace \
         AND t.relname NOT LIKE '\\_\\_diesel%' GROUP BY t.relname",
    indexes: "SELECT t.relname || ' (' || string_agg(a.attname, ', ' ORDER BY k.place) || ')' \
         || CASE WHEN i.indisunique THEN ' UNIQUE' ELSE '' END AS value FROM pg_index i \
         JOIN pg_class t ON t.oid = i.indrelid \
         CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (number, place) \
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number \
         WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind = 'r' \
         AND t.relname NOT LIKE '\\_\\_diesel%' \
         GROUP BY i.indexrelid, t.relname, i.indisunique",
    foreign_keys: "SELECT t.relname || '.' || a.attname || ' -> ' || u.relname || '.' || b.attname \
         AS value FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid \
         JOIN pg_class u ON u.oid = c.confrelid \
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = c.conkey[1] \
         JOIN pg_attribute b ON b.attrelid = u.oid AND b.attnum = c.confkey[1] \
         WHERE c.contype = 'f' AND t.relnamespace = current_schema()::regnamespace",
};

/// Names of column types in `schema.rs`, in SQLite and in PostgreSQL.
const TYPES: [(&str, &str, &str); 7] = [
    ("Text", "TEXT", "text"),
    ("Int4", "INTEGER", "integer"),
    ("Int8", "BIGINT", "bigint"),
    ("Bool", "BOOLEAN", "boolean"),
    ("Bytea", "BLOB", "bytea"),
    ("Uuid", "BLOB", "uuid"),
    ("Timestamptz", "BIGINT", "timestamp with time zone"),
];

/// Schema as lists of texts, with the type names of the database.
#[derive(Debug, PartialEq, Eq)]
struct Schema {
    tables: Vec<String>,
    columns: Vec<String>,
    primary_keys: Vec<String>,
}

fn queries(database: &TestDatabase) -> &'static Queries {
    match database {
        TestDatabase::Sqlite(_) => &SQLITE,
        TestDatabase::Postgres { .. } => &POSTGRES,
    }
}

fn sorted(database: &TestDatabase, query: &str) -> Vec<String> {
    let mut values = database.values(query);
    values.sort_unstable();
    values
}

fn schema_of(database: &TestDatabase) -> Schema {
    let queries = queries(database);
    Schema {
        tables: database.values(queries.tables),
        columns: database.values(queries.columns),
        primary_keys: sorted(database, queries.primary_keys),
    }
}

/// Translates a type of `schema.rs` to its name in `database`.
fn type_in(database: &TestDatabase, diesel_type: &str) -> &'static str {
    let known = TYPES.iter().find(|(name, _, _)| *name == diesel_type);
    match (known, database) {
        (Some((_, sqlite, _)), TestDatabase::Sqlite(_)) => sqlite,
        (Some((_, _, postgres)), TestDatabase::Postgres { .. }) => postgres,
        (None, _) => panic!("{diesel_type} is unknown: add it to TYPES"),
    }
}

/// Returns the schema that `src/db/tables/schema.rs` expects in `database`.
fn schema_of_program(database: &TestDatabase) -> Schema {
    let mut schema = Schema {
        tables: vec![],
        columns: vec![],
        primary_keys: vec![],
    };
    for block in SCHEMA.split("diesel::table! {").skip(1) {
        let lines = block.lines().map(str::trim);
        let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with("use "));
        let (table, key) = lines.next().unwrap().split_once(" (").unwrap();
        let key = key.split_once(')').unwrap().0;
        schema.tables.push(table.to_owned());
        schema.primary_keys.push(format!("{table} ({key})"));
        for line in lines.take_while(|line| *line != "}") {
            let (column, type_name) = line.trim_end_matches(',').split_once(" -> ").unwrap();
            let nullable = type_name
                .strip_prefix("Nullable<")
                .and_then(|it| it.strip_suffix('>'));
            let type_name = type_in(database, nullable.unwrap_or(type_name));
            let null = if nullable.is_some() { " NULL" } else { "" };
            schema
                .columns
                .push(format!("{table}.{column} {type_name}{null}"));
        }
    }
    schema
}

fn migrated(database: TestDatabase) -> TestDatabase {
    drop(Db::open(&database.url(), 1).unwrap());
    database
}

#[test]
fn both_folders_have_the_same_migrations_and_each_has_both_directions() {
    assert_eq!(names("sqlite"), names("postgres"));
    assert!(!names("sqlite").is_empty());
    for folder in ["sqlite", "postgres"] {
        for name in names(folder) {
            let migration = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("migrations")
                .join(folder);
            for file in ["up.sql", "down.sql"] {
                let sql = fs::read_to_string(migration.join(&name).join(file)).unwrap();
                assert!(
                    !sql.trim().is_empty(),
                    "{folder}/{name}/{file} does nothing"
                );
            }
        }
    }
}

#[test]
fn the_program_s_schema_is_that_of_sqlite() {
    let database = migrated(TestDatabase::sqlite());
    assert_eq!(schema_of(&database), schema_of_program(&database));
}

/// Uses PostgreSQL if the environment names a server.
#[test]
fn the_program_s_schema_is_that_of_the_configured_database() {
    let database = migrated(TestDatabase::create());
    assert_eq!(schema_of(&database), schema_of_program(&database));
}

#[test]
fn both_databases_have_the_same_indexes_and_foreign_keys() {
    let (one, other) = (
        migrated(TestDatabase::sqlite()),
        migrated(TestDatabase::create()),
    );
    let (ask_one, ask_other) = (queries(&one), queries(&other));
    let (of_one, of_other) = (
        sorted(&one, ask_one.indexes),
        sorted(&other, ask_other.indexes),
    );
    assert_eq!(of_one, of_other);
    assert!(
        of_one.contains(&"api_keys (hash) UNIQUE".to_owned()),
        "{of_one:?}"
    );
    assert!(
        of_one.contains(&"organizations (external_id) UNIQUE".to_owned()),
        "{of_one:?}"
    );
    let (of_one, of_other) = (
        sorted(&one, ask_one.foreign_keys),
        sorted(&other, ask_other.foreign_keys),
    );
    assert_eq!(of_one, of_other);
    assert!(
        of_one.contains(&"audit_log.org_id -> organizations.id".to_owned()),
        "{of_one:?}"
    );
}

#[test]
fn every_primary_key_rejects_null() {
    for database in [
        migrated(TestDatabase::sqlite()),
        migrated(TestDatabase::create()),
    ] {
        let schema = schema_of(&database);
        for key in &schema.primary_keys {
            let (table, columns) = key.trim_end_matches(')').split_once(" (").unwrap();
            for column in columns.split(", ") {
                let begin = format!("{table}.{column} ");
                let found = schema
                    .columns
                    .iter()
                    .find(|text| text.starts_with(&begin))
                    .unwrap();
                assert!(!found.ends_with(" NULL"), "{found}");
            }
        }
    }
}

fn up_down_up<C>(mut conn: C, folder: &str, database: &TestDatabase)
where
    C: Connection + MigrationHarness<C::Backend>,
    C::Backend: diesel::backend::Backend,
{
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("migrations")
        .join(folder);
    let migrations = || FileBasedMigrations::from_path(&folder).unwrap();
    conn.run_pending_migrations(migrations()).unwrap();
    let first = schema_of(database);
    conn.revert_all_migrations(migrations()).unwrap();
    assert_eq!(
        database.values(queries(database).tables),
        Vec::<String>::new()
    );
    conn.run_pending_migrations(migrations()).unwrap();
    assert_eq!(schema_of(database), first);
    assert_eq!(first, schema_of_program(database));
}

#[test]
fn every_migration_can_be_reverted_and_repeated() {
    for database in [TestDatabase::sqlite(), TestDatabase::create()] {
        match database.url() {
            DatabaseUrl::Sqlite(path) => {
                let conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
                up_down_up(conn, "sqlite", &database);
            }
            DatabaseUrl::Postgres(url) => {
                up_down_up(
                    PgConnection::establish(&url.connection_string(&[])).unwrap(),
                    "postgres",
                    &database,
                );
            }
        }
    }
}

#[test]
fn servers_started_together_on_an_empty_database_migrate_it_once_and_share_a_secret() {
    let rounds = match TestDatabase::create() {
        TestDatabase::Sqlite(_) => 25,
        TestDatabase::Postgres { .. } => 4,
    };
    for _round in 0..rounds {
        let database = TestDatabase::create();
        let opened = in_parallel(8, async |_| {
            let db = Db::open(&database.url(), 1).map_err(|error| format!("{error:?}"))?;
            db.check().await.map_err(|error| format!("{error:?}"))?;
            // Servers with the same secret issue the same cursor.
            let list = ListName::new("list", &OrgId::LEAST, &[]);
            Ok::<_, String>(db.cursor_key().seal(&list, "1"))
        });
        assert!(opened[0].is_ok(), "{opened:?}");
        assert_eq!(opened, vec![opened[0].clone(); 8]);
        assert_eq!(database.values(RECORDED).len(), names("sqlite").len());
    }
}

#[actix_web::test]
async fn reopening_a_database_keeps_everything() {
    let app = TestApp::new().await;
    let before = app.stored().await;
    for _ in 0..3 {
        let again = Db::open(&app.database.url(), 1).unwrap();
        assert_eq!(
            operator::organization::list(&again, None, 10)
                .await
                .unwrap(),
            std::slice::from_ref(&before)
        );
    }
    assert_eq!(app.database.values(RECORDED).len(), names("sqlite").len());
}

/// A server that is rolled back finds the schema of the newer version.
#[actix_web::test]
async fn an_unknown_migration_is_ignored() {
    let app = TestApp::new().await;
    let later = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000000'); \
                 ALTER TABLE organizations ADD COLUMN later TEXT";
    app.database.execute(later);
    let older = Db::open(&app.database.url(), 1).unwrap();
    assert_eq!(
        operator::organization::list(&older, None, 10)
            .await
            .unwrap(),
        [app.stored().await]
    );
    assert_eq!(
        app.database.values(RECORDED).len(),
        names("sqlite").len() + 1
    );
}
