//! Stored rows that the audit log does not explain. Goal: `audit verify` names every value that
//! plain SQL has changed, with the entry that says otherwise. Method: change rows of a database
//! without triggers, verify, and compare the messages.

use std::collections::BTreeSet;

use quietline::domain::audit::chain::Anchors;
use quietline::domain::ids::OrgId;
use quietline::domain::organization::OrganizationKind;
use quietline::domain::registry::RegistrationStatus;
use quietline::domain::scope::Scope;
use quietline::operator;
use quietline::operator::audit::verify::{Summary, verify, verify_all};
use serde_json::json;

use crate::support::TestApp;
use crate::support::app::EXTERNAL_ID;

/// Two organizations. The first has two keys, one of them revoked, a brand and a campaign.
struct Stored {
    app: TestApp,
    other: OrgId,
    live_key: String,
    revoked_key: String,
    brand: String,
    campaign: String,
}

impl Stored {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let other = app.organization(OrganizationKind::Personal).await.id;
        app.api_key_of(&other, &[Scope::OrgRead]).await;
        let live = app.api_key(&[Scope::OrgRead]).await;
        let live_key = app.key_id(&live).await.to_string();
        let revoked = app.api_key(&[Scope::OrgAdminWrite]).await;
        let change = json!({"message_retention_days": 90, "quiet_hours": {"enabled": true}});
        assert_eq!(app.patch(&revoked, change).await.status, 200);
        let revoked_key = app.key_id(&revoked).await;
        app.revoke_key(revoked_key).await;
        let brand = app.brand().await.id;
        let (name, status) = ("Campaign".to_owned(), RegistrationStatus::Pending);
        let campaign = operator::registry::add_campaign(&app.session(), brand, name, status)
            .await
            .unwrap();
        assert_eq!(
            verify_all(&app.state.db, Anchors::default())
                .unwrap()
                .faults,
            []
        );
        app.database.drop_triggers();
        Self {
            app,
            other,
            live_key,
            revoked_key: revoked_key.to_string(),
            brand: brand.to_string(),
            campaign: campaign.id.to_string(),
        }
    }

    /// Runs `sql` with the ids of these rows in it, and returns what verification then finds.
    fn found_after(&self, sql: &str) -> Summary {
        self.app
            .database
            .execute_unchecked(&format!("BEGIN; {}; COMMIT", self.with_ids(sql)));
        verify_all(&self.app.state.db, Anchors::default()).unwrap()
    }

    fn with_ids(&self, sql: &str) -> String {
        let names = [
            ("ORG", self.app.org_id.to_string()),
            ("OTHER", self.other.to_string()),
            ("LIVE_KEY", self.live_key.clone()),
            ("REVOKED_KEY", self.revoked_key.clone()),
            ("BRAND", self.brand.clone()),
            ("CAMPAIGN", self.campaign.clone()),
        ];
        let named = names.iter().fold(sql.to_owned(), |sql, (name, id)| {
            sql.replace(&format!("{{{name}}}"), &format!("$id:{id}"))
        });
        assert!(!named.contains('{'), "{named}");
        named
    }
}

/// Runs `sql` and asserts that verification reports exactly these messages, in any order.
async fn assert_found(sql: &str, expected: &[&str]) {
    let stored = Stored::new().await;
    let found = stored.found_after(sql);
    let named = |message: &str| {
        message
            .replace("{LIVE_KEY}", &stored.live_key)
            .replace("{REVOKED_KEY}", &stored.revoked_key)
            .replace("{BRAND}", &stored.brand)
            .replace("{CAMPAIGN}", &stored.campaign)
    };
    let expected: BTreeSet<String> = expected.iter().map(|message| named(message)).collect();
    let texts = found.faults.iter().map(|fault| fault.text.clone());
    assert_eq!(texts.collect::<BTreeSet<_>>(), expected, "{sql}");
}

#[actix_web::test]
async fn settings_changed_by_sql_are_named_with_the_entry_that_says_otherwise() {
    assert_found(
        "UPDATE organizations SET auto_replies_enabled = false, name = 'Evil', \
         message_retention_days = 30 WHERE id = {ORG}",
        &[
            "organization: auto_replies.enabled is false, entry 1 says true",
            "organization: organization.name is \"Evil\", entry 1 says \"Acme Health, Inc.\"",
            "organization: retention.message_retention_days is 30, entry 4 says 90",
        ],
    )
    .await;
}

#[actix_web::test]
async fn a_key_without_an_entry_is_named() {
    let stored = Stored::new().await;
    let planted = "0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3";
    let found = stored.found_after(&format!(
        "INSERT INTO api_keys (id, org_id, label, prefix, hash, scopes, created_by, created_at) \
         SELECT $id:{planted}, org_id, 'Acme CFO', prefix, ${}, scopes, created_by, created_at \
         FROM api_keys WHERE id = {{LIVE_KEY}}",
        "ab".repeat(32)
    ));
    let texts: Vec<&str> = found
        .faults
        .iter()
        .map(|fault| fault.text.as_str())
        .collect();
    assert_eq!(texts, [format!("api_key {planted}: no entry creates it")]);
}

#[actix_web::test]
async fn raised_scopes_of_a_key_are_named() {
    assert_found(
        "UPDATE api_keys SET scopes = 'org:read org:admin:write' WHERE id = {LIVE_KEY}",
        &[
            "api_key {LIVE_KEY}: scopes is [\"org:read\",\"org:admin:write\"], \
            entry 2 says [\"org:read\"]",
        ],
    )
    .await;
}

#[actix_web::test]
async fn an_undone_revocation_is_named() {
    assert_found(
        "UPDATE api_keys SET revoked_at = NULL WHERE id = {REVOKED_KEY}",
        &["api_key {REVOKED_KEY}: revoked_at is null, \
             entry 6 says \"2026-01-04T12:00:00.000Z\""],
    )
    .await;
}

#[actix_web::test]
async fn another_hash_of_a_key_is_named_without_the_hash() {
    let stored = Stored::new().await;
    let hash = "ab".repeat(32);
    let found = stored.found_after(&format!(
        "UPDATE api_keys SET hash = ${hash} WHERE id = {{LIVE_KEY}}"
    ));
    let [fault] = &found.faults[..] else {
        panic!("{found:?}");
    };
    let start = format!("api_key {}: hash_commitment is ", stored.live_key);
    assert!(fault.text.starts_with(&start), "{fault:?}");
    assert!(!fault.text.contains(&hash), "{fault:?}");
}

#[actix_web::test]
async fn an_external_id_and_a_key_moved_to_another_organization_are_named() {
    assert_found(
        &format!(
            "UPDATE organizations SET external_id = NULL WHERE id = {{ORG}}; \
             UPDATE organizations SET external_id = '{EXTERNAL_ID}' WHERE id = {{OTHER}}; \
             UPDATE api_keys SET org_id = {{OTHER}} WHERE id = {{LIVE_KEY}}"
        ),
        &[
            &format!("organization: account.external_id is null, entry 1 says \"{EXTERNAL_ID}\""),
            &format!("organization: account.external_id is \"{EXTERNAL_ID}\", entry 1 says null"),
            "api_key {LIVE_KEY}: the row is missing, entry 2 creates it",
            "api_key {LIVE_KEY}: no entry creates it",
        ],
    )
    .await;
}

#[actix_web::test]
async fn deleted_rows_are_named_with_the_entries_that_create_them() {
    assert_found(
        "DELETE FROM api_keys WHERE org_id = {ORG}; DELETE FROM campaigns; DELETE FROM brands",
        &[
            "api_key {LIVE_KEY}: the row is missing, entry 2 creates it",
            "api_key {REVOKED_KEY}: the row is missing, entry 3 creates it",
            "brand {BRAND}: the row is missing, entry 7 creates it",
            "campaign {CAMPAIGN}: the row is missing, entry 8 creates it",
        ],
    )
    .await;
}

#[actix_web::test]
async fn a_brand_that_sql_deletes_is_named_because_reseller_mode_depends_on_it() {
    assert_found(
        "UPDATE brands SET status = 'DELETED'; UPDATE organizations SET brand_status = NULL, \
         brand_count = 0 WHERE id = {ORG}",
        &[
            "brand {BRAND}: status is \"DELETED\", entry 7 says \"ACTIVE\"",
            "organization: registration_status.brand is null, entry 7 says \"ACTIVE\"",
            "organization: registration_status.brand_count is 0, entry 7 says 1",
        ],
    )
    .await;
}

#[actix_web::test]
async fn the_deletion_of_a_brand_explains_the_deletion_of_its_campaigns() {
    let stored = Stored::new().await;
    let session = stored.app.session();
    let brand = stored.app.brand().await.id;
    for (name, status) in [
        ("One", RegistrationStatus::Active),
        ("Two", RegistrationStatus::Pending),
    ] {
        operator::registry::add_campaign(&session, brand, name.to_owned(), status)
            .await
            .unwrap();
    }
    operator::registry::delete_brand(&session, brand)
        .await
        .unwrap();
    assert_eq!(
        verify_all(&session.db, Anchors::default()).unwrap().faults,
        []
    );
}

/// Columns that the audit log does not describe, by table.
const UNRECORDED: [(&str, &[&str]); 4] = [
    ("organizations", &["version", "updated_at"]),
    ("api_keys", &["last_used_at"]),
    ("brands", &["created_at", "updated_at"]),
    ("campaigns", &["created_at", "updated_at"]),
];

/// Values that no row of these tests has, by column. Other columns are text.
const VALUES: [(&str, &str); 27] = [
    ("id", "$id:0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3"),
    ("org_id", "{OTHER}"),
    ("brand_id", "$id:0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3"),
    ("kind", "'personal'"),
    ("throughput_tier", "7"),
    ("message_retention_days", "77"),
    ("mms_retention_days", "77"),
    ("is_reseller", "true"),
    ("quiet_hours_enabled", "false"),
    ("quiet_hours_start", "'13:37'"),
    ("quiet_hours_end", "'14:38'"),
    ("quiet_hours_mode", "'defer'"),
    ("auto_replies_enabled", "false"),
    ("missed_call_enabled", "true"),
    ("brand_status", "'PENDING'"),
    ("brand_count", "7"),
    ("campaign_count", "7"),
    ("audit_length", "7"),
    (
        "audit_head",
        "$00000000000000000000000000000000000000000000000000000000000000ff",
    ),
    ("created_at", "$time:1767528000001000"),
    ("revoked_at", "$time:1767528000001000"),
    ("expires_at", "$time:1767528000001000"),
    ("rotated_from", "$id:0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3"),
    (
        "hash",
        "$00000000000000000000000000000000000000000000000000000000000000ff",
    ),
    ("scopes", "'audit:read'"),
    ("status", "'DELETED'"),
    (
        "created_by",
        "'api_key:0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3'",
    ),
];

#[actix_web::test]
async fn a_change_of_any_recorded_column_of_any_table_is_found() {
    let stored = Stored::new().await;
    let rows = [
        ("organizations", "id = {ORG}"),
        ("api_keys", "id = {LIVE_KEY}"),
        ("brands", "id = {BRAND}"),
        ("campaigns", "id = {CAMPAIGN}"),
    ];
    let database = &stored.app.database;
    for (table, row) in rows {
        database.execute(&format!("CREATE TABLE saved AS SELECT * FROM {table}"));
        let unrecorded = UNRECORDED
            .iter()
            .find(|(name, _)| *name == table)
            .unwrap()
            .1;
        for column in database.columns(table) {
            let value = VALUES.iter().find(|(name, _)| *name == column);
            let value = value.map_or("'Other'", |(_, value)| value);
            let found = if unrecorded.contains(&column.as_str()) {
                continue;
            } else {
                stored.found_after(&format!(
                    "UPDATE {table} SET {column} = {value} WHERE {row}"
                ))
            };
            assert_ne!(found.faults, [], "{table}.{column}");
            let restored = format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM saved");
            assert_eq!(stored.found_after(&restored).faults, [], "{table}.{column}");
        }
        database.execute("DROP TABLE saved");
    }
}

#[actix_web::test]
async fn one_organization_is_verified_without_the_others() {
    let stored = Stored::new().await;
    stored.found_after("UPDATE organizations SET name = 'Evil' WHERE id = {OTHER}");
    let of = |org_id| verify(&stored.app.state.db, org_id, Anchors::default()).unwrap();
    assert_eq!(of(stored.app.org_id).faults, []);
    assert_eq!(of(stored.other).faults.len(), 1);
}

#[actix_web::test]
async fn rows_of_an_organization_that_does_not_exist_are_found() {
    let nobody = "$id:0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3";
    for table in ["api_keys", "brands", "campaigns"] {
        let stored = Stored::new().await;
        let found = stored.found_after(&format!("UPDATE {table} SET org_id = {nobody}"));
        let is_named = |text: &str| text.ends_with("no entry creates it");
        assert!(
            found.faults.iter().any(|fault| is_named(&fault.text)),
            "{table}: {found:?}"
        );
    }
}

#[actix_web::test]
async fn an_unreadable_row_is_a_fault_of_its_organization_only() {
    let stored = Stored::new().await;
    let found = stored.found_after(
        "UPDATE organizations SET quiet_hours_start = 'noon' WHERE id = {ORG}; \
         UPDATE organizations SET name = 'Evil' WHERE id = {OTHER}",
    );
    let places: Vec<Option<OrgId>> = found.faults.iter().map(|fault| fault.org_id).collect();
    assert_eq!(places.len(), 2, "{found:?}");
    assert!(places.contains(&Some(stored.app.org_id)) && places.contains(&Some(stored.other)));
}
