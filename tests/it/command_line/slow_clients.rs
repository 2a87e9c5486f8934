//! Clients that send slowly or not at all: they are told or dropped, and nobody else waits.

use std::time::{Duration, Instant};

use super::http_client::head;
use super::program::{Program, Server};

const ORGANIZATION: &str = "/v1/organization";

fn server_with_key() -> (Program, Server, String) {
    let program = Program::new();
    let org = program.organization("One");
    let (_, key) = program.key(&org, "org:read,org:admin:write");
    let server = program.serve_with(&["--workers", "1"]);
    (program, server, key)
}

#[test]
fn a_body_that_does_not_arrive_in_ten_seconds_is_answered_408_and_changes_nothing() {
    let (_program, server, key) = server_with_key();
    let mut slow = server.connect();
    let started = Instant::now();
    slow.send(&head("PATCH", ORGANIZATION, &key, 100)).unwrap();
    slow.send(r#"{"name":"#).unwrap();
    let mut other = server.connect();
    let before = other.get(ORGANIZATION, &key);
    assert_eq!(before.status, 200);
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "others do not wait"
    );
    let answer = slow.answer().unwrap();
    let waited = started.elapsed();
    assert!((9..13).contains(&waited.as_secs()), "{waited:?}");
    assert_eq!(answer.status, 408, "{answer:?}");
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "REQUEST_TIMEOUT");
    assert_eq!(error["request_id"], answer.header("x-request-id").unwrap());
    assert_eq!(server.connect().get(ORGANIZATION, &key).body, before.body);
}

#[test]
fn a_body_that_drips_is_limited_as_a_whole() {
    let (program, server, _) = server_with_key();
    let org = program.organization("Two");
    let token = program.run(&["token", "--role", "SUPERADMIN"]).stdout;
    let path = format!("/api/organizations/{org}/missed-call-message");
    let mut slow = server.connect();
    let started = Instant::now();
    slow.send(&head("PUT", &path, token.trim(), 1000)).unwrap();
    while started.elapsed() < Duration::from_secs(12) && slow.send(" ").is_ok() {
        std::thread::sleep(Duration::from_millis(500));
    }
    let answer = slow.answer().unwrap();
    assert_eq!(answer.status, 408, "{answer:?}");
    assert_eq!(answer.json()["error"], "Request timeout");
}

#[test]
fn a_head_that_does_not_arrive_in_five_seconds_ends_the_connection() {
    let (_program, server, key) = server_with_key();
    let mut slow = server.connect();
    let started = Instant::now();
    slow.send("GET /v1/organization HTTP/1.1\r\nHost: te")
        .unwrap();
    let mut other = server.connect();
    assert_eq!(other.get(ORGANIZATION, &key).status, 200);
    // Whatever is still said, the connection ends.
    let rest = slow.rest().unwrap_or_default();
    let waited = started.elapsed();
    assert!((4..8).contains(&waited.as_secs()), "{waited:?}: {rest}");
    assert!(
        rest.is_empty() || rest.starts_with("HTTP/1.1 408"),
        "{rest}"
    );
}
