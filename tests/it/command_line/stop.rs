//! The orderly end: what is under way is finished, nothing new is begun.

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

/// A request that the server has begun with. Its body of `length` bytes is still to be sent.
fn begun_request(server: &Server, key: &str, length: usize) -> Connection {
    let mut connection = server.connect();
    let head = expecting_head("PATCH", ORGANIZATION, key, length);
    connection.send(&head).unwrap();
    assert_eq!(connection.answer().unwrap().status, 100);
    connection
}

/// A client that asks for more than the system keeps for it, and reads nothing of it.
fn unread_answers(server: &Server) -> Connection {
    let mut connection = server.connect();
    let request = head("GET", "/docs/swagger-ui-bundle.js", "", 0);
    connection.send(&request.repeat(20)).unwrap();
    connection.wait_for("HTTP/1.1 200 OK");
    connection
}

fn wait_until_closed(server: &Server) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while TcpStream::connect(&server.address).is_ok() {
        assert!(Instant::now() < deadline, "it still accepts connections");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_request_under_way_is_finished_after_sigterm_and_the_exit_code_is_0() {
    let (program, server, key) = server_with_key();
    let body = json!({"name": "Finished in time"}).to_string();
    let (first, rest) = body.split_at(8);
    let mut connection = begun_request(&server, &key, body.len());
    connection.send(first).unwrap();
    server.signal(Signal::TERM);
    wait_until_closed(&server);
    connection.send(rest).unwrap();
    let answer = connection.answer().unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["data"]["name"], "Finished in time");
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
fn a_server_that_drains_serves_on_and_is_not_ready() {
    const DRAIN: Duration = Duration::from_secs(4);
    let program = Program::new();
    let server = program.serve_with(&["--drain-seconds", &DRAIN.as_secs().to_string()]);
    let started = Instant::now();
    server.signal(Signal::TERM);
    while server.connect().get("/readyz", "").status != 503 {
        assert!(started.elapsed() < DRAIN, "it stays ready");
    }
    assert_eq!(server.connect().get("/healthz", "").status, 200);
    let (status, _) = server.wait();
    assert_eq!(status.code(), Some(0));
    assert!(started.elapsed() >= DRAIN);
}

#[test]
fn whoever_asks_twice_does_not_wait_for_open_requests() {
    for second in [Signal::TERM, Signal::INT] {
        let (_program, mut server, key) = server_with_key();
        let _open = begun_request(&server, &key, 100);
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

/// Goal: the time for open requests ends. Method: no other limit ends an answer that nobody reads.
#[test]
fn a_client_that_never_reads_its_answer_keeps_the_server_for_20_seconds_and_no_longer() {
    let (_program, server, _) = server_with_key();
    let _open = unread_answers(&server);
    let started = Instant::now();
    server.signal(Signal::TERM);
    let (status, _) = server.wait();
    assert_eq!(status.code(), Some(0));
    let waited = started.elapsed();
    assert!((19..25).contains(&waited.as_secs()), "{waited:?}");
}
