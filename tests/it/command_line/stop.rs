//! Graceful shutdown: requests in progress finish, and new requests are refused.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use super::http_client::{Connection, expecting_head, head};
use super::program::{Program, Server};

const ORGANIZATION: &str = "/v1/organization";

fn server_with_key() -> (Program, Server, String) {
    let program = Program::new();
    let org = program.organization("One");
    let (_, key) = program.key(&org, "org:read,org:admin:write");
    let server = program.serve();
    (program, server, key)
}

/// Starts a request that the server is reading. Its body of `length` bytes is not sent yet.
fn started_request(server: &Server, key: &str, length: usize) -> Connection {
    let mut connection = server.connect();
    let head = expecting_head("PATCH", ORGANIZATION, key, length);
    connection.send(&head).unwrap();
    assert_eq!(connection.response().unwrap().status, 100);
    connection
}

/// Opens a client that requests more than the socket buffers hold and reads nothing.
fn unread_responses(server: &Server) -> Connection {
    let mut connection = server.connect();
    let request = head("GET", "/docs/swagger-ui-bundle.js", "", 0);
    connection.send(&request.repeat(20)).unwrap();
    connection.wait_for("HTTP/1.1 200 OK");
    connection
}

fn wait_until_closed(server: &Server) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while TcpStream::connect(&server.address).is_ok() {
        assert!(
            Instant::now() < deadline,
            "the server still accepts connections"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_request_in_progress_finishes_after_sigterm_and_the_exit_code_is_0() {
    let (program, server, key) = server_with_key();
    let body = json!({"name": "Finished in time"}).to_string();
    let (first, rest) = body.split_at(8);
    let mut connection = started_request(&server, &key, body.len());
    connection.send(first).unwrap();
    server.signal(Signal::TERM);
    wait_until_closed(&server);
    connection.send(rest).unwrap();
    let response = connection.response().unwrap();
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.json()["data"]["name"], "Finished in time");
    let (status, _) = server.wait();
    assert_eq!(status.code(), Some(0));
    let log = program.run(&["audit", "verify"]);
    assert_eq!(log.code, 0, "{log:?}");
    let listed = program.json(&["org", "list"]);
    assert_eq!(listed[0]["name"], "Finished in time");
}

#[test]
fn an_idle_server_stops_at_once_on_sigterm_and_on_sigint() {
    for signal in [Signal::TERM, Signal::INT] {
        let (_program, server, key) = server_with_key();
        let mut idle = server.connect();
        assert_eq!(idle.get(ORGANIZATION, &key).status, 200);
        let started = Instant::now();
        server.signal(signal);
        let (status, _) = server.wait();
        assert_eq!(status.code(), Some(0), "{signal:?}");
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{signal:?}: {:?}",
            started.elapsed()
        );
    }
}

#[test]
fn a_draining_server_serves_requests_but_is_not_ready() {
    const DRAIN: Duration = Duration::from_secs(4);
    let program = Program::new();
    let server = program.serve_with(&["--drain-seconds", &DRAIN.as_secs().to_string()]);
    let started = Instant::now();
    server.signal(Signal::TERM);
    while server.connect().get("/readyz", "").status != 503 {
        assert!(started.elapsed() < DRAIN, "the server stays ready");
    }
    assert_eq!(server.connect().get("/healthz", "").status, 200);
    let (status, _) = server.wait();
    assert_eq!(status.code(), Some(0));
    assert!(started.elapsed() >= DRAIN);
}

#[test]
fn a_second_signal_stops_the_server_without_waiting_for_open_requests() {
    for second in [Signal::TERM, Signal::INT] {
        let (_program, mut server, key) = server_with_key();
        let _open = started_request(&server, &key, 100);
        server.signal(Signal::TERM);
        wait_until_closed(&server);
        server.assert_runs_on(Duration::from_secs(1));
        let started = Instant::now();
        server.signal(second);
        let (status, _) = server.wait();
        assert_eq!(status.code(), Some(0), "{second:?}");
        let waited = started.elapsed();
        assert!(waited < Duration::from_secs(5), "{second:?}: {waited:?}");
    }
}

/// Goal: shutdown waits for open requests for a limited time. Method: a response that the client
/// never reads, which no other timeout ends.
#[test]
fn a_client_that_never_reads_its_response_delays_shutdown_by_20_seconds() {
    let (_program, server, _) = server_with_key();
    let _open = unread_responses(&server);
    let started = Instant::now();
    server.signal(Signal::TERM);
    let (status, _) = server.wait();
    assert_eq!(status.code(), Some(0));
    let waited = started.elapsed();
    assert!((19..25).contains(&waited.as_secs()), "{waited:?}");
}
