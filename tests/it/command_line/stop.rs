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
    let alive = server.connect().get("/healthz", "");
    assert_eq!(alive.status, 200);
    assert_eq!(alive.header("connection"), Some("close"));
    let (status, _) = server.wait();
    assert_eq!(status.code(), Some(0));
    assert!(started.elapsed() >= DRAIN);
    let log = program.log();
    let not_ready = "route=/readyz status=503 ";
    assert!(log.contains(not_ready), "{log}");
    assert!(
        log.contains("cause=\"the server is shutting down\""),
        "{log}"
    );
    assert!(!log.contains("ERROR"), "{log}");
}

/// Requests until the server announces the end of the connection.
fn request_until_close(mut connection: Connection, key: &str) {
    loop {
        let response = connection.get(ORGANIZATION, key);
        assert_eq!(response.status, 200, "{response:?}");
        if response.header("connection") == Some("close") {
            return;
        }
    }
}

#[test]
fn a_drain_of_a_second_loses_no_request_of_a_busy_connection() {
    let program = Program::new();
    let org = program.organization("One");
    let (_, key) = program.key(&org, "org:read");
    let server = program.serve_with(&["--drain-seconds", "1"]);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            let (mut connection, key) = (server.connect(), &key);
            assert_eq!(connection.get(ORGANIZATION, key).status, 200);
            scope.spawn(|| request_until_close(connection, key));
        }
        server.signal(Signal::TERM);
    });
    let (status, _) = server.wait();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn sighup_never_ends_the_server() {
    let (program, mut server, key) = server_with_key();
    let mut connection = server.connect();
    server.signal(Signal::HUP);
    program.wait_for_log("SIGHUP: reading the keys of tokens again");
    server.assert_runs_on(Duration::from_millis(200));
    assert_eq!(connection.get(ORGANIZATION, &key).status, 200);
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
