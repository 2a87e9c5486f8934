//! Audit logs of two organizations, made through both APIs, for tampering tests.

use quietline::db::{self, Lane};
use quietline::domain::actor::Role;
use quietline::domain::audit::chain::Anchors;
use quietline::domain::audit::entry::AuditEntry;
use quietline::domain::ids::OrgId;
use quietline::domain::organization::OrganizationKind;
use quietline::domain::scope::Scope;
use quietline::error::Error;
use quietline::operator::audit::verify::{Summary, verify_all};
use serde_json::json;

use crate::support::TestApp;

/// Every column of `audit_log`, with a value that no entry of these tests has.
pub const COLUMNS: [(&str, &str); 15] = [
    ("org_id", "$id:0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3"),
    ("seq", "77"),
    ("id", "'01JTBQH2FZ8K1RXC0WJ4Z9P3VM'"),
    ("occurred_at", "$time:1767528000001000"),
    ("actor_kind", "'robot'"),
    ("actor_label", "'somebody else'"),
    ("actor_identity", "'user:somebody-else'"),
    ("action", "'reseller.update'"),
    ("resource_type", "'campaign'"),
    ("resource_id", "'0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3'"),
    ("reason", "''"),
    ("request_id", "'01JTBQH2FZ8K1RXC0WJ4Z9P3VM'"),
    ("payload", "payload || ' '"),
    (
        "previous_hash",
        "$00000000000000000000000000000000000000000000000000000000000000ff",
    ),
    (
        "hash",
        "$00000000000000000000000000000000000000000000000000000000000000ff",
    ),
];

/// Application with two organizations that have a few entries each, made through both APIs. Its
/// database has no triggers against tampering.
pub struct Logs {
    pub app: TestApp,
    pub other: OrgId,
}

/// Number of entries in the first organization's log: its creation, a key and six changes.
pub const ENTRIES: i64 = 8;

impl Logs {
    pub async fn new() -> Self {
        let app = TestApp::new().await;
        let other = app.organization(OrganizationKind::Personal).await.id;
        let key = app.api_key(&[Scope::OrgAdminWrite]).await;
        let others_key = app.api_key_of(&other, &[Scope::OrgAdminWrite]).await;
        let bodies = [
            json!({"name": "Ünïcode 😀", "billing_email": null, "mms_retention_days": 60}),
            json!({"quiet_hours": {"enabled": true, "mode": "defer"}}),
            json!({"auto_replies": {"enabled": false, "attestation": "We answer \"STOP\"."}}),
        ];
        for body in bodies {
            assert_eq!(app.patch(&key, body).await.status, 200);
        }
        let message = json!({"missedCallMessage": "Hi {{contactName}}\n"});
        assert_eq!(
            app.put(&app.jwt(Role::Superadmin), message).await.status,
            200
        );
        for name in ["One", "Two", "Three"] {
            assert_eq!(
                app.patch(&others_key, json!({"name": name})).await.status,
                200
            );
        }
        let off = json!({"missedCallMessage": ""});
        assert_eq!(app.put(&app.jwt(Role::Admin), off).await.status, 200);
        app.database.drop_triggers();
        Self { app, other }
    }

    /// Runs SQL in one transaction, as an attacker with full control of the database could.
    pub fn execute(&self, sql: &str) {
        self.app
            .database
            .execute_unchecked(&format!("BEGIN; {sql}; COMMIT"));
    }

    pub async fn entries(&self) -> Vec<AuditEntry> {
        self.entries_of(&self.app.org_id).await
    }

    pub async fn entries_of(&self, org_id: &OrgId) -> Vec<AuditEntry> {
        let org_id = *org_id;
        let list = move |conn: &mut _| db::audit_log::list_oldest(conn, &org_id, 0, 100);
        self.app.state.db.read(Lane::OPERATOR, list).await.unwrap()
    }

    pub fn verify(&self) -> Result<Summary, Error> {
        verify_all(&self.app.state.db, Anchors::default())
    }

    /// Restores every row.
    pub fn restore(&self) {
        self.execute(
            "DELETE FROM audit_log; DELETE FROM organizations; \
             INSERT INTO audit_log SELECT * FROM saved_log; \
             INSERT INTO organizations SELECT * FROM saved_organizations",
        );
    }

    pub fn save(&self) {
        self.execute(
            "CREATE TABLE saved_log AS SELECT * FROM audit_log; \
             CREATE TABLE saved_organizations AS SELECT * FROM organizations",
        );
    }
}

/// Returns SQL that adds `entry` with a matching hash.
pub fn insert(entry: &AuditEntry) -> String {
    let text = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let columns: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    let values = [
        format!("$id:{}", entry.org_id),
        entry.seq.to_string(),
        text(&entry.id),
        format!("$time:{}", entry.occurred_at.and_utc().timestamp_micros()),
        text(&entry.actor.kind),
        text(&entry.actor.label),
        text(&entry.actor.identity),
        text(&entry.action),
        text(&entry.resource_type),
        text(&entry.resource_id),
        entry.reason.as_deref().map_or("NULL".to_owned(), text),
        text(&entry.request_id),
        text(&entry.payload),
        format!("${}", hex::encode(entry.previous_hash)),
        format!("${}", hex::encode(entry.hash)),
    ];
    format!(
        "INSERT INTO audit_log ({}) VALUES ({})",
        columns.join(", "),
        values.join(", ")
    )
}

/// Returns whether verification found no errors.
pub fn is_clean(found: &Result<Summary, Error>) -> bool {
    matches!(found, Ok(found) if found.faults.is_empty())
}
