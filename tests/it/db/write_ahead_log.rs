//! Size of SQLite's write-ahead log under continuous writes.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use actix_web::rt::time::sleep;
use diesel::RunQueryDsl;
use futures_util::future::join_all;
use quietline::db::{self, DatabaseUrl, Db, DbConn, Lane};
use quietline::domain::actor::Author;
use quietline::domain::change::Change;
use quietline::domain::ids::OrgId;
use quietline::error::Result;

use crate::support::TestApp;
use crate::support::app::operator;
use crate::support::database::TestDatabase;

/// Number of organizations. Each takes about 600 bytes, so together they fill about 30 pages.
const ORGANIZATIONS: usize = 200;
const WRITERS: usize = 4;
const WRITES_EACH: usize = 1_500;

fn touch_all(conn: &mut DbConn) -> Result<()> {
    let touch = "UPDATE organizations SET version = version + 1, audit_length = audit_length + 1";
    diesel::sql_query(touch).execute(conn)?;
    Ok(())
}

fn log_of(app: &TestApp) -> PathBuf {
    let DatabaseUrl::Sqlite(path) = app.database.url() else {
        panic!("the database is a file");
    };
    path.with_extension("db-wal")
}

#[actix_web::test]
async fn the_wal_stays_within_64_mib_under_continuous_writes() {
    let app = TestApp::on(TestDatabase::sqlite()).await;
    write_without_rest(&app).await;
}

/// The command line opens the database as a server does, and may keep it open for long.
#[actix_web::test]
async fn the_wal_stays_within_64_mib_while_another_program_has_the_database_open() {
    let app = TestApp::on(TestDatabase::sqlite()).await;
    let _another = Db::open(&app.database.url(), 1).unwrap();
    write_without_rest(&app).await;
}

async fn write_without_rest(app: &TestApp) {
    const MIB: u64 = 1024 * 1024;
    let log = log_of(app);
    let (db, pattern) = (&app.state.db, app.stored().await);
    let fill = move |conn: &mut DbConn| {
        for _ in 1..ORGANIZATIONS {
            let mut another = pattern.clone();
            (another.id, another.external_id) = (OrgId::generate(), None);
            let creation = Change::creation(another, &Author::command_line(&operator()));
            assert!(db::organization::insert(conn, &creation)?);
        }
        Ok(())
    };
    db.write(Lane::OPERATOR, fill).await.unwrap();
    let writers = (0..WRITERS).map(async |_| {
        for _ in 0..WRITES_EACH {
            db.write(Lane::OPERATOR, touch_all).await.unwrap();
        }
    });
    join_all(writers).await;
    let length = log.metadata().unwrap().len();
    assert!(length <= 64 * MIB, "{} MiB", length / MIB);
    let stored = app.stored().await;
    let writes = i64::try_from(WRITERS * WRITES_EACH).unwrap();
    assert_eq!(stored.version, 1 + writes, "every write is stored");
}

/// An idle server must not hold a read transaction open.
#[actix_web::test]
async fn an_operator_can_truncate_the_wal_of_an_idle_server() {
    let app = TestApp::on(TestDatabase::sqlite()).await;
    app.state.db.write(Lane::OPERATOR, touch_all).await.unwrap();
    let log = log_of(&app);
    let is_emptied = || {
        app.database.execute("PRAGMA wal_checkpoint(TRUNCATE)");
        log.metadata().unwrap().len() == 0
    };
    let started = Instant::now();
    while !is_emptied() {
        assert!(started.elapsed() < Duration::from_secs(10));
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(app.stored().await.version, 2);
}
