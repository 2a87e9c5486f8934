//! `token`: prints a token that the server accepts, records it, and revokes tokens.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::http_client::head;
use super::program::{Program, Server, end};

fn path(org: &str) -> String {
    format!("/api/organizations/{org}/missed-call-message")
}

/// Waits until the server refuses a token. Panics if it takes longer than a second.
fn assert_refused_soon(server: &Server, org: &str, token: &str) {
    let started = Instant::now();
    loop {
        let sent = Instant::now();
        let response = server.connect().get(&path(org), token);
        if response.status == 401 {
            assert_eq!(
                response.json(),
                json!({"error": "Invalid or expired token"})
            );
            return;
        }
        let is_late = sent.duration_since(started) > Duration::from_secs(1);
        assert!(!is_late, "{response:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn token_prints_only_the_token_with_and_without_json() {
    let program = Program::new();
    program.json(&["org", "create", "--name", "One", "--external-id", "x"]);
    for more in [&[][..], &["--json"]] {
        let arguments = [&["token", "--role", "ADMIN", "--org", "x"], more].concat();
        let ended = program.run(&arguments);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
        let token = ended.stdout.strip_suffix('\n').unwrap();
        let is_bare = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        assert!(
            token.starts_with("eyJ") && token.chars().all(is_bare),
            "{more:?}: {token}"
        );
        assert_eq!(token.split('.').count(), 3);
    }
}

#[test]
fn the_server_accepts_the_token_for_its_role_and_organization() {
    let program = Program::new();
    program.json(&["org", "create", "--name", "One", "--external-id", "one"]);
    let id = program.json(&["org", "show", "one"])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let other = program.organization("Two");
    let server = program.serve();
    let mut connection = server.connect();
    let table = [
        (vec!["--role", "ADMIN", "--org", &id], 200, 403),
        (vec!["--role", "ADMIN", "--org", "one"], 200, 403),
        (vec!["--role", "SUPERADMIN"], 200, 200),
        (
            vec![
                "--role",
                "SUPERADMIN",
                "--name",
                "Jörg 😀",
                "--subject",
                "s",
            ],
            200,
            200,
        ),
        (vec!["--role", "DEPARTMENT_HEAD", "--org", &id], 403, 403),
        (vec!["--role", "SALES_REP", "--org", &id], 403, 403),
        (vec!["--role", "ADMIN"], 403, 403),
        (
            vec!["--role", "ADMIN", "--org", &id, "--ttl", "15m"],
            200,
            403,
        ),
    ];
    for (arguments, own, others) in table {
        let ended = program.run(&[&["token"], &arguments[..]].concat());
        let token = ended.stdout.trim();
        for (organization, expected) in [(&id, own), (&other, others)] {
            let path = format!("/api/organizations/{organization}/missed-call-message");
            let response = connection.get(&path, token);
            assert_eq!(response.status, expected, "{arguments:?}: {response:?}");
        }
    }
}

#[test]
fn a_token_needs_a_secret_and_claims_that_the_server_would_accept() {
    let program = Program::new();
    let ended = end(program.unconfigured(&["token", "--role", "ADMIN"]));
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended:?}");
    assert!(ended.stderr.contains("secret"), "{ended:?}");
    program.output(&["migrate"]);
    let long = "x".repeat(256);
    for subject in ["", "a\nb", &long] {
        let error = program.error_output(&["token", "--role", "ADMIN", "--subject", subject]);
        assert!(
            error.contains("sub must have 1 to 255 characters"),
            "{error}"
        );
    }
    let error = program.error_output(&["token", "--role", "ADMIN", "--org", "unknown"]);
    assert!(
        error.contains("there is no organization \"unknown\""),
        "{error}"
    );
}

#[test]
fn the_audit_entry_names_the_subject_of_the_token() {
    let program = Program::new();
    let id = program.organization("One");
    let server = program.serve();
    let arguments = [
        "token",
        "--role",
        "ADMIN",
        "--org",
        &id,
        "--subject",
        "jane",
    ];
    let token = program.run(&arguments).stdout;
    let path = format!("/api/organizations/{id}/missed-call-message");
    let body = r#"{"missedCallMessage":"Hello"}"#;
    let response = server
        .connect()
        .call("PUT", &path, token.trim(), body)
        .unwrap();
    let expected = json!({"missedCallMessage": "Hello", "missedCallAutoMessageEnabled": false});
    assert_eq!((response.status, response.json()), (200, expected));
    let log = program.json(&["audit", "list", "--org", &id]);
    assert_eq!(log[0]["actor"]["label"], "user:jane (ADMIN)");
    assert_eq!(
        log[0]["request_id"],
        response.header("x-request-id").unwrap()
    );
}

#[test]
fn a_signed_token_is_recorded_before_it_is_shown_and_without_the_token() {
    let program = Program::new();
    let org = program.organization("One");
    let of_org = program.output(&[
        "token",
        "--role",
        "ADMIN",
        "--org",
        &org,
        "--subject",
        "jane",
    ]);
    let of_none = program.output(&["token", "--role", "SUPERADMIN"]);
    let listed = program.json(&["token", "list"]);
    let rows = listed.as_array().unwrap();
    assert_eq!(rows.len(), 2, "{listed}");
    assert_eq!(rows[0]["subject"], "jane");
    assert_eq!(
        (&rows[0]["role"], &rows[0]["org_id"]),
        (&json!("ADMIN"), &json!(org))
    );
    assert_eq!(
        (&rows[1]["role"], &rows[1]["org_id"]),
        (&json!("SUPERADMIN"), &Value::Null)
    );
    let log = program.json(&["audit", "list", "--org", &org]);
    let entry = &log[0];
    assert_eq!(entry["action"], "token.issue", "{log}");
    assert_eq!(
        entry["resource"],
        json!({"type": "token", "id": rows[0]["id"]}),
        "{log}"
    );
    assert_eq!(entry["actor"]["kind"], "platform");
    let after = &entry["payload"]["after"];
    assert_eq!(
        (&after["subject"], &after["role"]),
        (&json!("jane"), &json!("ADMIN"))
    );
    assert_eq!(after["issuer"], Value::Null);
    let export = program.output(&["audit", "export"]);
    for token in [of_org, of_none] {
        for part in token.trim().split('.') {
            assert!(!format!("{listed}{export}").contains(part), "{part}");
        }
    }
    program.output(&["audit", "verify"]);
}

#[test]
fn tokens_without_a_subject_do_not_share_one() {
    let program = Program::new();
    program.output(&["migrate"]);
    for _ in 0..2 {
        program.output(&["token", "--role", "SUPERADMIN"]);
    }
    let listed = program.json(&["token", "list"]);
    let subject = |row: usize| listed[row]["subject"].as_str().unwrap();
    assert!(subject(0).starts_with("command-line-"), "{listed}");
    assert_ne!(subject(0), subject(1));
}

#[test]
fn a_lifetime_of_more_than_24_hours_must_be_asked_for() {
    let program = Program::new();
    program.output(&["migrate"]);
    let token = ["token", "--role", "SUPERADMIN", "--ttl"];
    for (more, code) in [
        (&["24h"][..], 0),
        (&["24h 1s"], 1),
        (&["3650d"], 1),
        (&["3650d", "--long-lived"], 0),
    ] {
        let ended = program.run(&[&token, more].concat());
        assert_eq!(ended.code, code, "{more:?}: {ended:?}");
        assert_eq!(
            ended.stderr.contains("--long-lived"),
            code == 1,
            "{ended:?}"
        );
    }
    let mut command = program.command(&["token", "--role", "SUPERADMIN"]);
    command.env("QUIETLINE_JWT_MAX_LIFETIME", "59m");
    let ended = end(command);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(
        ended.stderr.contains("QUIETLINE_JWT_MAX_LIFETIME"),
        "{ended:?}"
    );
}

#[test]
fn revoked_tokens_of_a_subject_and_of_an_organization_are_refused_within_a_second() {
    let program = Program::new();
    let org = program.organization("One");
    let server = program.serve();
    let sign = |more: &[&str]| {
        let token = program.output(&[&["token", "--role"], more].concat());
        token.trim().to_owned()
    };
    let bob = sign(&["SUPERADMIN", "--subject", "bob"]);
    let jane = sign(&["ADMIN", "--subject", "jane", "--org", &org]);
    let status = |token: &str| server.connect().get(&path(&org), token).status;
    assert_eq!((status(&bob), status(&jane)), (200, 200));
    let revoked = program.json(&["token", "revoke", "--subject", "bob"]);
    assert_refused_soon(&server, &org, &bob);
    assert_eq!(
        (&revoked["subject"], &revoked["issuer"]),
        (&json!("bob"), &Value::Null)
    );
    assert_eq!(status(&jane), 200);
    let before = program.json(&["audit", "list", "--org", &org]);
    let revoked = program.json(&["token", "revoke", "--org", &org]);
    assert_refused_soon(&server, &org, &jane);
    let log = program.json(&["audit", "list", "--org", &org]);
    assert_eq!(
        log.as_array().unwrap().len(),
        before.as_array().unwrap().len() + 1
    );
    assert_eq!(log[0]["action"], "token.revoke", "{log}");
    assert_eq!(
        log[0]["resource"],
        json!({"type": "organization", "id": org}),
        "{log}"
    );
    let listed = program.json(&["token", "revocation", "list"]);
    let rows = listed.as_array().unwrap();
    assert_eq!((rows.len(), &rows[1]), (2, &revoked), "{listed}");
    program.output(&["audit", "verify"]);
    // The issue time of a token is in whole seconds.
    std::thread::sleep(Duration::from_millis(1_000));
    for token in [
        sign(&["SUPERADMIN", "--subject", "bob"]),
        sign(&["ADMIN", "--subject", "jane", "--org", &org]),
    ] {
        assert_eq!(status(&token), 200);
    }
}

#[test]
fn a_revocation_needs_one_target_and_a_time_that_has_come() {
    let program = Program::new();
    let org = program.organization("One");
    let usage: [&[&str]; 5] = [
        &[],
        &["--issuer", "x"],
        &["--subject", "x", "--org", &org],
        &["--org", &org, "--issuer", "x"],
        &["--subject", "x", "--before", "yesterday"],
    ];
    for arguments in usage {
        let ended = program.run(&[&["token", "revoke"], arguments].concat());
        assert_eq!(ended.code, 2, "{arguments:?}: {ended:?}");
    }
    let refused: [&[&str]; 2] = [
        &["--org", "unknown"],
        &["--subject", "x", "--before", "2999-01-01T00:00:00Z"],
    ];
    for arguments in refused {
        program.error_output(&[&["token", "revoke"], arguments].concat());
    }
    assert_eq!(program.json(&["token", "revocation", "list"]), json!([]));
    let earlier = [
        "token",
        "revoke",
        "--subject",
        "x",
        "--before",
        "2026-01-01T00:00:00Z",
    ];
    let revoked = program.json(&earlier);
    assert_eq!(revoked["issued_before"], "2026-01-01T00:00:00Z");
}

#[test]
fn operator_and_reason_of_tokens_and_of_revocations_are_recorded() {
    let program = Program::new();
    let org = program.organization("One");
    let who = ["--as", "ada", "--reason", "stolen phone"];
    let sign = ["token", "--role", "ADMIN", "--org", org.as_str()];
    assert_eq!(program.run(&[&sign[..], &who].concat()).code, 0);
    let revoke = ["token", "revoke", "--subject", "bob"];
    program.json(&[&revoke[..], &who].concat());
    for (list, by) in [
        (&["token", "list"][..], "issued_by"),
        (&["token", "revocation", "list"], "revoked_by"),
    ] {
        let listed = program.json(list);
        assert_eq!(listed[0][by], "command-line:ada", "{listed}");
        assert_eq!(listed[0]["reason"], "stolen phone", "{listed}");
    }
}

#[test]
fn a_revocation_that_matches_no_token_is_refused() {
    let program = Program::new();
    program.organization("One");
    for [subject, issuer] in [
        ["", "https://id.example/"],
        ["bob", ""],
        ["bob", "https://id.example"],
    ] {
        let revoke = ["token", "revoke", "--subject", subject, "--issuer", issuer];
        let issuer_of_servers = ["--jwt-issuer", "https://id.example/"];
        let ended = program.run(&[&revoke[..], &issuer_of_servers].concat());
        assert_ne!(ended.code, 0, "{ended:?}");
    }
    assert_eq!(program.json(&["token", "revocation", "list"]), json!([]));
}

#[test]
fn the_log_of_a_customer_does_not_name_staff_whose_token_was_signed() {
    let program = Program::new();
    let org = program.organization("One");
    let staff = ["--role", "SUPERADMIN", "--subject", "jane@platform.example"];
    let sign = [&["token", "--org", org.as_str()][..], &staff].concat();
    assert_eq!(program.run(&sign).code, 0);
    let exported = program.run(&["audit", "export", "--org", org.as_str()]);
    assert!(exported.stdout.contains("token.issue"), "{exported:?}");
    assert!(!exported.stdout.contains("jane"), "{exported:?}");
}

#[test]
fn a_token_that_is_revoked_while_its_body_arrives_changes_nothing() {
    let program = Program::new();
    let org = program.organization("One");
    let server = program.serve();
    let sign = [
        "token",
        "--role",
        "ADMIN",
        "--org",
        org.as_str(),
        "--subject",
        "bob",
    ];
    let token = program.output(&sign);
    let body = r#"{"missedCallMessage":"changed"}"#;
    let mut slow = server.connect();
    slow.send(&head("PUT", &path(&org), token.trim(), body.len()))
        .unwrap();
    slow.send(&body[..10]).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    program.json(&["token", "revoke", "--subject", "bob"]);
    std::thread::sleep(Duration::from_secs(1));
    slow.send(&body[10..]).unwrap();
    assert_eq!(slow.response().unwrap().status, 401);
}
