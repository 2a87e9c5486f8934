//! `serve`: its output and responses, and its view of changes by other processes.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;
use ulid::Ulid;

use super::http_client::{Connection, head};
use super::program::{BINARY, Program, text};
use crate::support::database::TestDatabase;

#[test]
fn head_on_the_wire_has_the_content_length_of_get_and_no_body() {
    let program = Program::new();
    let org = program.organization("Acme");
    let (_, key) = program.key(&org, "org:read");
    let server = program.serve();
    for (path, token) in [
        ("/v1/organization", key.as_str()),
        ("/v1/organization", "x"),
        ("/healthz", "x"),
        ("/docs/", "x"),
    ] {
        let get = server.connect().get(path, token);
        let mut connection = server.connect();
        let request = head("HEAD", path, token, 0);
        let request = request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        connection.send(&request).unwrap();
        let response = connection.rest().unwrap();
        let (lines, body) = response.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, "", "{path}");
        let status = format!("HTTP/1.1 {} ", get.status);
        assert!(lines.starts_with(&status), "{path}: {lines}");
        let length = format!("content-length: {}\r\n", get.body.len());
        let lines = format!("{}\r\n", lines.to_ascii_lowercase());
        assert!(lines.contains(&length), "{path}: {lines}");
    }
}

#[test]
fn the_configured_rate_limits_and_cors_origins_apply() {
    let program = Program::new();
    let server = program.serve_with(&[
        "--address-failures-per-minute",
        "1",
        "--trusted-proxies",
        "127.0.0.0/8",
        "--cors-origins",
        "https://app.example.com",
    ]);
    let ask = |address: &str| {
        let request = head("GET", "/v1/organization", "x", 0);
        let more = "\r\nOrigin: https://app.example.com\r\nX-Forwarded-For: ";
        let request = request.replace("\r\n\r\n", &format!("{more}{address}\r\n\r\n"));
        let mut connection = server.connect();
        connection.send(&request).unwrap();
        connection.response().unwrap()
    };
    assert_eq!(ask("192.0.2.1").status, 401);
    let refused = ask("192.0.2.1");
    assert_eq!(refused.status, 429);
    let policy = refused.header("ratelimit-policy");
    assert_eq!(policy, Some("\"failed-authentication\";q=1;w=60"));
    let origin = refused.header("access-control-allow-origin");
    assert_eq!(origin, Some("https://app.example.com"));
    assert_eq!(ask("192.0.2.2").status, 401);
}

#[test]
fn where_other_machines_can_connect_limits_are_on_and_a_limit_of_0_is_a_warning() {
    let program = Program::new();
    let org = program.organization("One");
    let (_, key) = program.key(&org, "org:read");
    let limit = |arguments: &[&str]| {
        let server = program.serve_with(arguments);
        let response = server.connect().get("/v1/organization", &key);
        server.signal(Signal::TERM);
        server.wait();
        let policy = response.header("ratelimit-policy").map(str::to_owned);
        (policy, program.log().contains("these rate limits are off"))
    };
    let credential = Some("\"credential\";q=3000;w=60".to_owned());
    let off = ["--address-requests-per-minute", "0"];
    let public = ["--trusted-proxies", "192.0.2.1"];
    assert_eq!(limit(&[]), (None, false));
    assert_eq!(limit(&off), (None, false));
    assert_eq!(limit(&public), (credential.clone(), false));
    assert_eq!(limit(&[public, off].concat()), (credential, true));
    let names = "these rate limits are off: QUIETLINE_ADDRESS_REQUESTS_PER_MINUTE\n";
    assert!(program.log().contains(names), "{}", program.log());
}

#[test]
fn serve_prints_one_line_with_its_address_and_database() {
    let program = Program::new();
    let server = program.serve();
    assert!(
        server.line.contains(&format!("http://{}", server.address)),
        "{}",
        server.line
    );
    assert!(server.address.starts_with("127.0.0.1:") && !server.address.ends_with(":0"));
    let database = match &program.database {
        TestDatabase::Sqlite(_) => program.database.url_text(),
        TestDatabase::Postgres { .. } => "postgres://".to_owned(),
    };
    assert!(server.line.contains(&database), "{}", server.line);
    server.signal(Signal::TERM);
    let (_, rest) = server.wait();
    assert_eq!(rest, "", "one line");
}

#[test]
fn serve_responds_to_probes_and_both_dialects_on_one_connection() {
    let program = Program::new();
    let org = program.organization("One");
    let (_, key) = program.key(&org, "org:read");
    let token = program.run(&["token", "--role", "SUPERADMIN"]).stdout;
    let server = program.serve();
    let mut connection = server.connect();
    let path = format!("/api/organizations/{org}/missed-call-message");
    let table = [
        ("/healthz", "", 200),
        ("/readyz", "", 200),
        ("/v1/organization", key.as_str(), 200),
        ("/v1/organization", "wrong", 401),
        (&path, token.trim(), 200),
        (&path, "wrong", 401),
        ("/no/such/path", "", 404),
    ];
    let mut ids = Vec::new();
    for (path, token, status) in table {
        let response = connection.get(path, token);
        assert_eq!(response.status, status, "{path}: {response:?}");
        assert_eq!(
            response.header("content-type"),
            Some("application/json"),
            "{path}"
        );
        let id = response.header("x-request-id").unwrap().to_owned();
        assert!(Ulid::from_string(&id).is_ok(), "{id}");
        ids.push(id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 7, "each request has its own id");
}

/// Another process cannot notify the server, so the cached key expires within a second.
#[test]
fn a_key_that_the_command_line_revokes_is_refused_within_one_second() {
    let program = Program::new();
    let org = program.organization("One");
    let (id, key) = program.key(&org, "org:read");
    let server = program.serve();
    let mut connection = server.connect();
    for _ in 0..3 {
        assert_eq!(connection.get("/v1/organization", &key).status, 200);
    }
    program.json(&["key", "revoke", &id]);
    let revoked = Instant::now();
    let response = loop {
        let asked = Instant::now();
        let response = connection.get("/v1/organization", &key);
        if response.status != 200 {
            break response;
        }
        assert!(
            asked - revoked < Duration::from_secs(1),
            "it is still accepted"
        );
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(response.status, 401);
    assert_eq!(response.json()["error"]["code"], "UNAUTHORIZED");
    let again = server.connect().get("/v1/organization", &key);
    assert_eq!(again.status, 401, "the key stays refused");
}

#[test]
fn the_next_response_has_a_change_made_by_the_command_line() {
    let program = Program::new();
    let org = program.organization("One");
    let (_, key) = program.key(&org, "org:read");
    let server = program.serve();
    let mut connection = server.connect();
    let before = connection.get("/v1/organization", &key);
    let arguments = ["brand", "add", "--org", &org, "--name", "B"];
    let brand = text(&program.json(&arguments), "id");
    let with_brand = connection.get("/v1/organization", &key);
    assert_eq!(
        with_brand.json()["data"]["registration_status"]["brand_count"],
        1
    );
    assert_ne!(with_brand.header("etag"), before.header("etag"));
    program.json(&["brand", "delete", &brand]);
    let after = connection.get("/v1/organization", &key);
    assert_eq!(after.json()["data"], before.json()["data"]);
}

#[test]
fn the_command_line_and_the_server_write_concurrently() {
    let program = Program::new();
    let org = program.organization("One");
    let (_, key) = program.key(&org, "org:admin:write");
    let server = program.serve();
    let address = server.address.clone();
    let writer = std::thread::spawn(move || {
        let mut connection = Connection::open(&address);
        for number in 0..200 {
            let body = json!({ "name": format!("n{number}") }).to_string();
            let response = connection
                .call("PATCH", "/v1/organization", &key, &body)
                .unwrap();
            assert_eq!(response.status, 200, "{response:?}");
        }
    });
    for number in 0..5 {
        let name = format!("b{number}");
        program.json(&["brand", "add", "--org", &org, "--name", &name]);
    }
    writer.join().unwrap();
    assert_eq!(program.json(&["org", "show", &org])["version"], 206);
    assert_eq!(program.run(&["audit", "verify"]).code, 0);
}

#[test]
fn serve_fails_if_its_address_is_in_use() {
    let program = Program::new();
    let server = program.serve();
    let error_output = program.error_output(&["serve", "--listen", &server.address]);
    assert!(error_output.contains(&server.address), "{error_output}");
}

#[test]
fn without_any_key_for_tokens_every_token_is_refused_and_keys_work() {
    let program = Program::new();
    let org = program.organization("One");
    let (_, key) = program.key(&org, "org:read");
    let token = program.run(&["token", "--role", "SUPERADMIN"]).stdout;
    let mut command = program.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env_remove("QUIETLINE_JWT_SECRET");
    let server = program.start(command);
    let mut connection = server.connect();
    let path = format!("/api/organizations/{org}/missed-call-message");
    assert_eq!(connection.get(&path, token.trim()).status, 401);
    assert_eq!(connection.get("/v1/organization", &key).status, 200);
}

#[test]
fn a_log_that_is_not_read_stops_no_request() {
    const BATCH: usize = 16;
    let program = Program::new();
    let command = program.command(&["serve", "--listen", "127.0.0.1:0", "--workers", "1"]);
    let mut server = program.start_with_log(command, Stdio::piped());
    let mut connection = server.connect();
    let requests = head("GET", "/v1/organization", "x", 0).repeat(BATCH);
    // More lines than the pipe and the server keep.
    for _ in 0..8000 / BATCH {
        connection.send(&requests).unwrap();
        for _ in 0..BATCH {
            assert_eq!(connection.response().unwrap().status, 401);
        }
    }
    assert_eq!(connection.get("/healthz", "").status, 200);
    let mut log = BufReader::new(server.take_log()).lines();
    let report = log.find(|line| {
        line.as_ref()
            .unwrap()
            .contains("WARN  quietline::logging: dropped")
    });
    assert!(report.is_some());
}

#[test]
fn a_server_that_crashes_leaves_no_core_dump() {
    let program = Program::new();
    let serve = format!("ulimit -c $(ulimit -Hc) && exec {BINARY} serve --listen 127.0.0.1:0");
    let server = program.start(program.other_command("sh", &["-c", &serve]));
    // Not SIGQUIT, which a shell ignores for the commands that it starts in the background.
    server.signal(Signal::ABORT);
    let (status, _) = server.wait();
    assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()));
    assert!(!status.core_dumped());
}
