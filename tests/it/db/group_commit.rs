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
