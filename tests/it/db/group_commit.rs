//! Changes of several organizations that are stored together.

use diesel::connection::SimpleConnection;
use diesel::{Connection as _, PgConnection};
use futures_util::future::join_all;
use quietline::db::DatabaseUrl;
use quietline::domain::audit::chain::Anchors;
use quietline::domain::change::Change;
use quietline::domain::organization::{
    Organization, OrganizationKind, OrganizationName, SettingsChanges,
};
use quietline::error::{Error, Result};
use quietline::operator::audit::verify::verify_all;

use crate::support::TestApp;
use crate::support::app::{now, superadmin_of};

/// A change of the name, as the use case makes it.
fn renamed(before: &Organization, name: &str) -> Change {
    let changes = SettingsChanges {
        name: Some(OrganizationName::parse(name).unwrap()),
        ..SettingsChanges::default()
    };
    let settings = before.apply(&changes).unwrap();
    let events = before.settings.changes_to(&settings, &before.id, None);
    let after = Organization {
        settings,
        version: before.version + 1,
        ..before.clone()
    };
    let author = superadmin_of(&before.id).access.author().clone();
    Change::recorded(before, after, &author, &events, now())
}

async fn organizations(app: &TestApp, count: usize) -> Vec<Organization> {
    let mut organizations = Vec::new();
    for _ in 0..count {
        organizations.push(app.organization(OrganizationKind::Commercial).await);
    }
    organizations
}

async fn store_all(app: &TestApp, changes: Vec<Change>) -> Vec<Result<Option<Organization>>> {
    let stores = changes
        .into_iter()
        .map(|change| app.state.db.store_change(change));
    join_all(stores).await
}

/// The names of `organizations` as they are stored.
async fn names(app: &TestApp, organizations: &[Organization]) -> Vec<String> {
    let all = quietline::operator::organization::list(&app.state.db, None, 1_000)
        .await
        .unwrap();
    let is_asked = |stored: &&Organization| organizations.iter().any(|one| one.id == stored.id);
    all.iter()
        .filter(is_asked)
        .map(|stored| stored.settings.name.as_str().to_owned())
        .collect()
}

fn assert_verified(app: &TestApp) {
    let verified = verify_all(&app.state.db, Anchors::default()).unwrap();
    assert_eq!(verified.faults, []);
}

#[actix_web::test]
async fn changes_of_several_organizations_share_a_commit() {
    let app = TestApp::new().await;
    let before = organizations(&app, 100).await;
    let changes = before.iter().map(|one| renamed(one, "Shared")).collect();
    for (stored, before) in store_all(&app, changes).await.into_iter().zip(&before) {
        let stored = stored.unwrap().expect("no concurrent write");
        assert_eq!((stored.id, stored.version), (before.id, before.version + 1));
    }
    assert_eq!(names(&app, &before).await, vec!["Shared"; 100]);
    if matches!(app.database.url(), DatabaseUrl::Postgres(_)) {
        let transactions = "SELECT DISTINCT xmin::text AS value FROM organizations \
                            WHERE name = 'Shared'";
        // One for each committer, and two batches of 64 at most.
        let transactions = app.database.values(transactions).len();
        assert!(transactions <= 6, "{transactions} transactions");
    }
    assert_verified(&app);
}

#[actix_web::test]
async fn a_void_change_or_a_defect_fails_none_of_the_others() {
    let app = TestApp::new().await;
    let before = organizations(&app, 9).await;
    let mut changes: Vec<Change> = before.iter().map(|one| renamed(one, "Kept")).collect();
    changes[4].from_version += 1;
    // No such number of days is stored.
    changes[7].after.settings.message_retention_days = 0;
    let stored = store_all(&app, changes).await;
    for (number, outcome) in stored.iter().enumerate() {
        match number {
            4 => assert!(matches!(outcome, Ok(None)), "{outcome:?}"),
            7 => assert!(matches!(outcome, Err(Error::Internal(_))), "{outcome:?}"),
            _ => assert!(matches!(outcome, Ok(Some(_))), "{number}: {outcome:?}"),
        }
    }
    let kept = names(&app, &before).await;
    let kept = kept.iter().filter(|name| *name == "Kept").count();
    assert_eq!(kept, 7);
    assert_verified(&app);
}

/// PostgreSQL only: on SQLite a transaction locks the whole file.
#[actix_web::test]
async fn a_row_that_is_locked_elsewhere_does_not_hold_up_the_others() {
    let app = TestApp::new().await;
    let DatabaseUrl::Postgres(url) = app.database.url() else {
        return;
    };
    let before = organizations(&app, 9).await;
    let locked = before[4].id;
    let mut elsewhere = PgConnection::establish(&url.connection_string(&[])).unwrap();
    let lock = format!("BEGIN; SELECT 1 FROM organizations WHERE id = '{locked}' FOR UPDATE");
    elsewhere.batch_execute(&lock).unwrap();
    let changes = before.iter().map(|one| renamed(one, "Free")).collect();
    for (stored, before) in store_all(&app, changes).await.into_iter().zip(&before) {
        let is_stored = stored.expect("no wait for the lock").is_some();
        assert_eq!(is_stored, before.id != locked);
    }
    elsewhere.batch_execute("ROLLBACK").unwrap();
    assert_verified(&app);
}
