//! The orderly end: what is under way is finished, nothing new is begun.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use super::http_client::{Connection, head};
use super::program::{Program, Server};

const ORGANIZATION: &str = "/v1/organization";

fn server_with_key() -> (Program, Server, String) {
    let program = Program::new();
    let org = program.organization("One");
    let (_, key) = program.key(&org, "org:read,org:admin:write");
    let server = program.serve();
    (program, server, key)
}

/// A request that the server has begun with, of whose body the end never comes.
fn unfinished_request(server: &Server, key: &str) -> Connection {
    let mut connection = server.connect();
    connection
        .send(&head("PATCH", ORGANIZATION, key, 100))
        .unwrap();
    connection.send("{").unwrap();
    std::thread::sleep(Duration::from_millis(200));
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
    let mut connection = server.connect();
    connection
        .send(&head("PATCH", ORGANIZATION, &key, body.len()))
        .unwrap();
    connection.send(first).unwrap();
    // The server has begun with it when it has answered a later request of somebody else.
    assert_eq!(server.connect().get(ORGANIZATION, &key).status, 200);
    std::thread::sleep(Duration::from_millis(200));
    server.signal("TERM");
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
    for signal in ["TERM", "INT"] {
        let (_program, server, key) = server_with_key();
        let mut idle = server.connect();
        assert_eq!(idle.get(ORGANIZATION, &key).status, 200);
        let started = Instant::now();
        server.signal(signal);
        let (status, _) = server.wait();
        assert_eq!(status.code(), Some(0), "{signal}");
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{signal}: {:?}",
            started.elapsed()
        );
    }
}

#[test]
fn a_server_that_drains_serves_on_and_is_not_ready() {
    let program = Program::new();
    let server = program.serve_with(&["--drain-seconds", "2"]);
    let started = Instant::now();
    server.signal("TERM");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(server.connect().get("/readyz", "").status, 503);
    assert_eq!(server.connect().get("/healthz", "").status, 200);
    let (status, _) = server.wait();
    assert_eq!(status.code(), Some(0));
    assert!(started.elapsed() >= Duration::from_secs(2));
}

#[test]
fn whoever_asks_twice_does_not_wait_for_open_requests() {
    for second in ["TERM", "INT"] {
        let (_program, server, key) = server_with_key();
        let _open = unfinished_request(&server, &key);
        server.signal("TERM");
        wait_until_closed(&server);
        let started = Instant::now();
        server.signal(second);
        let (status, _) = server.wait();
        assert_eq!(status.code(), Some(0), "{second}");
        let waited = started.elapsed();
        assert!(waited < Duration::from_secs(5), "{second}: {waited:?}");
    }
}

#[test]
fn a_request_that_never_ends_does_not_keep_the_server() {
    let (_program, server, key) = server_with_key();
    let _open = unfinished_request(&server, &key);
    let started = Instant::now();
    server.signal("TERM");
    let (status, _) = server.wait();
    assert_eq!(status.code(), Some(0));
    assert!(
        started.elapsed() < Duration::from_secs(25),
        "{:?}",
        started.elapsed()
    );
}
