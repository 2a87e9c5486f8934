//! API keys created over the API: each plaintext is in one response and nowhere else.

use quietline::domain::api_key::PlaintextApiKey;
use rustix::process::Signal;
use serde_json::json;

use super::program::{Program, text};

/// All columns of the tables that refer to keys, as text.
const ROWS: [&str; 2] = [
    "SELECT $text:id || label || prefix || scopes || created_by AS value FROM api_keys",
    "SELECT id || actor_label || actor_identity || resource_id || payload AS value FROM audit_log",
];

/// Goal: logs, lists and database reveal no key. Method: a server with the most verbose log
/// creates, uses and revokes two keys. Then the test searches for them in everything that remains.
#[test]
fn a_key_is_in_one_response_and_in_no_other_response_log_or_row() {
    let program = Program::new();
    let org = program.organization("One");
    let (_, admin) = program.key(&org, "org:read,apikeys:read,apikeys:write,audit:read");
    let mut command = program.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("QUIETLINE_LOG", "debug");
    let server = program.start(command);
    let mut connection = server.connect();
    let mut call = |method: &str, path: &str, key: &str, body: &str| {
        connection.call(method, path, key, body).unwrap()
    };
    let body = json!({ "label": "New", "scopes": ["org:read"] }).to_string();
    let created = call("POST", "/v1/api-keys", &admin, &body);
    assert_eq!(created.status, 201);
    let path = format!("/v1/api-keys/{}", text(&created.json()["data"], "id"));
    let rotated = call("POST", &format!("{path}/rotate"), &admin, "");
    assert_eq!(rotated.status, 201);
    let first = text(&created.json()["data"], "plaintext");
    let second = text(&rotated.json()["data"], "plaintext");
    assert_eq!(call("GET", "/v1/organization", &first, "").status, 401);
    assert_eq!(call("GET", "/v1/organization", &second, "").status, 200);
    let lists = [
        "/v1/api-keys",
        &path,
        "/v1/audit-log?include=payload",
        "/v1/api-keys?cursor=x",
    ];
    let mut found: Vec<String> = lists
        .map(|path| call("GET", path, &admin, "").body)
        .to_vec();
    let path = format!("/v1/api-keys/{}", text(&rotated.json()["data"], "id"));
    assert_eq!(call("DELETE", &path, &admin, "").status, 204);
    server.signal(Signal::TERM);
    server.wait();
    found.push(program.log());
    found.push(
        program
            .run(&["key", "list", "--org", &org, "--json"])
            .stdout,
    );
    found.push(
        program
            .run(&["audit", "list", "--org", &org, "--json"])
            .stdout,
    );
    found.extend(ROWS.map(|sql| program.database.values(sql).concat()));
    for key in [&admin, &first, &second] {
        let hash = PlaintextApiKey::parse(key).unwrap().hash();
        for secret in [&key[12..], &hex::encode(hash.as_bytes())] {
            let leak = found.iter().find(|text| text.contains(secret));
            assert_eq!(leak, None, "{secret}");
        }
    }
    assert!(
        found.iter().any(|text| text.contains(&first[..12])),
        "the prefix of the key is public"
    );
}

#[test]
fn uses_of_keys_are_stored_by_the_end_of_shutdown() {
    let program = Program::new();
    let org = program.organization("One");
    let (_, key) = program.key(&org, "org:read");
    let server = program.serve();
    assert_eq!(server.connect().get("/v1/organization", &key).status, 200);
    server.signal(Signal::TERM);
    let (status, _) = server.wait();
    assert_eq!(status.code(), Some(0));
    let listed = program.json(&["key", "list", "--org", &org]);
    let last_used_at = text(&listed[0], "last_used_at");
    assert!(last_used_at.ends_with(":00Z"), "{last_used_at}");
}

/// The command line is for operators: its keys neither count towards the limit nor are limited.
#[test]
fn the_command_line_creates_keys_beyond_the_api_limit() {
    let program = Program::new();
    let org = program.organization("One");
    for _ in 0..11 {
        program.key(&org, "org:read");
    }
    let issuers = program
        .database
        .values("SELECT DISTINCT created_by AS value FROM api_keys");
    assert_eq!(issuers, ["command-line"]);
}
