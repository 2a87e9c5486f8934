//! Clients that send slowly or not at all: they time out, and other clients do not wait.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::http_client::{expecting_head, head};
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
fn a_body_that_takes_more_than_ten_seconds_is_refused_with_408_and_changes_nothing() {
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
        "other clients do not wait"
    );
    let response = slow.response().unwrap();
    let waited = started.elapsed();
    assert!((9..13).contains(&waited.as_secs()), "{waited:?}");
    assert_eq!(response.status, 408, "{response:?}");
    let error = &response.json()["error"];
    assert_eq!(error["code"], "REQUEST_TIMEOUT");
    assert_eq!(
        error["request_id"],
        response.header("x-request-id").unwrap()
    );
    assert_eq!(server.connect().get(ORGANIZATION, &key).body, before.body);
}

#[test]
fn a_slow_body_is_limited_in_total_time() {
    let (program, server, _) = server_with_key();
    let org = program.organization("Two");
    let token = program.run(&["token", "--role", "SUPERADMIN"]).stdout;
    let path = format!("/api/organizations/{org}/missed-call-message");
    let mut slow = server.connect();
    let started = Instant::now();
    slow.send(&head("PUT", &path, token.trim(), 1000)).unwrap();
    // The client keeps sending, so a timeout between two reads would never expire.
    while started.elapsed() < Duration::from_secs(12) && slow.send(" ").is_ok() {
        std::thread::sleep(Duration::from_millis(500));
    }
    let response = slow.response().unwrap();
    assert_eq!(response.status, 408, "{response:?}");
    assert_eq!(response.json()["error"], "Request timeout");
}

#[test]
fn slow_headers_close_the_connection_after_five_seconds() {
    let (_program, server, key) = server_with_key();
    let mut slow = server.connect();
    let started = Instant::now();
    slow.send("GET /v1/organization HTTP/1.1\r\nHost: te")
        .unwrap();
    let mut other = server.connect();
    assert_eq!(other.get(ORGANIZATION, &key).status, 200);
    // The response does not matter. The connection must close.
    let rest = slow.rest().unwrap_or_default();
    let waited = started.elapsed();
    assert!((4..8).contains(&waited.as_secs()), "{waited:?}: {rest}");
    assert!(
        rest.is_empty() || rest.starts_with("HTTP/1.1 408"),
        "{rest}"
    );
}

#[test]
fn an_unread_chunked_body_closes_the_connection() {
    let (_program, server, _) = server_with_key();
    for (line, more) in [
        ("GET /healthz", ""),
        ("GET /healthz", "Connection: Upgrade\r\n"),
        ("PATCH /v1/organization", ""),
    ] {
        let started = Instant::now();
        let mut slow = server.connect();
        let framing = "Transfer-Encoding: chunked";
        let head = format!("{line} HTTP/1.1\r\nHost: test\r\n{more}{framing}\r\n\r\n");
        slow.send(&head).unwrap();
        let response = slow.response().unwrap();
        assert_eq!(response.header("connection"), Some("close"), "{line}");
        while started.elapsed() < Duration::from_secs(5) && slow.send("1\r\nx\r\n").is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
        let waited = started.elapsed();
        assert!(waited < Duration::from_secs(5), "{line}: {waited:?}");
    }
}

#[test]
fn a_refusal_keeps_the_connection_of_a_small_body() {
    let (_program, server, key) = server_with_key();
    let mut connection = server.connect();
    let largest = format!("{{\"name\":\"{}\"}}", "x".repeat(65_525));
    for (method, path, token, body, status) in [
        ("PATCH", ORGANIZATION, "wrong", r#"{"name":"x"}"#, 401),
        ("PATCH", ORGANIZATION, "wrong", &largest, 401),
        ("PATCH", "/no/such/path", &key, "{}", 404),
        ("DELETE", ORGANIZATION, &key, "{}", 405),
        ("POST", "/v1/api-keys", &key, "{}", 403),
        ("GET", "/healthz", "", "{}", 200),
    ] {
        let response = connection.call(method, path, token, body).unwrap();
        assert_eq!(response.status, status, "{method} {path}: {response:?}");
        assert_eq!(response.header("connection"), None, "{method} {path}");
    }
    // In two parts, as many clients send it.
    connection
        .send(&head("PATCH", ORGANIZATION, "wrong", 2))
        .unwrap();
    connection.send("{}").unwrap();
    assert_eq!(connection.response().unwrap().header("connection"), None);
    assert_eq!(connection.get(ORGANIZATION, &key).status, 200);
}

#[test]
fn a_refusal_does_not_wait_for_a_body_and_ends_its_connection() {
    let (_program, server, _) = server_with_key();
    for (length, sent) in [(100, 10), (10_000_000, 70_000), (10_000_000, 0)] {
        let mut slow = server.connect();
        let began = Instant::now();
        let head = head("PATCH", ORGANIZATION, "wrong", length);
        slow.send(&(head + &"x".repeat(sent))).unwrap();
        let response = slow.response().unwrap();
        assert_eq!(response.status, 401, "{response:?}");
        assert_eq!(response.header("connection"), Some("close"));
        // The body would have ten seconds.
        assert!(began.elapsed() < Duration::from_secs(5), "{length}");
        assert_eq!(slow.rest().unwrap(), "");
        assert!(began.elapsed() < Duration::from_secs(9), "{length}");
    }
}

#[test]
fn a_chunked_body_that_was_read_keeps_the_connection_open() {
    let (_program, server, key) = server_with_key();
    let mut connection = server.connect();
    let head = head("PATCH", ORGANIZATION, &key, 0);
    let head = head.trim_end();
    let framing = "Content-Type: application/json\r\nTransfer-Encoding: chunked";
    let chunks = "8\r\n{\"name\":\r\n5\r\n\"Ch\"}\r\n0\r\n\r\n";
    connection
        .send(&format!("{head}\r\n{framing}\r\n\r\n{chunks}"))
        .unwrap();
    let response = connection.response().unwrap();
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.header("connection"), None);
    assert_eq!(
        connection.get(ORGANIZATION, &key).json()["data"]["name"],
        "Ch"
    );
}

/// A server may ignore `Upgrade` (RFC 9110, section 7.8).
#[test]
fn a_protocol_upgrade_is_ignored_and_the_connection_closes() {
    let (_program, server, _) = server_with_key();
    let mut connection = server.connect();
    let ask = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk";
    connection
        .send(&format!(
            "GET /healthz HTTP/1.1\r\nHost: test\r\n{ask}\r\n\r\n"
        ))
        .unwrap();
    let response = connection.response().unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(response.header("connection"), Some("close"));
    assert_eq!(connection.rest().unwrap(), "");
}

#[test]
fn a_request_whose_client_disconnects_is_in_the_access_log() {
    let (program, server, key) = server_with_key();
    let mut gone = server.connect();
    // Closing a socket with unread data makes the system send RST.
    gone.send(&head("GET", ORGANIZATION, &key, 0)).unwrap();
    let head = expecting_head("PATCH", ORGANIZATION, &key, 100);
    gone.send(&head).unwrap();
    gone.wait_for("100 Continue");
    drop(gone);
    program.wait_for_log("method=PATCH");
    server.signal(Signal::TERM);
    server.wait();
    let log = program.log();
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("method=PATCH"))
        .collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("route=- status=- "), "{log}");
    assert!(lines[0].contains("client=127.0.0.1 key=- "), "{log}");
}
