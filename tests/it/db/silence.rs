//! A PostgreSQL that does not respond. On SQLite there is nothing to test.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use futures_util::future::{join, join_all};
use quietline::db::{Db, DbConn, Lane};
use quietline::domain::ids::{OrgId, OrganizationRef};
use quietline::error::{Error, Result};

use crate::support::TestApp;
use crate::support::database::TestDatabase;
use crate::support::proxy::Proxy;

/// A database behind a proxy, if PostgreSQL is tested.
async fn behind_proxy(connections: u32) -> Option<(TestApp, Proxy, Db)> {
    let app = TestApp::new().await;
    let TestDatabase::Postgres { server, .. } = &app.database else {
        return None;
    };
    let url: url::Url = server.parse().unwrap();
    let target = format!(
        "{}:{}",
        url.host_str().unwrap_or("127.0.0.1"),
        url.port().unwrap_or(5432)
    );
    let proxy = Proxy::start(&target);
    let address = proxy.address();
    let behind = app
        .database
        .url_text()
        .replace(&target, &address.to_string());
    let db = Db::open(&behind.parse().unwrap(), connections).unwrap();
    Some((app, proxy, db))
}

async fn read(db: &Db) -> Result<()> {
    db.read(Lane::OPERATOR, |conn| Ok(conn.batch_execute("SELECT 1")?))
        .await
}

#[actix_web::test]
async fn a_hung_connection_is_given_up_and_replaced_in_ten_seconds() {
    let Some((_app, proxy, db)) = behind_proxy(4).await else {
        return;
    };
    // Fills the pool.
    for outcome in join_all((0..4).map(|_| read(&db))).await {
        outcome.unwrap();
    }
    proxy.freeze();
    let started = Instant::now();
    assert!(matches!(read(&db).await, Err(Error::Unavailable(_))));
    read(&db).await.expect("a new connection");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[actix_web::test]
async fn reads_and_the_probe_go_on_while_every_write_hangs() {
    let Some((_app, _proxy, db)) = behind_proxy(8).await else {
        return;
    };
    let hang = |conn: &mut DbConn| Ok(conn.batch_execute("SELECT pg_sleep(3)")?);
    let writes = join_all((0..20).map(|_| {
        let lane = Lane::of(&OrganizationRef::Id(OrgId::generate()));
        db.write(lane, hang)
    }));
    let reads = async {
        let started = Instant::now();
        for _ in 0..10 {
            read(&db).await.unwrap();
            db.check().await.unwrap();
        }
        started.elapsed()
    };
    let (_, elapsed) = join(writes, reads).await;
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
}

#[actix_web::test]
async fn the_probe_answers_in_time_when_the_database_is_silent() {
    let Some((_app, proxy, db)) = behind_proxy(4).await else {
        return;
    };
    db.check().await.unwrap();
    proxy.silence(true);
    // A recent outcome may still count once.
    std::thread::sleep(Duration::from_millis(300));
    let started = Instant::now();
    for outcome in join_all((0..50).map(|_| db.check())).await {
        assert!(matches!(outcome, Err(Error::Unavailable(_))));
    }
    let elapsed = started.elapsed();
    assert!(elapsed < Duration::from_millis(1500), "{elapsed:?}");
    proxy.silence(false);
    let deadline = Instant::now() + Duration::from_secs(10);
    while db.check().await.is_err() {
        assert!(Instant::now() < deadline, "it stays unready");
    }
}
