//! Group commit: each write succeeds or fails alone, and accepted writes are durable.

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use actix_web::rt;
use diesel::SqliteConnection;
use diesel::connection::{Connection as _, SimpleConnection};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all, join3};
use quietline::db::{self, Db, DbConn, Lane};
use quietline::domain::actor::Author;
use quietline::domain::change::Change;
use quietline::domain::ids::OrgId;
use quietline::domain::organization::{Organization, OrganizationName};
use quietline::error::{Error, Result};
use quietline::operator;

use crate::support::TestApp;
use crate::support::app::operator;
use crate::support::database::TestDatabase;

/// Returns an organization with another name, and otherwise equal to `pattern`.
fn named(pattern: &Organization, name: &str) -> Organization {
    let mut organization = pattern.clone();
    organization.id = OrgId::generate();
    organization.external_id = None;
    organization.settings.name = OrganizationName::parse(name).unwrap();
    organization
}

fn insert(conn: &mut DbConn, organization: &Organization) -> Result<()> {
    let creation = Change::creation(organization.clone(), &Author::command_line(&operator()));
    assert!(db::organization::insert(conn, &creation)?);
    Ok(())
}

async fn stored_names(db: &Db) -> Vec<String> {
    let all = operator::organization::list(db, None, 10_000)
        .await
        .unwrap();
    all.into_iter()
        .map(|organization| organization.settings.name.into_string())
        .collect()
}

/// Blocks the writer until the sender is used or dropped.
fn block(db: &Db) -> (BoxFuture<'static, Result<()>>, Sender<()>) {
    let (release, released) = channel::<()>();
    let db = db.clone();
    let blocked = async move {
        let wait = move |_: &mut DbConn| {
            released
                .recv_timeout(Duration::from_secs(5))
                .unwrap_or_default();
            Ok(())
        };
        db.write(Lane::OPERATOR, wait).await
    };
    (blocked.boxed(), release)
}

#[actix_web::test]
async fn a_write_that_fails_or_panics_rolls_back_only_itself() {
    let app = TestApp::new().await;
    let pattern = app.stored().await;
    let (blocked, release) = block(&app.state.db);
    let mut writes = vec![blocked];
    for number in 0..18 {
        let (db, organization) = (app.state.db.clone(), named(&pattern, &number.to_string()));
        let work = move |conn: &mut DbConn| {
            insert(conn, &organization)?;
            match number % 3 {
                0 => Ok(()),
                1 => Err(Error::internal("on purpose")),
                _ => panic!("on purpose"),
            }
        };
        writes.push(async move { db.write(Lane::OPERATOR, work).await }.boxed());
    }
    // Poll this write last, when all the others wait for the writer.
    writes.push(async move { release.send(()).map_err(Error::internal) }.boxed());
    let outcomes = join_all(writes).await;
    let done: Vec<bool> = outcomes[1..=18].iter().map(Result::is_ok).collect();
    let expected: Vec<bool> = (0..18).map(|number| number % 3 == 0).collect();
    assert_eq!(done, expected);
    let mut names = stored_names(&app.state.db).await;
    names.retain(|name| name.parse::<u32>().is_ok());
    names.sort_by_key(|name| name.parse::<u32>().unwrap());
    assert_eq!(names, ["0", "3", "6", "9", "12", "15"]);
}

#[actix_web::test]
async fn reads_and_writes_work_after_a_panic() {
    let app = TestApp::new().await;
    let pattern = app.stored().await;
    for number in 0..10 {
        let panics = |_: &mut DbConn| -> Result<()> { panic!("on purpose") };
        let outcome = app.state.db.write(Lane::OPERATOR, panics).await;
        assert!(matches!(outcome, Err(Error::Internal(_))), "{outcome:?}");
        let organization = named(&pattern, &number.to_string());
        app.state
            .db
            .write(Lane::OPERATOR, move |conn| insert(conn, &organization))
            .await
            .unwrap();
    }
    assert_eq!(stored_names(&app.state.db).await.len(), 11);
}

#[actix_web::test]
async fn a_failed_statement_rolls_back_only_its_own_write() {
    let app = TestApp::new().await;
    let pattern = app.stored().await;
    let first = named(&pattern, "first");
    let again = Organization {
        id: first.id,
        ..named(&pattern, "again")
    };
    let before = named(&pattern, "before");
    app.state
        .db
        .write(Lane::OPERATOR, move |conn| insert(conn, &first))
        .await
        .unwrap();
    let work = move |conn: &mut DbConn| {
        insert(conn, &before)?;
        let creation = Change::creation(again, &Author::command_line(&operator()));
        if db::organization::insert(conn, &creation)? {
            Ok(())
        } else {
            Err(Error::internal("the id is taken"))
        }
    };
    assert!(app.state.db.write(Lane::OPERATOR, work).await.is_err());
    assert_eq!(
        stored_names(&app.state.db).await,
        ["Acme Health, Inc.", "first"]
    );
}

#[actix_web::test]
async fn writes_acknowledged_before_the_database_is_closed_are_durable() {
    let TestApp {
        state, database, ..
    } = TestApp::on(TestDatabase::sqlite()).await;
    let pattern = operator::organization::list(&state.db, None, 1)
        .await
        .unwrap();
    let writes = (0..200).map(|number| {
        let (db, organization) = (state.db.clone(), named(&pattern[0], &number.to_string()));
        async move {
            db.write(Lane::OPERATOR, move |conn| insert(conn, &organization))
                .await
        }
    });
    for outcome in join_all(writes).await {
        outcome.unwrap();
    }
    drop(state);
    let reopened = Db::open(&database.url(), 1).unwrap();
    assert_eq!(stored_names(&reopened).await.len(), 201);
}

#[actix_web::test]
async fn a_write_whose_caller_disconnected_is_complete_or_absent() {
    let app = TestApp::new().await;
    let pattern = app.stored().await;
    for number in 0..200 {
        let pair = ["a", "b"].map(|half| named(&pattern, &format!("{number}{half}")));
        let work = move |conn: &mut DbConn| pair.iter().try_for_each(|one| insert(conn, one));
        let mut write = Box::pin(app.state.db.write(Lane::OPERATOR, work));
        // The writer has accepted these writes. Drop most of their callers now.
        match write.as_mut().now_or_never() {
            Some(outcome) => outcome.unwrap(),
            None if number % 7 == 0 => write.await.unwrap(),
            None => {}
        }
    }
    // The writer reaches this write after everything that it accepted before.
    app.state
        .db
        .write(Lane::OPERATOR, |_| Ok(()))
        .await
        .unwrap();
    let mut names = stored_names(&app.state.db).await;
    names.retain(|name| name != "Acme Health, Inc.");
    assert!(names.len() >= 2 * 29, "awaited writes are complete");
    assert!(
        names
            .chunks(2)
            .all(|pair| pair[0][..pair[0].len() - 1] == pair[1][..pair[1].len() - 1])
    );
}

#[actix_web::test]
async fn a_lock_of_another_program_refuses_writes_after_four_seconds_but_not_later_writes() {
    let app = TestApp::on(TestDatabase::sqlite()).await;
    let path = app.database.url_text().replace("sqlite://", "");
    let mut other = SqliteConnection::establish(&path).unwrap();
    other
        .batch_execute("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE")
        .unwrap();
    let write_after = async |seconds| {
        rt::time::sleep(Duration::from_secs(seconds)).await;
        app.state.db.write(Lane::OPERATOR, |_conn| Ok(())).await
    };
    let release = async {
        rt::time::sleep(Duration::from_millis(4500)).await;
        other.batch_execute("COMMIT").unwrap();
    };
    let (first, later, ()) = join3(write_after(0), write_after(2), release).await;
    assert!(matches!(first, Err(Error::Unavailable(_))), "{first:?}");
    assert!(later.is_ok(), "{later:?}");
}

#[actix_web::test]
async fn excess_waiting_writes_are_refused_at_once_and_the_others_succeed() {
    let app = TestApp::on(TestDatabase::sqlite()).await;
    let pattern = app.stored().await;
    let (blocked, release) = block(&app.state.db);
    let mut writes = vec![blocked];
    for number in 0..3_000 {
        let (db, organization) = (app.state.db.clone(), named(&pattern, &number.to_string()));
        writes.push(
            async move {
                db.write(Lane::OPERATOR, move |conn| insert(conn, &organization))
                    .await
            }
            .boxed(),
        );
    }
    // Poll this write last, when all the others wait or are refused.
    writes.push(async move { release.send(()).map_err(Error::internal) }.boxed());
    let outcomes = join_all(writes).await;
    let is_refused = |outcome: &&Result<()>| matches!(outcome, Err(Error::Unavailable(_)));
    let refused = outcomes.iter().filter(is_refused).count();
    let done = outcomes[1..=3_000]
        .iter()
        .filter(|outcome| outcome.is_ok())
        .count();
    assert!(refused > 0, "no write was refused");
    assert_eq!(done + refused, 3_000);
    assert_eq!(stored_names(&app.state.db).await.len(), 1 + done);
}
