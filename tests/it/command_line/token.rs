//! `token`: prints a token that the server accepts.

use serde_json::json;

use super::program::{Program, end};

#[test]
fn token_prints_only_the_token_with_and_without_json() {
    let program = Program::new();
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
    let long = "x".repeat(256);
    for subject in ["", "a\nb", &long] {
        program.error_output(&["token", "--role", "ADMIN", "--subject", subject]);
    }
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
