//! Verification finds every manual change of the audit log. Goal: no edit, removal, addition or
//! move of a row goes unnoticed. Method: a few changes through both APIs and one manipulation in
//! plain SQL. Then `verify_all` must report an error or fail to read the log.

use quietline::db::Db;
use quietline::domain::audit::chain::Anchors;
use quietline::domain::audit::entry::{AuditEntry, ChainHead};
use quietline::domain::scope::Scope;
use quietline::operator::audit::verify::verify_all;
use serde_json::json;

use super::logs::{COLUMNS, ENTRIES, Logs, insert, is_clean};
use crate::support::TestApp;
use crate::support::database::TestDatabase;

/// Applies each of `manipulations` to an intact log and asserts that verification finds it.
async fn assert_found(manipulations: &[(String, String)]) {
    let logs = Logs::new().await;
    logs.save();
    for (name, sql) in manipulations {
        let sql = sql.replace("ORG", &format!("$id:{}", logs.app.org_id));
        let sql = sql.replace("OTHER", &format!("$id:{}", logs.other));
        logs.execute(&sql);
        let found = logs.verify();
        assert!(!is_clean(&found), "{name} was not found: {sql}: {found:?}");
        logs.restore();
        let restored = logs.verify();
        assert!(is_clean(&restored), "after {name}: {restored:?}");
    }
}

async fn assert_each_found(manipulations: &[(&str, &str)]) {
    let owned = |(name, sql): &(&str, &str)| ((*name).to_owned(), (*sql).to_owned());
    assert_found(&manipulations.iter().map(owned).collect::<Vec<_>>()).await;
}

#[actix_web::test]
async fn after_any_mix_of_changes_every_log_is_intact() {
    let logs = Logs::new().await;
    let found = logs.verify().unwrap();
    assert_eq!(found.faults, []);
    assert_eq!((found.organizations, found.entries), (2, ENTRIES + 5));
}

#[actix_web::test]
async fn every_entry_has_its_own_hash_and_that_of_the_previous_entry() {
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

/// SQLite stores any value in any column. The filters of the API would miss such an entry.
#[actix_web::test]
async fn a_value_that_reads_the_same_but_compares_differently_is_found_on_sqlite() {
    if matches!(TestDatabase::create(), TestDatabase::Postgres { .. }) {
        return;
    }
    const UNTOUCHED: [&str; 6] = [
        "org_id",
        "seq",
        "occurred_at",
        "reason",
        "previous_hash",
        "hash",
    ];
    let texts = COLUMNS.map(|(name, _)| (name, format!("CAST({name} AS BLOB)")));
    let texts = texts
        .into_iter()
        .filter(|(name, _)| !UNTOUCHED.contains(name));
    let others = [
        ("seq", "'x'"),
        ("seq", "4.5"),
        ("reason", "x''"),
        ("hash", "CAST(hash AS TEXT)"),
        ("org_id", "CAST(org_id AS TEXT)"),
        ("occurred_at", "CAST(occurred_at AS BLOB)"),
        ("occurred_at", "occurred_at || 'x'"),
        ("occurred_at", "occurred_at + 0.5"),
    ];
    let others = others.map(|(name, value)| (name, value.to_owned()));
    let manipulations: Vec<(String, String)> = texts
        .chain(others)
        .map(|(name, value)| {
            let sql =
                format!("UPDATE audit_log SET {name} = {value} WHERE org_id = ORG AND seq = 4");
            (format!("{name} = {value}"), sql)
        })
        .collect();
    assert_found(&manipulations).await;
}

/// An organization id of another type or length sorts elsewhere, and verification must still visit
/// it.
#[actix_web::test]
async fn an_organization_whose_id_is_not_16_bytes_is_found_on_sqlite() {
    if matches!(TestDatabase::create(), TestDatabase::Postgres { .. }) {
        return;
    }
    let ids = ["CAST(ORG AS TEXT)", "x'000001'", "x''", "7", "'ffffffff'"];
    let manipulations = ids.map(|id| {
        let sql = format!(
            "UPDATE audit_log SET org_id = {id} WHERE org_id = ORG; \
             UPDATE organizations SET id = {id} WHERE id = ORG"
        );
        (format!("an id {id}"), sql)
    });
    assert_found(&manipulations).await;
}

#[actix_web::test]
async fn the_smallest_edits_are_found() {
    assert_each_found(&[
        (
            "a shifted time",
            "UPDATE audit_log SET occurred_at = $time:1767528001000000 WHERE seq = 2",
        ),
        (
            "an emptied reason",
            "UPDATE audit_log SET reason = 'None' WHERE seq = 2",
        ),
        (
            "a letter",
            "UPDATE audit_log SET payload = replace(payload, '60', '61') WHERE seq = 3",
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
async fn moved_and_duplicate_rows_are_found() {
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
            copy("OTHER", "6", "seq = 6"),
        ),
        (
            "entries copied to an unknown log",
            copy("$id:0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3", "seq", "seq < 9"),
        ),
        (
            "an entry moved to another log",
            "UPDATE audit_log SET org_id = OTHER, seq = 6 WHERE org_id = ORG AND seq = 8".into(),
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
            "UPDATE organizations SET id = $id:0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3 \
             WHERE id = ORG",
        ),
    ])
    .await;
}

#[actix_web::test]
async fn a_forged_entry_with_the_right_hashes_is_found() {
    let logs = Logs::new().await;
    logs.save();
    let last = logs.entries().await.pop().unwrap();
    let places = [
        (ENTRIES + 1, last.hash),
        (0, [0; 32]),
        (-1, [0; 32]),
        (i64::MIN, [0; 32]),
        (i64::MAX, last.hash),
    ];
    for (seq, previous_hash) in places {
        let mut forged = AuditEntry {
            seq,
            previous_hash,
            ..last.clone()
        };
        forged.hash = forged.digest();
        logs.execute(&insert(&forged));
        let found = logs.verify();
        assert!(!is_clean(&found), "entry {seq} was not found");
        logs.restore();
    }
    let mut forged = AuditEntry {
        payload: r#"{"before":{},"after":{}}"#.to_owned(),
        ..last
    };
    forged.hash = forged.digest();
    logs.execute(&format!(
        "DELETE FROM audit_log WHERE org_id = $id:{} AND seq = 8",
        forged.org_id
    ));
    logs.execute(&insert(&forged));
    assert!(!is_clean(&logs.verify()), "the last entry was replaced");
    logs.restore();
    assert!(is_clean(&logs.verify()));
}

#[actix_web::test]
async fn a_forged_entry_of_an_organization_without_changes_is_found() {
    let app = TestApp::new().await;
    let logs = Logs {
        other: app.org_id,
        app,
    };
    let creation = logs.entries().await.remove(0);
    let mut forged = AuditEntry {
        seq: 2,
        previous_hash: creation.hash,
        ..creation
    };
    forged.hash = forged.digest();
    assert!(is_clean(&logs.verify()));
    logs.execute(&insert(&forged));
    assert!(!is_clean(&logs.verify()));
}

#[actix_web::test]
async fn another_server_verifies_the_log_too() {
    let logs = Logs::new().await;
    let second = Db::open(&logs.app.database.url(), 1).unwrap();
    assert!(is_clean(&verify_all(&second, Anchors::default())));
}

#[actix_web::test]
async fn a_log_of_many_pages_is_verified_to_its_end() {
    let app = TestApp::new().await;
    let key = app.api_key(&[Scope::OrgAdminWrite]).await;
    for number in 0..1_001 {
        let body = json!({ "name": format!("{number}") });
        assert_eq!(app.patch(&key, body).await.status, 200);
    }
    let found = verify_all(&app.state.db, Anchors::default()).unwrap();
    assert_eq!((found.entries, found.faults.len()), (1_003, 0));
    app.database.drop_triggers();
    app.database
        .execute("UPDATE audit_log SET action = 'x' WHERE seq = 1001");
    let found = verify_all(&app.state.db, Anchors::default()).unwrap();
    assert_eq!((found.entries, found.faults.len()), (1_000, 1));
}
