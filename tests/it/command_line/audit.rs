//! `audit list` and `audit verify`.

use serde_json::{Value, json};

use super::program::{Program, text};

/// Creates two organizations. The log of each has two entries, for the organization and a key.
pub fn program_with_logs() -> (Program, String, String) {
    let program = Program::new();
    let (one, two) = (program.organization("One"), program.organization("Two"));
    for org in [&one, &two] {
        program.key(org, "org:read");
    }
    (program, one, two)
}

#[test]
fn audit_list_shows_complete_entries_newest_first() {
    let (program, one, _) = program_with_logs();
    let log = program.json(&["audit", "list", "--org", &one]);
    let entry = &log[0];
    let fields: Vec<&String> = entry.as_object().unwrap().keys().collect();
    let expected = [
        "action",
        "actor",
        "hash",
        "id",
        "occurred_at",
        "payload",
        "previous_hash",
        "reason",
        "request_id",
        "resource",
        "seq",
    ];
    assert_eq!(fields, expected);
    assert_eq!((&entry["seq"], &log[1]["seq"]), (&json!(2), &json!(1)));
    assert_eq!(entry["previous_hash"], log[1]["hash"]);
    assert_eq!(
        (&entry["actor"]["kind"], &entry["actor"]["label"]),
        (&json!("platform"), &json!("platform"))
    );
    assert_eq!(entry["action"], "api_key.create");
    assert_eq!(entry["resource"]["type"], "api_key");
    assert!(text(entry, "occurred_at").ends_with('Z'), "{entry}");
    let limited = program.json(&["audit", "list", "--org", &one, "--limit", "1"]);
    assert_eq!(limited, json!([entry]));
    let lines = program.run(&["audit", "list", "--org", &one]);
    assert_eq!(
        (lines.code, lines.stdout.lines().count()),
        (0, 2),
        "{lines:?}"
    );
}

#[test]
fn audit_verify_of_intact_logs_succeeds() {
    let (program, one, _) = program_with_logs();
    let all = program.json(&["audit", "verify"]);
    let expected = json!({"ok": true, "organizations": 2, "entries": 4, "faults": []});
    assert_eq!(all, expected);
    let of_one = program.json(&["audit", "verify", "--org", &one]);
    assert_eq!(
        (&of_one["organizations"], &of_one["entries"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(program.run(&["audit", "verify"]).code, 0);
}

#[test]
fn audit_verify_of_a_manipulated_log_fails_and_names_the_organization() {
    let (program, one, two) = program_with_logs();
    let edit =
        format!("UPDATE audit_log SET reason = 'because' WHERE org_id = $id:{one} AND seq = 2");
    program.database.drop_triggers();
    program.database.execute(&edit);
    for arguments in [
        &["audit", "verify"][..],
        &["audit", "verify", "--org", &one],
    ] {
        let people = program.run(arguments);
        assert_eq!(people.code, 1, "{people:?}");
        assert!(
            people.stdout.contains(&one) && !people.stdout.contains(&two),
            "{people:?}"
        );
        let ended = program.run(&[arguments, &["--json"]].concat());
        assert_eq!(ended.code, 1, "{ended:?}");
        let found: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(found["ok"], false);
        assert_eq!(found["faults"].as_array().unwrap().len(), 1, "{found}");
        assert_eq!(found["faults"][0]["org_id"], one);
    }
    assert_eq!(program.run(&["audit", "verify", "--org", &two]).code, 0);
}

#[test]
fn audit_verify_finds_the_entries_of_a_deleted_organization() {
    let (program, one, _) = program_with_logs();
    let remove = format!("DELETE FROM organizations WHERE id = $id:{one}");
    program.database.drop_triggers();
    program.database.execute_unchecked(&remove);
    let ended = program.run(&["audit", "verify"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stdout.contains(&one), "{ended:?}");
}

#[test]
fn an_empty_database_has_nothing_to_verify() {
    let program = Program::new();
    program.output(&["migrate"]);
    let found = program.json(&["audit", "verify"]);
    assert_eq!(
        found,
        json!({"ok": true, "organizations": 0, "entries": 0, "faults": []})
    );
}

#[test]
fn audit_list_continues_before_a_given_entry() {
    let (program, one, _) = program_with_logs();
    let first = program.json(&["audit", "list", "--org", &one, "--limit", "1"]);
    let seq = first[0]["seq"].to_string();
    let rest = program.json(&["audit", "list", "--org", &one, "--before", &seq]);
    assert_eq!((&first[0]["seq"], &rest[0]["seq"]), (&json!(2), &json!(1)));
    assert_eq!(rest.as_array().unwrap().len(), 1);
}
