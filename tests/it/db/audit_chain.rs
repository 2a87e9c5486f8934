//! Whatever is done to the audit log by hand is found. Goal: no edit, removal, addition or move of
//! a row goes unnoticed. Method: a few changes through both APIs, one manipulation with plain SQL,
//! and `verify_all` has to name a fault or be unable to read the log.

use quietline::app::audit_verification::{Summary, verify_all};
use quietline::db::{self, Db};
use quietline::domain::access::{Role, Scope};
use quietline::domain::audit::{AuditEntry, ChainHead, hex};
use quietline::domain::ids::OrgId;
use quietline::domain::organization::OrganizationKind;
use quietline::error::Error;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use crate::support::TestApp;
use crate::support::database::TestDatabase;

/// Every column of `audit_log`, with a value that no entry of these tests has.
const COLUMNS: [(&str, &str); 15] = [
    ("org_id", "'0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3'"),
    ("seq", "77"),
    ("id", "'01JTBQH2FZ8K1RXC0WJ4Z9P3VM'"),
    ("occurred_at", "'2026-01-04 12:00:00.001'"),
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

/// An application whose two organizations have a few entries each, made through both APIs.
struct Logs {
    app: TestApp,
    other: OrgId,
}

/// Entries in the first organization's log: two keys and six changes.
const ENTRIES: i64 = 8;

impl Logs {
    async fn new() -> Self {
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
        let _second_key = app.api_key(&[Scope::OrgRead]).await;
        for name in ["One", "Two", "Three"] {
            assert_eq!(
                app.patch(&others_key, json!({"name": name})).await.status,
                200
            );
        }
        let off = json!({"missedCallMessage": ""});
        assert_eq!(app.put(&app.jwt(Role::Admin), off).await.status, 200);
        Self { app, other }
    }

    fn execute(&self, sql: &str) {
        self.app.database.execute_unchecked(&self.literal(sql));
    }

    /// Writes `$<hex digits>` as a literal of the database in use.
    fn literal(&self, sql: &str) -> String {
        let Some((before, rest)) = sql.split_once('$') else {
            return sql.to_owned();
        };
        let digits = rest.chars().take_while(char::is_ascii_hexdigit).count();
        let (hex, after) = rest.split_at(digits);
        let literal = match &self.app.database {
            TestDatabase::Sqlite(_) => format!("x'{hex}'"),
            TestDatabase::Postgres { .. } => format!("'\\x{hex}'"),
        };
        format!("{before}{literal}{}", self.literal(after))
    }

    async fn entries(&self) -> Vec<AuditEntry> {
        let org_id = self.app.org_id.clone();
        let list = move |conn: &mut _| db::audit_log::list_oldest(conn, &org_id, 0, 100);
        self.app.state.db.read(list).await.unwrap()
    }

    async fn verify(&self) -> Result<Summary, Error> {
        verify_all(&self.app.state.db).await
    }

    /// Puts every row back as it was.
    fn restore(&self) {
        self.execute(
            "DELETE FROM audit_log; DELETE FROM organizations; \
             INSERT INTO audit_log SELECT * FROM saved_log; \
             INSERT INTO organizations SELECT * FROM saved_organizations",
        );
    }

    fn save(&self) {
        self.execute(
            "CREATE TABLE saved_log AS SELECT * FROM audit_log; \
             CREATE TABLE saved_organizations AS SELECT * FROM organizations",
        );
    }
}

fn is_clean(found: &Result<Summary, Error>) -> bool {
    matches!(found, Ok(found) if found.faults.is_empty())
}

/// Does each of `manipulations` to a log that is whole, and demands that it be found.
async fn assert_found(manipulations: &[(String, String)]) {
    let logs = Logs::new().await;
    logs.save();
    for (name, sql) in manipulations {
        let sql = sql.replace("ORG", &format!("'{}'", logs.app.org_id));
        let sql = sql.replace("OTHER", &format!("'{}'", logs.other));
        logs.execute(&sql);
        let found = logs.verify().await;
        assert!(!is_clean(&found), "{name} was not found: {sql}: {found:?}");
        logs.restore();
        let restored = logs.verify().await;
        assert!(is_clean(&restored), "after {name}: {restored:?}");
    }
}

async fn assert_each_found(manipulations: &[(&str, &str)]) {
    let owned = |(name, sql): &(&str, &str)| ((*name).to_owned(), (*sql).to_owned());
    assert_found(&manipulations.iter().map(owned).collect::<Vec<_>>()).await;
}

#[actix_web::test]
async fn after_any_mix_of_changes_every_log_is_whole() {
    let logs = Logs::new().await;
    let found = logs.verify().await.unwrap();
    let whole = Summary {
        organizations: 2,
        entries: ENTRIES + 4,
        faults: Vec::new(),
    };
    assert_eq!(found, whole);
}

#[actix_web::test]
async fn every_entry_carries_the_hash_of_itself_and_of_the_one_before() {
    let logs = Logs::new().await;
    let mut head = ChainHead::default();
    for entry in logs.entries().await {
        assert_eq!(entry.seq, head.length + 1);
        assert_eq!(entry.previous_hash, head.hash);
        assert_eq!(entry.hash, entry.digest());
        head = entry.head();
    }
    assert_eq!(head, logs.app.stored().await.audit);
}

#[actix_web::test]
async fn an_edit_of_any_column_of_any_row_is_found() {
    let logs = Logs::new().await;
    let sql = match &logs.app.database {
        TestDatabase::Sqlite(_) => "SELECT name AS value FROM pragma_table_info('audit_log')",
        TestDatabase::Postgres { .. } => {
            "SELECT column_name::text AS value FROM information_schema.columns \
             WHERE table_name = 'audit_log' AND table_schema = current_schema() \
             ORDER BY ordinal_position"
        }
    };
    let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        logs.app.database.values(sql),
        names,
        "a new column needs a row above"
    );
    let mut manipulations = Vec::new();
    for (column, value) in COLUMNS {
        for seq in [1, 4, ENTRIES] {
            let condition = format!("WHERE org_id = ORG AND seq = {seq}");
            let sql = format!("UPDATE audit_log SET {column} = {value} {condition}");
            manipulations.push((format!("{column} of entry {seq}"), sql));
        }
    }
    assert_found(&manipulations).await;
}

#[actix_web::test]
async fn small_edits_are_found_like_great_ones() {
    assert_each_found(&[
        (
            "a shifted time",
            "UPDATE audit_log SET occurred_at = '2026-01-04 12:00:01' WHERE seq = 2",
        ),
        (
            "an emptied reason",
            "UPDATE audit_log SET reason = 'None' WHERE seq = 2",
        ),
        (
            "a letter",
            "UPDATE audit_log SET payload = replace(payload, '60', '61') WHERE seq = 2",
        ),
        (
            "white space",
            "UPDATE audit_log SET payload = replace(payload, ':', ': ') WHERE seq = 3",
        ),
        (
            "a text moved",
            "UPDATE audit_log SET actor_kind = '', actor_label = actor_kind || actor_label",
        ),
        (
            "a digit of a hash",
            "UPDATE audit_log SET hash = previous_hash WHERE seq = 2",
        ),
        (
            "a short hash",
            "UPDATE audit_log SET hash = $00 WHERE seq = 2",
        ),
        (
            "an empty hash",
            "UPDATE audit_log SET previous_hash = $ WHERE seq = 2",
        ),
    ])
    .await;
}

#[actix_web::test]
async fn removed_rows_are_found() {
    assert_each_found(&[
        (
            "the first removed",
            "DELETE FROM audit_log WHERE org_id = ORG AND seq = 1",
        ),
        (
            "one in the middle removed",
            "DELETE FROM audit_log WHERE org_id = ORG AND seq = 4",
        ),
        (
            "the last removed",
            "DELETE FROM audit_log WHERE org_id = ORG AND seq = 8",
        ),
        (
            "the last three removed",
            "DELETE FROM audit_log WHERE org_id = ORG AND seq > 5",
        ),
        (
            "the first three removed",
            "DELETE FROM audit_log WHERE org_id = ORG AND seq < 4",
        ),
        ("all removed", "DELETE FROM audit_log WHERE org_id = ORG"),
        ("all of all removed", "DELETE FROM audit_log"),
        (
            "one removed and the others moved up",
            "DELETE FROM audit_log WHERE org_id = ORG AND seq = 4; \
             UPDATE audit_log SET seq = seq - 1 WHERE org_id = ORG AND seq = 5; \
             UPDATE audit_log SET seq = seq - 1 WHERE org_id = ORG AND seq = 6; \
             UPDATE audit_log SET seq = seq - 1 WHERE org_id = ORG AND seq = 7; \
             UPDATE audit_log SET seq = seq - 1 WHERE org_id = ORG AND seq = 8",
        ),
    ])
    .await;
}

#[actix_web::test]
async fn moved_and_doubled_rows_are_found() {
    let columns: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    let copy = |org: &str, seq: &str, from: &str| {
        let rest = columns[2..].join(", ");
        format!(
            "INSERT INTO audit_log (org_id, seq, {rest}) SELECT {org}, {seq}, {rest} \
             FROM audit_log WHERE org_id = ORG AND {from}"
        )
    };
    let swap = |a: i64, b: i64| {
        let set = |from, to| {
            format!("UPDATE audit_log SET seq = {to} WHERE org_id = ORG AND seq = {from}")
        };
        [set(a, -1), set(b, a), set(-1, b)].join("; ")
    };
    let named = |(name, sql): (&str, String)| (name.to_owned(), sql);
    let manipulations = [
        ("neighbours exchanged", swap(3, 4)),
        ("first and last exchanged", swap(1, ENTRIES)),
        (
            "an entry doubled at the end",
            copy("org_id", "9", "seq = 8"),
        ),
        (
            "an entry doubled far away",
            copy("org_id", "1000", "seq = 2"),
        ),
        ("an entry doubled at zero", copy("org_id", "0", "seq = 1")),
        (
            "an entry doubled below zero",
            copy("org_id", "-5", "seq = 1"),
        ),
        (
            "an entry copied to another log",
            copy("OTHER", "5", "seq = 5"),
        ),
        (
            "entries copied to an unknown log",
            copy("'nobody'", "seq", "seq < 9"),
        ),
        (
            "an entry moved to another log",
            "UPDATE audit_log SET org_id = OTHER, seq = 5 WHERE org_id = ORG AND seq = 8".into(),
        ),
        (
            "a whole log moved to another organization",
            "DELETE FROM audit_log WHERE org_id = OTHER; \
             UPDATE audit_log SET org_id = OTHER WHERE org_id = ORG"
                .into(),
        ),
    ];
    assert_found(&manipulations.map(named)).await;
}

#[actix_web::test]
async fn a_manipulated_or_missing_organization_is_found() {
    assert_each_found(&[
        (
            "the organization removed",
            "DELETE FROM organizations WHERE id = ORG",
        ),
        ("all organizations removed", "DELETE FROM organizations"),
        (
            "the length reset",
            "UPDATE organizations SET audit_length = 0 WHERE id = ORG",
        ),
        (
            "the length shortened",
            "UPDATE organizations SET audit_length = 7 WHERE id = ORG",
        ),
        (
            "the length increased",
            "UPDATE organizations SET audit_length = 9 WHERE id = ORG",
        ),
        (
            "the length negative",
            "UPDATE organizations SET audit_length = -1 WHERE id = ORG",
        ),
        (
            "the head cut",
            "UPDATE organizations SET audit_head = $00 WHERE id = ORG",
        ),
        (
            "the head replaced",
            "UPDATE organizations SET audit_head = \
             $00000000000000000000000000000000000000000000000000000000000000ff WHERE id = ORG",
        ),
        (
            "log and head moved back by one, the hash forgotten",
            "DELETE FROM audit_log WHERE org_id = ORG AND seq = 8; \
             UPDATE organizations SET audit_length = 7 WHERE id = ORG",
        ),
        (
            "two heads exchanged",
            "UPDATE organizations SET audit_head = (SELECT audit_head FROM saved_organizations \
             WHERE id = OTHER) WHERE id = ORG",
        ),
        (
            "renamed",
            "UPDATE organizations SET id = 'other' WHERE id = ORG",
        ),
    ])
    .await;
}

/// SQL that adds `entry` with a hash that fits it.
fn insert(entry: &AuditEntry) -> String {
    let text = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let columns: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    let values = [
        text(entry.org_id.as_str()),
        entry.seq.to_string(),
        text(&entry.id),
        text(&entry.occurred_at.format("%F %T%.3f").to_string()),
        text(&entry.actor.kind),
        text(&entry.actor.label),
        text(&entry.actor.identity),
        text(&entry.action),
        text(&entry.resource_type),
        text(&entry.resource_id),
        entry.reason.as_deref().map_or("NULL".to_owned(), text),
        text(&entry.request_id),
        text(&entry.payload),
        format!("${}", hex(&entry.previous_hash)),
        format!("${}", hex(&entry.hash)),
    ];
    format!(
        "INSERT INTO audit_log ({}) VALUES ({})",
        columns.join(", "),
        values.join(", ")
    )
}

#[actix_web::test]
async fn a_forged_entry_with_the_right_hashes_is_found() {
    let logs = Logs::new().await;
    logs.save();
    let last = logs.entries().await.pop().unwrap();
    for (seq, previous_hash) in [(ENTRIES + 1, last.hash), (0, [0; 32]), (-1, [0; 32])] {
        let mut forged = AuditEntry {
            seq,
            previous_hash,
            ..last.clone()
        };
        forged.hash = forged.digest();
        logs.execute(&insert(&forged));
        let found = logs.verify().await;
        assert!(!is_clean(&found), "entry {seq} was not found");
        logs.restore();
    }
    let mut forged = AuditEntry {
        payload: r#"{"before":{},"after":{}}"#.to_owned(),
        ..last
    };
    forged.hash = forged.digest();
    logs.execute(&format!(
        "DELETE FROM audit_log WHERE org_id = '{}' AND seq = 8",
        forged.org_id
    ));
    logs.execute(&insert(&forged));
    assert!(
        !is_clean(&logs.verify().await),
        "the last entry was replaced"
    );
    logs.restore();
    assert!(is_clean(&logs.verify().await));
}

#[actix_web::test]
async fn a_forged_log_of_an_organization_that_has_none_is_found() {
    let app = TestApp::new().await;
    let logs = Logs {
        other: app.org_id.clone(),
        app,
    };
    let pattern = Logs::new().await.entries().await.remove(0);
    let mut forged = AuditEntry {
        org_id: logs.app.org_id.clone(),
        ..pattern
    };
    forged.hash = forged.digest();
    assert!(is_clean(&logs.verify().await));
    logs.execute(&insert(&forged));
    assert!(!is_clean(&logs.verify().await));
}

/// Something done to one row at random, as SQL; never nothing.
fn random_manipulation(random: &mut StdRng) -> String {
    let seq = random.random_range(1..=ENTRIES);
    let condition = format!("WHERE org_id = ORG AND seq = {seq}");
    let (column, value) = COLUMNS[random.random_range(0..COLUMNS.len())];
    match random.random_range(0..6) {
        0 => format!("DELETE FROM audit_log {condition}"),
        1 => format!(
            "UPDATE audit_log SET seq = {} {condition}",
            random.random_range(9..99)
        ),
        2 => format!(
            "UPDATE audit_log SET seq = {} {condition}",
            random.random_range(-99..1)
        ),
        3 => {
            let byte = random.random_range(0..64);
            let column = if random.random() {
                "payload"
            } else {
                "actor_label"
            };
            format!(
                "UPDATE audit_log SET {column} = substr({column}, 1, {byte}) || '~' {condition}"
            )
        }
        4 => {
            let length = random.random_range(-3..ENTRIES);
            format!("UPDATE organizations SET audit_length = {length} WHERE id = ORG")
        }
        _ => format!("UPDATE audit_log SET {column} = {value} {condition}"),
    }
}

#[actix_web::test]
async fn two_hundred_manipulations_at_random_are_found() {
    let seed = rand::random::<u64>();
    let mut random = StdRng::seed_from_u64(seed);
    let name = |number| format!("manipulation {number} of seed {seed}");
    let all: Vec<(String, String)> = (0..200)
        .map(|number| (name(number), random_manipulation(&mut random)))
        .collect();
    assert_found(&all).await;
}

#[actix_web::test]
async fn a_log_is_whole_for_another_server_too() {
    let logs = Logs::new().await;
    let second = Db::open(&logs.app.database.url(), 1).unwrap();
    assert!(is_clean(&verify_all(&second).await));
}

#[actix_web::test]
async fn a_log_of_many_pages_is_verified_to_its_end() {
    let app = TestApp::new().await;
    let key = app.api_key(&[Scope::OrgAdminWrite]).await;
    for number in 0..1_001 {
        let body = json!({ "name": format!("{number}") });
        assert_eq!(app.patch(&key, body).await.status, 200);
    }
    let found = verify_all(&app.state.db).await.unwrap();
    assert_eq!((found.entries, found.faults.len()), (1_002, 0));
    app.database
        .execute("UPDATE audit_log SET action = 'x' WHERE seq = 1001");
    let found = verify_all(&app.state.db).await.unwrap();
    assert_eq!((found.entries, found.faults.len()), (1_000, 1));
}
