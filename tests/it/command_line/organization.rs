//! `org`, `brand`, `campaign` and `migrate`.

use std::process::Stdio;

use serde_json::{Value, json};

use super::program::{Program, text};

#[test]
fn org_create_prints_the_whole_organization() {
    let program = Program::new();
    let mut created = program.json(&[
        "org",
        "create",
        "--name",
        "  Ünïcode & Söhne 😀 ",
        "--kind",
        "personal",
        "--external-id",
        "65f0c1d2e3a4b5c6d7e8f901",
        "--billing-email",
        "ap@acme.example",
    ]);
    let id = text(&created, "id");
    assert_eq!(id.len(), 36);
    assert!(
        created["created_at"]
            .take()
            .as_str()
            .unwrap()
            .ends_with('Z')
    );
    let expected = json!({
        "id": id,
        "external_id": "65f0c1d2e3a4b5c6d7e8f901",
        "kind": "personal",
        "name": "Ünïcode & Söhne 😀",
        "billing_email": "ap@acme.example",
        "plan": "payg",
        "throughput_tier": 1,
        "message_retention_days": 60,
        "mms_retention_days": 30,
        "is_reseller": false,
        "quiet_hours": {"enabled": false, "start": "21:00", "end": "08:00", "mode": "reject"},
        "auto_replies": {"enabled": true, "stop_text": null, "help_text": null, "start_text": null},
        "missed_call_message": null,
        "missed_call_auto_message_enabled": false,
        "registration_status": {"brand": null, "brand_count": 0, "campaign_count": 0},
        "version": 1,
        "created_at": null,
    });
    assert_eq!(created, expected);
}

#[test]
fn org_show_finds_an_organization_by_either_id_and_org_list_finds_all() {
    let program = Program::new();
    let first = program.json(&["org", "create", "--name", "One", "--external-id", "one"]);
    let second = program.json(&["org", "create", "--name", "Two"]);
    assert_eq!(first["kind"], "commercial");
    assert_eq!(second["external_id"], Value::Null);
    let id = text(&first, "id");
    for name in [id.as_str(), &id.to_uppercase(), "one"] {
        assert_eq!(program.json(&["org", "show", name]), first, "{name}");
    }
    assert_eq!(program.json(&["org", "list"]), json!([first, second]));
}

#[test]
fn without_json_the_output_is_readable_text() {
    let program = Program::new();
    let created = program.run(&["org", "create", "--name", "One"]);
    assert_eq!((created.code, created.stderr.as_str()), (0, ""));
    let listed = program.run(&["org", "list"]);
    assert!(listed.stdout.contains("One"), "{listed:?}");
    let id = listed.stdout.split_whitespace().next().unwrap();
    assert!(created.stdout.contains(id), "{created:?}");
    let shown = program.run(&["org", "show", id]);
    assert_eq!(shown.stdout, created.stdout);
    assert!(
        serde_json::from_str::<Value>(&shown.stdout).is_err(),
        "{shown:?}"
    );
}

#[test]
fn org_create_reports_every_error_at_once() {
    let program = Program::new();
    let error_output = program.error_output(&[
        "org",
        "create",
        "--name",
        " ",
        "--external-id",
        "0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3",
        "--billing-email",
        "nobody",
    ]);
    for field in ["name:", "external_id:", "billing_email:"] {
        assert!(error_output.contains(field), "{field} {error_output}");
    }
    assert_eq!(program.json(&["org", "list"]), json!([]));
}

#[test]
fn an_external_id_is_unique() {
    let program = Program::new();
    program.json(&["org", "create", "--name", "One", "--external-id", "x"]);
    let again = ["org", "create", "--name", "Two", "--external-id", "x"];
    let error_output = program.error_output(&again);
    assert!(error_output.contains("external_id"), "{error_output}");
    assert_eq!(program.json(&["org", "list"]).as_array().unwrap().len(), 1);
}

#[test]
fn an_unknown_organization_fails_every_command() {
    let program = Program::new();
    program.output(&["migrate"]);
    let unknown = "0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3";
    for name in [unknown, "no-such", "a b", ""] {
        let commands: [&[&str]; 6] = [
            &["org", "show", name],
            &[
                "key", "create", "--org", name, "--label", "l", "--scopes", "org:read",
            ],
            &["key", "list", "--org", name],
            &["brand", "add", "--org", name, "--name", "n"],
            &["audit", "verify", "--org", name],
            &["audit", "list", "--org", name],
        ];
        for command in commands {
            let error_output = program.error_output(command);
            assert!(
                error_output.contains("there is no organization"),
                "{command:?}: {error_output}"
            );
        }
    }
}

#[test]
fn brands_and_campaigns_are_added_and_deleted() {
    let program = Program::new();
    let org = program.organization("One");
    let add = [
        "brand", "add", "--org", &org, "--name", "B", "--status", "PENDING",
    ];
    let brand = program.json(&add);
    let id = text(&brand, "id");
    let expected = json!({"id": id, "org_id": org, "name": "B", "status": "PENDING"});
    assert_eq!(brand, expected);
    let campaign = program.json(&["campaign", "add", "--brand", &id, "--name", "C"]);
    assert_eq!(
        (&campaign["brand_id"], &campaign["status"]),
        (&json!(id), &json!("ACTIVE"))
    );
    let status =
        |program: &Program| program.json(&["org", "show", &org])["registration_status"].take();
    let live = json!({"brand": "PENDING", "brand_count": 1, "campaign_count": 1});
    assert_eq!(status(&program), live);
    let deleted = program.json(&["brand", "delete", &id]);
    assert_eq!(deleted["status"], "DELETED");
    assert_eq!(program.json(&["brand", "delete", &id]), deleted, "again");
    let gone = json!({"brand": null, "brand_count": 0, "campaign_count": 0});
    assert_eq!(status(&program), gone);
    let error_output = program.error_output(&["campaign", "add", "--brand", &id, "--name", "D"]);
    assert!(error_output.contains("brand"), "{error_output}");
    program.error_output(&["brand", "delete", "0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3"]);
    program.error_output(&["brand", "add", "--org", &org, "--name", " "]);
}

#[test]
fn a_usage_error_exits_with_code_2_and_changes_nothing() {
    let program = Program::new();
    let org = program.organization("One");
    let commands: [&[&str]; 9] = [
        &[],
        &["no-such-command"],
        &["org", "create"],
        &["org", "create", "--name", "x", "--kind", "company"],
        &[
            "brand", "add", "--org", &org, "--name", "x", "--status", "DELETED",
        ],
        &["key", "create", "--org", &org, "--label", "x"],
        &["token"],
        &["token", "--role", "admin"],
        &["token", "--role", "ADMIN", "--ttl", "soon"],
    ];
    for command in commands {
        let ended = program.run(command);
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (2, ""),
            "{command:?}: {ended:?}"
        );
        assert!(!ended.stderr.is_empty(), "{command:?}");
    }
    assert_eq!(program.json(&["org", "list"]).as_array().unwrap().len(), 1);
    assert_eq!(program.json(&["key", "list", "--org", &org]), json!([]));
}

#[test]
fn migrate_names_the_database_and_can_run_repeatedly_and_concurrently() {
    let program = Program::new();
    let running: Vec<_> = (0..4)
        .map(|_| {
            let mut command = program.command(&["migrate"]);
            command.stdout(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut process in running {
        assert!(process.wait().unwrap().success());
    }
    let migrated = program.json(&["migrate"]);
    assert!(text(&migrated, "database").contains("://"), "{migrated}");
    let migrated = program.run(&["migrate"]);
    assert_eq!(migrated.code, 0);
    assert!(migrated.stdout.contains("up to date"), "{migrated:?}");
}

#[test]
fn help_lists_these_commands_and_no_others() {
    let program = Program::new();
    let mut command = program.unconfigured(&["--help"]);
    let help = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let (_, list) = help.split_once("\nCommands:\n").unwrap();
    let names = list
        .lines()
        .map_while(|line| line.strip_prefix("  "))
        .filter_map(|line| line.split_once(' ').map(|(name, _)| name));
    // Continuation lines start without a command name.
    let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
    let promised = [
        "serve", "migrate", "demo", "org", "key", "brand", "campaign", "token", "audit", "help",
    ];
    assert_eq!(names, promised, "{help}");
    assert!(help.contains("--json"), "{help}");
}
