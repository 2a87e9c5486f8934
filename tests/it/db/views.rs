//! Views for operators (`deploy/views`) show the same values as the API.

use chrono::{DateTime, Utc};
use quietline::domain::scope::Scope;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::database::TestDatabase;

/// Every table that has a view.
const TABLES: [&str; 8] = [
    "api_keys",
    "audit_log",
    "brands",
    "campaigns",
    "idempotency_records",
    "issued_tokens",
    "organizations",
    "token_revocations",
];

fn load_views(database: &TestDatabase) {
    database.execute(match database {
        TestDatabase::Sqlite(_) => include_str!("../../../deploy/views/sqlite.sql"),
        TestDatabase::Postgres { .. } => include_str!("../../../deploy/views/postgres.sql"),
    });
}

fn columns(database: &TestDatabase, table: &str) -> Vec<String> {
    database.values(&match database {
        TestDatabase::Sqlite(_) => {
            format!("SELECT name AS value FROM pragma_table_info('{table}') ORDER BY cid")
        }
        TestDatabase::Postgres { .. } => format!(
            "SELECT column_name::text AS value FROM information_schema.columns \
             WHERE table_name = '{table}' AND table_schema = current_schema() \
             ORDER BY ordinal_position"
        ),
    })
}

/// Asserts that `view` has the values of `shown` in these columns.
fn assert_shows(database: &TestDatabase, view: &str, shown: &Value, columns: &[&str]) {
    for column in columns {
        let sql = format!("SELECT {column} AS value FROM {view}");
        let found = database.values(&sql);
        let expected = shown[column].as_str().expect("a text of the API");
        let moment = |text: &str| text.parse::<DateTime<Utc>>().ok();
        let is_shown = |text: &String| match moment(expected) {
            Some(expected) => moment(text) == Some(expected),
            None => text == expected,
        };
        assert!(found.iter().all(is_shown), "{view}.{column}: {found:?}");
        assert!(!found.is_empty(), "{view} is empty");
    }
}

#[actix_web::test]
async fn every_column_of_a_table_is_in_its_view() {
    let app = TestApp::new().await;
    load_views(&app.database);
    for table in TABLES {
        let view = format!("{table}_readable");
        let (of_table, of_view) = (columns(&app.database, table), columns(&app.database, &view));
        assert_eq!(of_view, of_table, "{view}");
    }
}

#[actix_web::test]
async fn ids_and_times_are_those_of_the_api() {
    let app = TestApp::new().await;
    let key = app
        .api_key(&[
            Scope::OrgRead,
            Scope::OrgAdminWrite,
            Scope::ApiKeysRead,
            Scope::AuditRead,
        ])
        .await;
    assert_eq!(app.patch(&key, json!({"name": "One"})).await.status, 200);
    load_views(&app.database);
    let shown = |body: Value| body["data"].clone();
    let organization = shown(app.get("/v1/organization", &key).await.json());
    let names = ["id", "name", "created_at"];
    assert_shows(
        &app.database,
        "organizations_readable",
        &organization,
        &names,
    );
    let keys = shown(app.get("/v1/api-keys", &key).await.json());
    let names = ["id", "org_id", "prefix", "created_at"];
    assert_shows(&app.database, "api_keys_readable", &keys[0], &names);
    let log = shown(app.get("/v1/audit-log?limit=1", &key).await.json());
    let newest = "(SELECT * FROM audit_log_readable ORDER BY seq DESC LIMIT 1) AS newest";
    assert_shows(&app.database, newest, &log[0], &["id", "occurred_at"]);
}
