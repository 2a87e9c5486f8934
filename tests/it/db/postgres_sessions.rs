//! Privileges and settings of PostgreSQL sessions that the server must work with. These tests do
//! nothing on SQLite.

use diesel::connection::SimpleConnection;
use quietline::db::{DatabaseUrl, Db, Lane};
use quietline::domain::audit::chain::Anchors;
use quietline::error::{Error, Result};
use quietline::operator::audit::verify::verify_all;

use crate::support::TestApp;
use crate::support::database::TestDatabase;

/// Starts an application on a PostgreSQL schema, if the tests run on PostgreSQL.
async fn on_postgres() -> Option<(TestApp, String)> {
    let app = TestApp::new().await;
    match &app.database {
        TestDatabase::Postgres { schema, .. } => {
            let schema = schema.clone();
            Some((app, schema))
        }
        TestDatabase::Sqlite(_) => None,
    }
}

fn open(app: &TestApp, options: &str) -> Result<Db> {
    let url = format!("{}{options}", app.database.url_text());
    let url: DatabaseUrl = url.parse().expect("a URL");
    Db::open(&url, 1)
}

async fn write(db: &Db) -> Result<()> {
    db.write(Lane::OPERATOR, |conn| {
        Ok(conn.batch_execute("UPDATE organizations SET audit_length = audit_length + 1")?)
    })
    .await
}

#[actix_web::test]
async fn a_role_without_ownership_or_create_privileges_can_serve() {
    let Some((app, schema)) = on_postgres().await else {
        return;
    };
    let role = format!("role_{schema}");
    app.database.execute(&format!(
        "CREATE ROLE {role}; GRANT USAGE ON SCHEMA {schema} TO {role}; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}"
    ));
    let opened = open(&app, &format!("%20-crole%3D{role}"));
    let written = write(opened.as_ref().expect("it may serve")).await;
    app.database
        .execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    written.expect("it may change settings");
}

#[actix_web::test]
async fn a_read_only_session_verifies_the_audit_log() {
    let Some((app, _)) = on_postgres().await else {
        return;
    };
    let read_only = open(&app, "%20-cdefault_transaction_read_only%3Don");
    let read_only = read_only.expect("nothing has to be written");
    let verified = verify_all(&read_only, Anchors::default()).unwrap();
    assert_eq!(verified.faults, []);
    assert!(matches!(
        write(&read_only).await,
        Err(Error::Unavailable(_))
    ));
}

#[actix_web::test]
async fn a_read_only_session_is_replaced_after_a_failed_write() {
    let Some((app, _)) = on_postgres().await else {
        return;
    };
    let db = open(&app, "").unwrap();
    let stays_read_only = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY";
    db.read(Lane::OPERATOR, move |conn| {
        Ok(conn.batch_execute(stays_read_only)?)
    })
    .await
    .unwrap();
    assert!(matches!(write(&db).await, Err(Error::Unavailable(_))));
    write(&db).await.expect("a new session may write");
}

#[actix_web::test]
async fn writes_use_read_committed_regardless_of_the_default_isolation() {
    let Some((app, _)) = on_postgres().await else {
        return;
    };
    let db = open(&app, "%20-cdefault_transaction_isolation%3Dserializable").unwrap();
    let check = "DO $$ BEGIN ASSERT current_setting('transaction_isolation') = 'read committed'; \
         END $$";
    db.write(Lane::OPERATOR, move |conn| Ok(conn.batch_execute(check)?))
        .await
        .expect("READ COMMITTED");
}
