//! Many concurrent writers and readers of one organization: no lost updates, no dirty reads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::http::Method;
use quietline::app;
use quietline::app::idempotency::Outcome;
use quietline::db::{self, Db, DbConn, Lane};
use quietline::domain::access::Authorized;
use quietline::domain::actor::Author;
use quietline::domain::billing_email::BillingEmail;
use quietline::domain::change::Change;
use quietline::domain::ids::OrganizationRef;
use quietline::domain::missed_call_message::MissedCallChanges;
use quietline::domain::organization::{Organization, OrganizationName, SettingsChanges};
use quietline::domain::precondition::{Preconditions, Versions};
use quietline::domain::quiet_hours::QuietHoursChanges;
use quietline::domain::registry::RegistrationStatus;
use quietline::domain::scope::Scope;
use quietline::error::{Error, Precondition, Result};
use quietline::operator;
use serde_json::{Value, json};

use super::parallel::in_parallel;
use crate::support::TestApp;
use crate::support::app::superadmin_of;
use crate::support::app::{now, operator, session_on};

fn rename(name: &str) -> SettingsChanges {
    let name = Some(OrganizationName::parse(name).unwrap());
    SettingsChanges {
        name,
        ..SettingsChanges::default()
    }
}

async fn update(
    app: &TestApp,
    preconditions: Preconditions,
    changes: SettingsChanges,
) -> Result<Organization> {
    let caller = Authorized {
        preconditions,
        ..superadmin_of(&app.org_id)
    };
    match app::organization::update_settings(&app.state, caller, changes, None).await? {
        Outcome::Done(organization) => Ok(organization),
        Outcome::Replayed(response) => panic!("replayed without an Idempotency-Key: {response:?}"),
    }
}

fn payload(entry: &quietline::domain::audit::entry::AuditEntry) -> Value {
    serde_json::from_str(&entry.payload).unwrap()
}

#[actix_web::test]
async fn concurrent_writes_of_64_writers_are_all_kept() {
    let app = TestApp::new().await;
    let versions = in_parallel(64, async |number| {
        let changes = rename(&format!("writer {number}"));
        update(&app, Preconditions::default(), changes)
            .await
            .unwrap()
            .version
    });
    let mut versions = versions;
    versions.sort_unstable();
    assert_eq!(
        versions,
        (2..=65).collect::<Vec<i64>>(),
        "each change has its own version"
    );
    assert_eq!(app.stored().await.version, 65);
    let entries = app.audit().await;
    let seqs: Vec<i64> = entries.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, (2..=65).collect::<Vec<i64>>());
    // Each entry starts from the value of the previous entry, so no change was overwritten unseen.
    let mut name = json!("Acme Health, Inc.");
    for entry in &entries {
        let payload = payload(entry);
        assert_eq!(
            payload["before"]["name"], name,
            "entry {} follows the previous one",
            entry.seq
        );
        name = payload["after"]["name"].clone();
    }
    assert_eq!(name, app.stored().await.settings.name.as_str());
}

#[actix_web::test]
async fn writers_that_toggle_one_switch_record_only_real_changes() {
    let app = TestApp::new().await;
    in_parallel(64, async |number| {
        let enabled = Some(number % 2 == 0);
        let quiet_hours = QuietHoursChanges {
            enabled,
            ..QuietHoursChanges::default()
        };
        let changes = SettingsChanges {
            quiet_hours,
            ..SettingsChanges::default()
        };
        update(&app, Preconditions::default(), changes)
            .await
            .unwrap();
    });
    let entries = app.audit().await;
    assert!(!entries.is_empty());
    for (number, entry) in entries.iter().enumerate() {
        assert_eq!(entry.seq, i64::try_from(number).unwrap() + 2);
        let is_on = number % 2 == 0;
        let expected = json!({"before": {"enabled": !is_on}, "after": {"enabled": is_on}});
        assert_eq!(payload(entry), expected);
    }
    let stored = app.stored().await;
    assert_eq!(stored.version, 1 + i64::try_from(entries.len()).unwrap());
    assert_eq!(stored.settings.quiet_hours.enabled, entries.len() % 2 == 1);
}

#[actix_web::test]
async fn writers_of_different_parts_keep_each_other_s_changes() {
    let app = TestApp::new().await;
    in_parallel(24, async |number| {
        let org_id = app.org_id;
        match number % 3 {
            0 => {
                let changes = rename(&format!("name {number}"));
                update(&app, Preconditions::default(), changes)
                    .await
                    .unwrap();
            }
            1 => {
                let message = Some(format!("message {number}"));
                let changes = MissedCallChanges {
                    message,
                    enabled: None,
                };
                let access = superadmin_of(&org_id);
                app::missed_call_message::update(&app.state, access, changes, None)
                    .await
                    .unwrap();
            }
            _ => {
                let (name, status) = (format!("brand {number}"), RegistrationStatus::Active);
                operator::registry::add_brand(&app.session(), org_id, name, status)
                    .await
                    .unwrap();
            }
        }
    });
    let stored = app.stored().await;
    assert!(stored.settings.name.as_str().starts_with("name "));
    assert!(stored.missed_call.message.unwrap().starts_with("message "));
    assert_eq!(stored.registry.brand_count, 8);
    assert_eq!(stored.version, 25);
    assert_eq!(app.audit().await.len(), 24);
}

#[actix_web::test]
async fn exactly_one_writer_with_the_same_condition_wins() {
    let app = TestApp::new().await;
    for round in 1..=5 {
        let before = app.stored().await;
        assert_eq!(before.version, round);
        let condition = Preconditions {
            if_match: Versions::Named(vec![before.version_name()]),
            ..Preconditions::default()
        };
        let outcomes = in_parallel(16, async |number| {
            let changes = rename(&format!("round {round} writer {number}"));
            update(&app, condition.clone(), changes).await
        });
        let refused = |outcome: &&_| {
            matches!(
                outcome,
                Err(Error::PreconditionFailed(Precondition::IfMatch))
            )
        };
        assert_eq!(outcomes.iter().filter(refused).count(), 15);
        let winner = outcomes.into_iter().find_map(Result::ok).unwrap();
        assert_eq!(winner.version, round + 1);
        assert_eq!(app.stored().await, winner);
    }
    assert_eq!(app.audit().await.len(), 5);
}

#[actix_web::test]
async fn one_patch_with_the_same_if_match_succeeds_and_the_others_get_412() {
    let app = TestApp::new().await;
    let key = app.api_key(&[Scope::OrgRead, Scope::OrgAdminWrite]).await;
    let etag = app
        .get("/v1/organization", &key)
        .await
        .header("etag")
        .to_owned();
    let statuses = in_parallel(12, async |number| {
        let request = app.request(Method::PATCH, "/v1/organization").bearer(&key);
        let body = json!({ "name": format!("writer {number}") });
        request
            .header("If-Match", &etag)
            .json(&body)
            .send()
            .await
            .status
    });
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        1,
        "{statuses:?}"
    );
    assert_eq!(
        statuses.iter().filter(|status| **status == 412).count(),
        11,
        "{statuses:?}"
    );
    assert_eq!(app.audit().await.len(), 1);
}

#[actix_web::test]
async fn two_servers_write_to_one_database_without_refusals_or_lost_updates() {
    let app = TestApp::new().await;
    let second = Db::open(&app.database.url(), 4).unwrap();
    in_parallel(8, async |number| {
        let db = if number % 2 == 0 {
            &app.state.db
        } else {
            &second
        };
        let session = session_on(db.clone(), &app.state);
        for round in 0..25 {
            let (name, status) = (format!("{number}-{round}"), RegistrationStatus::Pending);
            let org_id = app.org_id;
            operator::registry::add_brand(&session, org_id, name, status)
                .await
                .unwrap();
        }
    });
    let stored = app.stored().await;
    assert_eq!(stored.registry.brand_count, 200);
    assert_eq!(stored.version, 201);
}

/// Sets name and billing address to the same number in two statements.
fn set_both(
    conn: &mut DbConn,
    organization: &OrganizationRef,
    number: i32,
) -> Result<Organization> {
    let before = db::organization::lock(conn, organization)?.unwrap();
    let mut after = before.clone();
    after.version += 1;
    after.settings.name = OrganizationName::parse(&number.to_string()).unwrap();
    let before = db::organization::store_locked(conn, recorded(&before, after))?;
    std::thread::sleep(Duration::from_millis(1));
    let mut after = before.clone();
    after.version += 1;
    let email = BillingEmail::parse(&format!("{number}@acme.example")).unwrap();
    after.settings.billing_email = Some(email);
    db::organization::store_locked(conn, recorded(&before, after))
}

fn recorded(before: &Organization, after: Organization) -> Change {
    let events = before
        .settings
        .changes_to(&after.settings, &before.id, None);
    Change::recorded(
        before,
        after,
        &Author::command_line(&operator()),
        &events,
        now(),
    )
}

#[actix_web::test]
async fn a_reader_never_sees_a_partial_or_rolled_back_change() {
    let app = TestApp::new().await;
    let organization = OrganizationRef::Id(app.org_id);
    let first = organization.clone();
    app.state
        .db
        .write(Lane::OPERATOR, move |conn| set_both(conn, &first, 0))
        .await
        .unwrap();
    let is_over = AtomicBool::new(false);
    let reads = in_parallel(4, async |thread| {
        let mut reads = 0;
        if thread == 0 {
            for number in 1..=100 {
                let organization = organization.clone();
                let work = move |conn: &mut DbConn| match number % 3 {
                    0 => set_both(conn, &organization, -number)
                        .and(Err(Error::internal("on purpose"))),
                    _ => set_both(conn, &organization, number),
                };
                assert_eq!(
                    app.state.db.write(Lane::OPERATOR, work).await.is_ok(),
                    number % 3 != 0
                );
            }
            is_over.store(true, Ordering::Relaxed);
        }
        while !is_over.load(Ordering::Relaxed) {
            let settings = app.stored().await.settings;
            let (name, email) = (settings.name.as_str(), settings.billing_email.unwrap());
            assert_eq!(format!("{name}@acme.example"), email.as_str());
            assert!(!name.starts_with('-'), "{name} was rolled back");
            reads += 1;
        }
        reads
    });
    assert!(reads[1..].iter().all(|reads| *reads > 10), "{reads:?}");
}
