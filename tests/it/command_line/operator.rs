//! `--as` and `--reason`: every command that writes records its operator and the reason.

use rustix::process::getuid;
use serde_json::{Value, json};

use super::program::{Program, end, text};

const OPERATOR: [&str; 4] = ["--as", " Ada Lovelace ", "--reason", " ticket 42 "];

fn log(program: &Program, org: &str) -> Vec<Value> {
    let log = program.json(&["audit", "list", "--org", org]);
    log.as_array().unwrap().clone()
}

#[test]
fn every_command_that_writes_records_its_operator_and_the_reason() {
    let program = Program::new();
    let run = |arguments: &[&str]| program.json(&[arguments, &OPERATOR].concat());
    let org = text(&run(&["org", "create", "--name", "One"]), "id");
    let create = ["key", "create", "--org", &org, "--label", "A"];
    let key = run(&[&create[..], &["--scopes", "org:read"]].concat());
    run(&["key", "revoke", &text(&key, "id")]);
    let brand = text(&run(&["brand", "add", "--org", &org, "--name", "B"]), "id");
    let campaign = run(&["campaign", "add", "--brand", &brand, "--name", "C"]);
    run(&["campaign", "delete", &text(&campaign, "id")]);
    run(&["brand", "delete", &brand]);
    let entries = log(&program, &org);
    assert_eq!(entries.len(), 7, "{entries:?}");
    for entry in &entries {
        let actor = json!({
            "kind": "platform",
            "label": "platform",
            "identity": "command-line:Ada Lovelace",
        });
        assert_eq!(
            (&entry["actor"], &entry["reason"]),
            (&actor, &json!("ticket 42"))
        );
    }
    let issuers = program
        .database
        .values("SELECT created_by AS value FROM api_keys");
    assert_eq!(issuers, ["command-line"]);
    assert_eq!(program.json(&["audit", "verify"])["ok"], true);
    let listed = program.output(&["audit", "list", "--org", &org]);
    assert_eq!(listed.matches("reason: ticket 42").count(), 7, "{listed}");
}

#[test]
fn customers_see_the_reason_and_never_the_operator() {
    let program = Program::new();
    let org = program.organization("One");
    let create = ["key", "create", "--org", &org, "--label", "A", "--scopes"];
    let key = program.json(&[&create[..], &["audit:read,apikeys:read"], &OPERATOR].concat());
    let server = program.serve();
    let mut connection = server.connect();
    let feed = connection.get("/v1/audit-log?include=payload", &text(&key, "plaintext"));
    let entry = &feed.json()["data"][0];
    assert_eq!(entry["reason"], "ticket 42");
    assert_eq!(
        entry["actor"],
        json!({"kind": "platform", "label": "platform"})
    );
    assert!(!feed.json().to_string().contains("Lovelace"), "{feed:?}");
}

/// `quietline-admin` changes to the server's user by `sudo`, so that the user of the process alone
/// would name no operator.
#[test]
fn the_operator_is_the_user_of_sudo_or_else_of_the_process() {
    let program = Program::new();
    let mut command = program.command(&["org", "create", "--name", "One", "--json"]);
    command.env("SUDO_USER", "ada");
    let created: Value = serde_json::from_str(&end(command).stdout).unwrap();
    let entry = log(&program, &text(&created, "id")).remove(0);
    assert_eq!(entry["actor"]["identity"], "command-line:ada");
    assert_eq!(entry["reason"], Value::Null);

    let mut names = program.other_command("/usr/bin/id", &["-un"]);
    let name = String::from_utf8(names.output().unwrap().stdout).unwrap();
    let expected = match name.trim() {
        "" => format!("command-line:uid {}", getuid().as_raw()),
        name => format!("command-line:{name}"),
    };
    let org = program.organization("Two");
    let entry = log(&program, &org).remove(0);
    assert_eq!(entry["actor"]["identity"], expected);
}

#[test]
fn an_operator_and_a_reason_are_one_line_of_at_most_200_characters() {
    let program = Program::new();
    let org = program.organization("One");
    let too_long = "x".repeat(201);
    for flag in ["--as", "--reason"] {
        for bad in ["", " ", "a\nb", too_long.as_str()] {
            let add = ["brand", "add", "--org", &org, "--name", "B", flag, bad];
            let ended = program.run(&add);
            assert_eq!(ended.code, 2, "{flag} {bad:?}: {ended:?}");
            assert!(ended.stderr.contains("1 to 200 characters"), "{ended:?}");
        }
    }
    assert_eq!(log(&program, &org).len(), 1);
}

#[test]
fn commands_that_only_read_have_neither() {
    let program = Program::new();
    let org = program.organization("One");
    for arguments in [&["org", "show", &org][..], &["key", "list", "--org", &org]] {
        for flag in ["--as", "--reason"] {
            let ended = program.run(&[arguments, &[flag, "x"]].concat());
            assert_eq!(ended.code, 2, "{ended:?}");
        }
    }
}
