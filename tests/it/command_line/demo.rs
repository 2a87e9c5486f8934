//! `demo`: creates one organization to try the APIs, and can be repeated.

use std::process::Stdio;

use serde_json::{Value, json};

use super::program::{Program, text};

#[test]
fn demo_prints_an_organization_with_keys_and_tokens_that_the_server_accepts() {
    let program = Program::new();
    let demo = program.json(&["demo"]);
    let id = text(&demo["organization"], "id");
    let (admin, reader) = (text(&demo["keys"], "admin"), text(&demo["keys"], "reader"));
    let server = program.serve();
    let body = r#"{"name":"Acme Health Group"}"#;
    let patch = |key: &str| {
        // A refusal before the body is read closes the connection.
        server
            .connect()
            .call("PATCH", "/v1/organization", key, body)
            .unwrap()
            .status
    };
    assert_eq!((patch(&admin), patch(&reader)), (200, 403));
    assert_eq!(
        server.connect().get("/v1/organization", &reader).json()["data"]["id"],
        id
    );
    let path = format!("/api/organizations/{id}/missed-call-message");
    for role in ["admin", "superadmin"] {
        let token = text(&demo["tokens"], role);
        assert_eq!(server.connect().get(&path, &token).status, 200, "{role}");
    }
}

#[test]
fn repeated_demo_shows_the_same_organization_and_keys_without_duplicates() {
    let program = Program::new();
    let first = program.json(&["demo"]);
    let second = program.json(&["demo"]);
    assert_eq!(second["organization"], first["organization"]);
    assert_eq!(second["keys"], first["keys"]);
    let id = text(&first["organization"], "id");
    assert_eq!(program.json(&["org", "list"]).as_array().unwrap().len(), 1);
    assert_eq!(
        program
            .json(&["key", "list", "--org", &id])
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        first["organization"]["registration_status"]["brand_count"],
        1
    );
    let log = program.json(&["audit", "list", "--org", &id]);
    let actions = log.as_array().unwrap().iter().map(|entry| &entry["action"]);
    let actions = actions.filter(|action| **action != "token.issue");
    let expected = [
        "api_key.create",
        "api_key.create",
        "brand.create",
        "organization.create",
    ];
    assert!(actions.eq(expected), "{log}");
}

#[test]
fn demo_replaces_a_revoked_key_and_keeps_changed_settings() {
    let program = Program::new();
    let first = program.json(&["demo"]);
    let id = text(&first["organization"], "id");
    let keys = program.json(&["key", "list", "--org", &id]);
    let is_admin = |key: &&Value| key["scopes"].as_array().unwrap().len() > 1;
    let admin = keys.as_array().unwrap().iter().find(is_admin).unwrap();
    program.json(&["key", "revoke", &text(admin, "id")]);
    let second = program.json(&["demo"]);
    assert_ne!(second["keys"]["admin"], first["keys"]["admin"]);
    assert_eq!(second["keys"]["reader"], first["keys"]["reader"]);
    assert_eq!(program.json(&["demo"])["keys"], second["keys"]);
}

#[test]
fn concurrent_demos_create_one_organization() {
    let program = Program::new();
    program.json(&["migrate"]);
    let running: Vec<_> = (0..3)
        .map(|_| {
            let mut command = program.command(&["demo"]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().unwrap()
        })
        .collect();
    for mut process in running {
        // The losers of the race may fail, but must not create anything twice.
        process.wait().unwrap();
    }
    let demo = program.json(&["demo"]);
    assert_eq!(program.json(&["org", "list"]).as_array().unwrap().len(), 1);
    let id = text(&demo["organization"], "id");
    assert_eq!(
        program
            .json(&["key", "list", "--org", &id])
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn without_json_demo_prints_curl_commands_for_both_dialects() {
    let program = Program::new();
    let ended = program.run(&["demo", "--listen", "127.0.0.1:9999"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    for part in [
        "curl ",
        "127.0.0.1:9999/v1/organization",
        "127.0.0.1:9999/api/organizations/",
        "\nKEY=am_live_",
        "\nTOKEN=ey",
        "\nORGANIZATION=",
    ] {
        assert!(ended.stdout.contains(part), "{part}: {}", ended.stdout);
    }
}

#[test]
fn demo_without_a_secret_fails_and_leaves_nothing() {
    let program = Program::new();
    program.output(&["migrate"]);
    let mut command = program.command(&["demo"]);
    command.env_remove("QUIETLINE_JWT_SECRET");
    let ended = super::program::end(command);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("QUIETLINE_JWT_SECRET"), "{ended:?}");
    assert_eq!(program.json(&["org", "list"]), json!([]));
}
