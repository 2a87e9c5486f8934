//! Deadlines and limits of connections, on real sockets.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{Resource, getrlimit, setrlimit};

use super::http_client::{Connection, head};
use super::program::{BINARY, Program, Server};

const HEALTH: &str = "/healthz";

/// Opens a connection whose client address is `client`.
fn connect_from(client: [u8; 4], server: &Server) -> Connection {
    let SocketAddr::V4(address) = server.address.parse().unwrap() else {
        panic!("{} is not IPv4", server.address);
    };
    let socket = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        // Servers that other tests start must not inherit the socket.
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::from(client), 0)).unwrap();
    rustix::net::connect(&socket, &address).unwrap();
    Connection::over(TcpStream::from(socket))
}

/// Starts a server that may open `files` files and no more.
fn serve_with_files(program: &Program, files: usize) -> Server {
    serve_after(program, &format!("ulimit -n {files}"))
}

/// Starts a server with two workers after a shell command.
fn serve_after(program: &Program, command: &str) -> Server {
    let serve = format!("exec {BINARY} serve --listen 127.0.0.1:0 --workers 2");
    let script = format!("{command} && {serve}");
    program.start(program.other_command("sh", &["-c", &script]))
}

/// Lets this process open as many files as the system allows.
fn raise_own_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// Sends a byte of a head on every connection, once a second until `end`. A connection that the
/// server has closed is skipped.
fn drip(connections: &mut [Connection], end: Instant) {
    while Instant::now() < end {
        for connection in &mut *connections {
            connection.send("x").unwrap_or_default();
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[test]
fn every_head_of_a_connection_has_five_seconds() {
    let server = Program::new().serve();
    for requests_before in [0, 1, 2] {
        let mut slow = server.connect();
        for _ in 0..requests_before {
            assert_eq!(slow.get(HEALTH, "").status, 200);
        }
        let began = Instant::now();
        slow.send("GET /healthz HTTP/1.1\r\nx: ").unwrap();
        while began.elapsed() < Duration::from_secs(10) && slow.send("x").is_ok() {
            std::thread::sleep(Duration::from_millis(300));
        }
        let waited = began.elapsed();
        assert!(waited < Duration::from_secs(8), "{waited:?}");
        assert!(waited > Duration::from_secs(4), "{waited:?}");
    }
}

#[test]
fn a_late_head_is_answered_408() {
    let server = Program::new().serve();
    let mut slow = server.connect();
    assert_eq!(slow.get(HEALTH, "").status, 200);
    slow.send("GET /healthz HTTP/1.1\r\nHost: te").unwrap();
    let response = slow.response().unwrap();
    assert_eq!(response.status, 408, "{response:?}");
    assert_eq!(response.header("connection"), Some("close"));
    assert_eq!(slow.rest().unwrap(), "");
}

#[test]
fn an_idle_connection_and_requests_in_a_row_have_no_deadline_of_a_head() {
    let server = Program::new().serve();
    let mut connection = server.connect();
    for _ in 0..2 {
        connection
            .send(&head("GET", HEALTH, "", 0).repeat(3))
            .unwrap();
        for _ in 0..3 {
            assert_eq!(connection.response().unwrap().status, 200);
        }
        std::thread::sleep(Duration::from_secs(6));
    }
    assert_eq!(connection.get(HEALTH, "").status, 200);
}

#[test]
fn a_client_that_takes_nothing_of_its_response_is_let_go_after_30_seconds() {
    // Far more than the system keeps for a connection.
    const REQUESTS: usize = 400;
    let server = Program::new().serve();
    let path = "/openapi/agentmessage.json";
    let mut lazy = server.connect();
    lazy.send(&head("GET", path, "", 0).repeat(REQUESTS))
        .unwrap();
    std::thread::sleep(Duration::from_secs(33));
    let mut answers = 0;
    while lazy.response().is_ok() {
        answers += 1;
    }
    assert!(answers > 0 && answers < REQUESTS, "{answers}");
}

#[test]
fn a_client_address_has_a_share_of_the_connections() {
    raise_own_file_limit();
    let program = Program::new();
    let server = serve_with_files(&program, 1024);
    let mut slow: Vec<Connection> = (0..1100).map(|_| server.connect()).collect();
    for connection in &mut slow {
        // Refused ones are closed already.
        connection.send("GET / HTTP/1.1\r\nx: ").unwrap_or_default();
    }
    let began = Instant::now();
    assert_eq!(
        connect_from([127, 0, 0, 2], &server).get(HEALTH, "").status,
        200
    );
    let waited = began.elapsed();
    assert!(waited < Duration::from_secs(4), "{waited:?}");
    program.wait_for_log("127.0.0.1/32 has 256 connections: refused one more");
    assert_eq!(program.log().matches("refused one more").count(), 1);
}

#[test]
fn slow_heads_from_many_addresses_do_not_stop_the_server() {
    raise_own_file_limit();
    let program = Program::new();
    let server = serve_with_files(&program, 1024);
    let mut slow = Vec::new();
    for address in 1..=5 {
        slow.extend((0..220).map(|_| connect_from([127, 0, 1, address], &server)));
    }
    for connection in &mut slow {
        connection.send(&head("GET", HEALTH, "", 0)).unwrap();
    }
    std::thread::scope(|scope| {
        let dripping = Instant::now() + Duration::from_secs(12);
        scope.spawn(move || drip(&mut slow, dripping));
        std::thread::sleep(Duration::from_secs(1));
        // Connections that do not fit wait to be accepted, until those before have timed out.
        assert_eq!(server.connect().get(HEALTH, "").status, 200);
        assert!(Instant::now() < dripping, "the clients have not ended");
    });
    let log = program.log();
    assert!(
        log.contains("at most 928 connections, 256 of one client address"),
        "{log}"
    );
    assert!(!log.contains("Too many open files"), "{log}");
}

#[test]
fn the_soft_limit_of_open_files_is_raised() {
    let program = Program::new();
    let _server = serve_after(&program, "ulimit -Sn 100 && ulimit -Hn 2000");
    program.wait_for_log("with 2000 open files");
}
