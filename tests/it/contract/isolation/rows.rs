//! Checks of the database at the end of a run, without the program: all changes of the
//! organization's own callers, and no others.

use std::collections::BTreeSet;

use quietline::domain::audit::chain::Anchors;
use quietline::operator::audit::verify::verify_all;
use serde_json::Value;

use super::responses::of_others;
use super::tenant::Tenant;
use crate::support::TestApp;
use crate::support::database::TestDatabase;

/// Queries that must return no rows, each with what a row would mean.
const NONE: [(&str, &str); 8] = [
    (
        "an entry about another organization",
        "SELECT id AS value FROM audit_log
         WHERE resource_type = 'organization' AND resource_id <> $text:org_id",
    ),
    (
        "an entry about another organization's key",
        "SELECT id AS value FROM audit_log a WHERE resource_type = 'api_key' AND NOT EXISTS
         (SELECT 1 FROM api_keys k WHERE $text:k.id = a.resource_id AND k.org_id = a.org_id)",
    ),
    (
        "an entry about something that nobody here knows",
        "SELECT id AS value FROM audit_log WHERE resource_type NOT IN ('organization', 'api_key')",
    ),
    (
        "an entry of another organization's key",
        "SELECT id AS value FROM audit_log a WHERE actor_identity LIKE 'api_key:%' AND NOT EXISTS
         (SELECT 1 FROM api_keys k
          WHERE $text:k.id = substr(a.actor_identity, 9) AND k.org_id = a.org_id)",
    ),
    (
        "a version that the organization's own log does not explain",
        "SELECT $text:id AS value FROM organizations o WHERE version <>
         (SELECT count(DISTINCT request_id) FROM audit_log a
          WHERE a.org_id = o.id AND a.resource_type = 'organization')",
    ),
    (
        "a key that no key of its organization created",
        "SELECT $text:id AS value FROM api_keys k WHERE created_by <> 'command-line' AND NOT EXISTS
         (SELECT 1 FROM api_keys i
          WHERE $text:i.id = substr(k.created_by, 9) AND i.org_id = k.org_id)",
    ),
    (
        "an idempotency record of another organization's key",
        "SELECT credential AS value FROM idempotency_records r
         WHERE credential LIKE 'api_key:%' AND NOT EXISTS
         (SELECT 1 FROM api_keys k
          WHERE $text:k.id = substr(r.credential, 9) AND k.org_id = r.org_id)",
    ),
    (
        "an idempotency record of neither a key nor a user",
        "SELECT credential AS value FROM idempotency_records
         WHERE credential NOT LIKE 'api_key:%' AND credential NOT LIKE 'user:%'",
    ),
];

/// Columns of organizations with their API names and their SQL: JSON, or text that may be null.
pub const COLUMNS: [(&str, &str); 17] = [
    ("/name", "name"),
    ("/billing_email", "billing_email"),
    ("/message_retention_days", "message_retention_days"),
    ("/mms_retention_days", "mms_retention_days"),
    ("/is_reseller", "is_reseller"),
    ("/quiet_hours/enabled", "quiet_hours_enabled"),
    ("/quiet_hours/start", "quiet_hours_start"),
    ("/quiet_hours/end", "quiet_hours_end"),
    ("/quiet_hours/mode", "quiet_hours_mode"),
    ("/auto_replies/enabled", "auto_replies_enabled"),
    ("/auto_replies/stop_text", "stop_text"),
    ("/auto_replies/help_text", "help_text"),
    ("/auto_replies/start_text", "start_text"),
    ("/missedCallMessage", "missed_call_message"),
    ("/missedCallAutoMessageEnabled", "missed_call_enabled"),
    ("/version", "version"),
    ("/external_id", "external_id"),
];

/// Texts outside the columns above, each with its table.
const TEXTS: [(&str, &str); 7] = [
    ("label", "api_keys"),
    ("created_by", "api_keys"),
    ("actor_label", "audit_log"),
    ("resource_id", "audit_log"),
    ("payload", "audit_log"),
    ("headers", "idempotency_records"),
    ("BODY", "idempotency_records"),
];

/// Panics if a row holds data of another organization or differs from the acknowledged data.
pub async fn check(app: &TestApp, tenants: &[Tenant]) {
    for (what, sql) in NONE {
        let found = app.database.values(sql);
        assert!(found.is_empty(), "{what}: {found:?}");
    }
    app.state.keys.store_uses().await.expect("uses of keys");
    for own in tenants {
        check_settings(&app.database, own);
        check_keys(&app.database, own);
        check_texts(&app.database, own);
        check_log(&app.database, own);
        check_records(&app.database, own);
    }
    let verified = verify_all(&app.state.db, Anchors::default());
    assert_eq!(verified.expect("a result").faults, []);
}

fn check_settings(database: &TestDatabase, own: &Tenant) {
    let mut expected = own.settings.clone();
    for (name, value) in own.missed_call.as_object().unwrap() {
        expected[name] = value.clone();
    }
    expected["version"] = own.version.into();
    expected["external_id"] = own.external_id.as_str().into();
    for (pointer, column) in COLUMNS {
        let expected = match expected.pointer(pointer).expect("a setting") {
            Value::Null => "NULL".to_owned(),
            Value::String(text) => text.clone(),
            Value::Bool(is_true) => u8::from(*is_true).to_string(),
            other => other.to_string(),
        };
        // Booleans are numbers in SQLite and words in PostgreSQL.
        let text = format!("CAST({column} AS TEXT)");
        let sql = format!(
            "SELECT CASE WHEN {column} IS NULL THEN 'NULL' WHEN {text} = 'true' THEN '1'
             WHEN {text} = 'false' THEN '0' ELSE {text} END AS value
             FROM organizations WHERE id = $id:{}",
            own.id
        );
        assert_eq!(database.values(&sql), [expected], "{column}");
    }
}

fn check_keys(database: &TestDatabase, own: &Tenant) {
    let keys = own.keys.iter();
    let expected: BTreeSet<String> = keys
        .map(|key| {
            format!(
                "{} {}",
                key.id,
                if key.is_revoked { "revoked" } else { "live" }
            )
        })
        .collect();
    let sql = "SELECT $text:id || CASE WHEN revoked_at IS NULL THEN ' live' ELSE ' revoked' END
               AS value FROM api_keys";
    assert_eq!(of_organization(database, own, sql), expected, "keys");
    let sql = "SELECT $text:id AS value FROM api_keys WHERE last_used_at IS NOT NULL";
    let used = own.keys.iter().filter(|key| key.is_used);
    let used: BTreeSet<String> = used.map(|key| key.id.clone()).collect();
    let stored = of_organization(database, own, sql);
    assert!(
        stored.is_subset(&used),
        "keys that no caller of the organization has used"
    );
}

fn check_texts(database: &TestDatabase, own: &Tenant) {
    let body = match database {
        TestDatabase::Sqlite(_) => "CAST(body AS TEXT)",
        TestDatabase::Postgres { .. } => "convert_from(body, 'UTF8')",
    };
    for (column, table) in TEXTS {
        let column = if column == "BODY" { body } else { column };
        let sql = format!("SELECT {column} AS value FROM {table}");
        for text in of_organization(database, own, &sql) {
            assert_eq!(of_others(own, &text), None, "{table}: {text}");
        }
    }
}

/// Asserts that every entry has a call of this organization and every change an entry.
fn check_log(database: &TestDatabase, own: &Tenant) {
    let sql = "SELECT request_id || ' ' || actor_identity AS value FROM audit_log
               WHERE actor_identity NOT LIKE 'command-line:%'";
    let changes = own
        .requests
        .iter()
        .filter(|(_, request)| request.has_changed);
    let expected: BTreeSet<String> = changes
        .map(|(id, request)| format!("{id} {}", request.identity))
        .collect();
    assert_eq!(of_organization(database, own, sql), expected, "requests");
}

fn check_records(database: &TestDatabase, own: &Tenant) {
    let sql = "SELECT credential || ' ' || idempotency_key AS value FROM idempotency_records";
    let responses = own.responses.keys();
    let expected: BTreeSet<String> = responses.map(|(who, key)| format!("{who} {key}")).collect();
    assert_eq!(of_organization(database, own, sql), expected, "records");
}

/// Returns the result of `sql` for the organization's rows.
fn of_organization(database: &TestDatabase, own: &Tenant, sql: &str) -> BTreeSet<String> {
    let condition = if sql.contains("WHERE") {
        "AND"
    } else {
        "WHERE"
    };
    let sql = format!("{sql} {condition} org_id = $id:{}", own.id);
    database.values(&sql).into_iter().collect()
}
