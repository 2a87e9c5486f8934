//! `audit export`, and `audit verify --file` on its output.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::sync::mpsc::{Sender, channel};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::audit::program_with_logs;
use super::http_client::Connection;
use super::program::{Ended, Program, end, text};

/// Returns the lines of an export of all logs.
fn export(program: &Program) -> Vec<Value> {
    parsed(&program.output(&["audit", "export"]))
}

fn parsed(export: &str) -> Vec<Value> {
    let lines = export.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Joins lines to an export.
fn joined(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Verifies a file without a database or a configuration.
fn verify(program: &Program, content: &str) -> Ended {
    let path = program.file("export.jsonl", content);
    end(program.unconfigured(&["audit", "verify", "--json", "--file", &path]))
}

/// Returns the errors found, each with its line and message.
fn faults(ended: &Ended) -> Vec<(u64, String)> {
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    let faults = found["faults"].as_array().unwrap();
    assert_eq!(ended.code, i32::from(!faults.is_empty()), "{ended:?}");
    assert_eq!(found["ok"], faults.is_empty());
    let fault = |fault: &Value| (fault["line"].as_u64().unwrap(), text(fault, "fault"));
    faults.iter().map(fault).collect()
}

/// Computes the hash of an entry from its exported line, as docs/operations/audit-log.md describes.
fn digest(line: &Value) -> String {
    let mut hashed = String::from("18:quietline.audit.v1,");
    let fields = [
        "org_id",
        "seq",
        "id",
        "occurred_at",
        "actor_kind",
        "actor_label",
        "actor_identity",
        "action",
        "resource_type",
        "resource_id",
        "reason",
        "request_id",
        "payload",
        "previous_hash",
    ];
    for field in fields {
        let text = match &line[field] {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Null => {
                hashed.push_str("-,");
                continue;
            }
            other => panic!("{field}: {other}"),
        };
        write!(hashed, "{}:{text},", text.len()).unwrap();
    }
    let digest = Sha256::digest(hashed.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_line_of_an_export_suffices_to_recompute_the_hash_of_its_entry() {
    let (program, one, _) = program_with_logs();
    let attestation = json!({"auto_replies": {"enabled": false, "attestation": "\u{1}é😀\"\\"}});
    let (_, key) = program.key(&one, "org:admin:write");
    let server = program.serve();
    let mut connection = server.connect();
    let response = connection.call("PATCH", "/v1/organization", &key, &attestation.to_string());
    assert_eq!(response.unwrap().status, 200);
    let lines = export(&program);
    let entries: Vec<&Value> = lines
        .iter()
        .filter(|line| line["type"] == "entry")
        .collect();
    assert_eq!(entries.len(), 6);
    for entry in entries {
        assert_eq!(entry["hash"], digest(entry), "{entry}");
        assert_eq!(entry.as_object().unwrap().len(), 16, "{entry}");
    }
}

#[test]
fn an_export_has_the_logs_in_order_with_the_end_of_each_and_of_the_file() {
    let (program, one, two) = program_with_logs();
    let lines = export(&program);
    let kinds: Vec<(&str, &str)> = lines
        .iter()
        .map(|line| {
            (
                line["type"].as_str().unwrap(),
                line["org_id"].as_str().unwrap_or(""),
            )
        })
        .collect();
    let log = |org| [("entry", org), ("entry", org), ("head", org)];
    let expected = [&log(one.as_str())[..], &log(&two), &[("end", "")]].concat();
    assert_eq!(kinds, expected);
    let seqs: Vec<&Value> = lines[..2].iter().map(|line| &line["seq"]).collect();
    assert_eq!(seqs, [1, 2]);
    let head = json!({"type": "head", "org_id": one, "length": 2, "hash": lines[1]["hash"]});
    assert_eq!(lines[2], head);
    assert_eq!(
        lines[6],
        json!({"type": "end", "organizations": 2, "entries": 4})
    );
    let of_two = program.output(&["audit", "export", "--org", &two]);
    let end = json!({"type": "end", "organizations": 1, "entries": 2});
    assert_eq!(parsed(&of_two), [&lines[3..6], &[end]].concat());
    assert_eq!(verify(&program, &of_two).code, 0);
}

#[test]
fn an_export_file_is_readable_by_its_owner_only_and_overwrites_nothing() {
    let (program, ..) = program_with_logs();
    let path = program.folder.path().join("log.jsonl");
    let arguments = ["audit", "export", "--output", "log.jsonl"];
    let said = program.json(&arguments);
    assert_eq!(
        said,
        json!({"file": "log.jsonl", "organizations": 2, "entries": 4})
    );
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let content = fs::read_to_string(&path).unwrap();
    assert_eq!(content, program.output(&["audit", "export"]));
    assert!(program.error_output(&arguments).contains("log.jsonl"));
    assert_eq!(fs::read_to_string(&path).unwrap(), content);
}

#[test]
fn a_file_is_verified_without_a_database_and_without_a_configuration() {
    let (program, ..) = program_with_logs();
    let path = program.file("log.jsonl", &program.output(&["audit", "export"]));
    let elsewhere = Program::new();
    let mut command = elsewhere.unconfigured(&["audit", "verify", "--json", "--file", &path]);
    command.env("QUIETLINE_DATABASE_URL", "no URL at all");
    let ended = end(command);
    assert_eq!(ended.code, 0, "{ended:?}");
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(
        found,
        json!({"ok": true, "organizations": 2, "entries": 4, "faults": []})
    );
    assert_eq!(fs::read_dir(elsewhere.folder.path()).unwrap().count(), 0);

    let mut command = elsewhere.unconfigured(&["audit", "verify", "--file", "-"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let content = fs::read(&path).unwrap();
    child.stdin.take().unwrap().write_all(&content).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).unwrap();
    let expected = "4 entries of 2 organizations are intact (an export has no data to compare)\n";
    assert_eq!(printed, expected);

    let missing = elsewhere.error_output(&["audit", "verify", "--file", "missing.jsonl"]);
    assert!(missing.contains("missing.jsonl"), "{missing}");
}

/// Asserts that this changed export fails verification at `line` with this message.
fn assert_found(program: &Program, changed: &[Value], line: u64, message: &str) {
    let found = faults(&verify(program, &joined(changed)));
    let is_reported = |(at, text): &(u64, String)| *at == line && text.contains(message);
    assert!(
        found.iter().any(is_reported),
        "{message:?} at {line}: {found:#?}"
    );
}

// Each log in these exports has two entries and a head, so the end of the export is line 7.

#[test]
fn an_edit_of_any_line_of_an_export_is_found_at_that_line() {
    const LONG_AGO: &str = "2026-01-04T12:00:00.000000000Z";
    let (program, ..) = program_with_logs();
    let lines = export(&program);
    let edits = [
        (2, "payload", json!("{}"), "entry 2 was edited"),
        (1, "reason", json!(""), "entry 1 was edited"),
        (5, "occurred_at", json!(LONG_AGO), "entry 2 was edited"),
        (1, "occurred_at", json!(LONG_AGO[..19]), "nine decimals"),
        (4, "hash", json!("00"), "64 hexadecimal digits"),
        (5, "previous_hash", lines[4]["hash"].clone(), "link"),
        (1, "org_id", json!("nobody"), "must be a UUID"),
        (1, "comment", json!("?"), "unknown field `comment`"),
        (3, "comment", json!("?"), "unknown field `comment`"),
        (7, "comment", json!("?"), "unknown field `comment`"),
        (1, "type", json!("comment"), "unknown variant `comment`"),
        (3, "length", json!(3), "the organization says 3"),
        (3, "hash", lines[0]["hash"].clone(), "was last written"),
        (7, "entries", json!(5), "its last line says 2 with 5"),
    ];
    for (line, field, value, message) in edits {
        let mut changed = lines.clone();
        changed[line - 1][field] = value;
        assert_found(&program, &changed, line as u64, message);
    }
    for field in lines[0].as_object().unwrap().keys() {
        let mut changed = lines.clone();
        changed[0].as_object_mut().unwrap().remove(field);
        assert_found(&program, &changed, 1, &format!("missing field `{field}`"));
    }
}

#[test]
fn missing_moved_and_duplicate_lines_of_an_export_are_found() {
    type Change = fn(&mut Vec<Value>);
    let changes: [(Change, u64, &str); 18] = [
        (|all| drop(all.remove(0)), 1, "entry 1 is missing"),
        (|all| drop(all.remove(1)), 2, "the log ends at entry 1"),
        (|all| drop(all.remove(2)), 3, "no last line in the export"),
        (|all| drop(all.drain(..2)), 1, "the log ends at entry 0"),
        (|all| drop(all.drain(..3)), 4, "last line says 2 with 4"),
        (|all| drop(all.drain(3..6)), 4, "last line says 2 with 4"),
        (|all| drop(all.pop()), 6, "its last line is missing"),
        (|all| drop(all.drain(4..)), 4, "no last line in the export"),
        (|all| all.clear(), 0, "its last line is missing"),
        (|all| all.swap(0, 1), 1, "entry 1 is missing or moved"),
        (|all| all.swap(1, 2), 2, "the log ends at entry 1"),
        (|all| all.rotate_left(3), 5, "continues after"),
        (|all| all[..6].rotate_left(3), 4, "out of order"),
        (|all| all.insert(1, all[0].clone()), 2, "entry 2"),
        (|all| all.insert(3, all[2].clone()), 4, "occurs twice"),
        (|all| all.insert(6, all[0].clone()), 7, "occurs twice"),
        (|all| all.push(all[0].clone()), 8, "continues after"),
        (|all| all.extend(all.clone()), 8, "continues after"),
    ];
    let (program, ..) = program_with_logs();
    let lines = export(&program);
    for (change, line, message) in changes {
        let mut changed = lines.clone();
        change(&mut changed);
        assert_found(&program, &changed, line, message);
    }
}

#[test]
fn invalid_lines_of_an_export_are_refused_by_number() {
    let (program, ..) = program_with_logs();
    let whole = joined(&export(&program));
    let first = whole.lines().next().unwrap();
    let twice = first.replacen("\"seq\":", "\"seq\":1,\"seq\":", 1);
    let cases = [
        (whole.trim_end().to_owned(), 7, "line is incomplete"),
        (
            whole[..whole.len() - 10].to_owned(),
            7,
            "line is incomplete",
        ),
        (whole.replacen('\n', "\n\n", 1), 2, "cannot be read"),
        (whole.replacen('\n', "\r\n\u{feff}", 1), 2, "cannot be read"),
        (whole.replacen(first, &twice, 1), 1, "duplicate field `seq`"),
        (whole.replacen('{', "[", 1), 1, "cannot be read"),
        (
            format!("{}\n{whole}", "x".repeat(2 * 1024 * 1024)),
            1,
            "longer than",
        ),
        ("\0\n".repeat(1_000), 1, "cannot be read"),
    ];
    for (content, line, message) in cases {
        let found = faults(&verify(&program, &content));
        let is_reported = |(at, text): &(u64, String)| *at == line && text.contains(message);
        assert!(
            found.iter().any(is_reported),
            "{message} at {line}: {found:#?}"
        );
        assert!(found.len() < 4, "{message}: {found:#?}");
    }
}

#[test]
fn an_export_of_a_broken_log_fails_verification_like_the_log() {
    let edits = [
        (
            "UPDATE audit_log SET reason = 'because' WHERE seq = 2",
            "entry 2 was edited",
        ),
        (
            "DELETE FROM audit_log WHERE seq = 2",
            "the log ends at entry 1",
        ),
        ("UPDATE audit_log SET seq = 9 WHERE seq = 2", "entry 9"),
        (
            "UPDATE organizations SET audit_length = 1",
            "the organization says 1",
        ),
    ];
    for (edit, message) in edits {
        let (program, one, _) = program_with_logs();
        program.database.drop_triggers();
        let column = if edit.contains("organizations") {
            "id"
        } else {
            "org_id"
        };
        let joint = if edit.contains("WHERE") {
            "AND"
        } else {
            "WHERE"
        };
        program
            .database
            .execute(&format!("{edit} {joint} {column} = $id:{one}"));
        let in_database = program.run(&["audit", "verify"]);
        let in_file = verify(&program, &program.output(&["audit", "export"]));
        for found in [&in_database, &in_file] {
            assert_eq!(found.code, 1, "{edit}: {found:?}");
            assert!(found.stdout.contains(&one), "{edit}: {found:?}");
        }
        assert_eq!(faults(&in_file).len(), 1, "{edit}: {in_file:?}");
        assert!(
            message.contains("entry 9") || in_file.stdout.contains(message),
            "{in_file:?}"
        );
        assert!(in_database.stdout.contains(message), "{in_database:?}");
    }
}

#[test]
fn an_unreadable_log_does_not_keep_other_logs_out_of_the_export() {
    let (program, one, two) = program_with_logs();
    program.database.drop_triggers();
    let cut = format!("UPDATE audit_log SET hash = $00 WHERE org_id = $id:{one}");
    program.database.execute(&cut);
    let ended = program.run(&["audit", "export"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(
        ended.stderr.contains(&one) && !ended.stderr.contains(&two),
        "{ended:?}"
    );
    let found = faults(&verify(&program, &ended.stdout));
    assert_eq!(found, [(1, "cannot be read: a hash of 1 bytes".to_owned())]);
    assert_eq!(ended.stdout.matches("\"entry\"").count(), 2, "{ended:?}");
}

#[test]
fn entries_before_an_unreadable_entry_are_in_the_export() {
    let (program, one, _) = program_with_logs();
    program.database.drop_triggers();
    program.database.execute(&format!(
        "UPDATE audit_log SET hash = $00 WHERE org_id = $id:{one} AND seq = 2"
    ));
    let export = program.run(&["audit", "export", "--org", &one]).stdout;
    let lines: Vec<&str> = export.lines().collect();
    assert!(lines[0].contains("\"seq\":1"), "{export}");
    assert!(lines[1].contains("\"unreadable\""), "{export}");
}

/// Changes the name repeatedly until the receiver of `written` is dropped.
fn write(mut connection: Connection, key: &str, written: &Sender<()>) {
    for number in 0.. {
        let body = json!({ "name": format!("{number}") }).to_string();
        let response = connection.call("PATCH", "/v1/organization", key, &body);
        assert_eq!(response.unwrap().status, 200);
        if written.send(()).is_err() {
            return;
        }
    }
}

#[test]
fn an_export_while_the_server_writes_verifies() {
    let program = Program::new();
    let org = program.organization("One");
    let (_, key) = program.key(&org, "org:admin:write");
    let server = program.serve();
    let (written, writes) = channel();
    let (address, key) = (server.address.clone(), key.as_str());
    std::thread::scope(|scope| {
        for _writer in 0..2 {
            let (connection, written) = (Connection::open(&address), written.clone());
            scope.spawn(move || write(connection, key, &written));
        }
        let mut lengths = Vec::new();
        for _export in 0..5 {
            // Wait for new writes, so that every export runs while the log grows.
            let _before = writes.try_iter().count();
            assert_eq!(writes.iter().take(20).count(), 20);
            let export = program.output(&["audit", "export"]);
            let verified = verify(&program, &export);
            lengths.push((export.lines().count(), verified));
        }
        drop(writes);
        let all_intact = lengths.iter().all(|(_, verified)| verified.code == 0);
        let all_longer = lengths.windows(2).all(|pair| pair[0].0 < pair[1].0);
        assert!(all_intact && all_longer, "{lengths:?}");
    });
}
