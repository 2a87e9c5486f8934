//! Client address and key prefix in the access log, and the client's network in the audit log.

use rustix::process::Signal;

use super::http_client::{Response, head};
use super::program::{Program, Server};

const ORGANIZATION: &str = "/v1/organization";

/// Well-formed API key that does not exist.
const UNKNOWN: &str = "am_live_0123456789abcdefghijABCDEFGHIJ0123";

/// Sends GET of the organization through a proxy that names `client`.
fn get(server: &Server, key: &str, client: &str) -> Response {
    send(server, &head("GET", ORGANIZATION, key, 0), client)
}

fn send(server: &Server, request: &str, client: &str) -> Response {
    let forwarded = format!("\r\nX-Forwarded-For: {client}\r\n\r\n");
    let mut connection = server.connect();
    connection
        .send(&request.replace("\r\n\r\n", &forwarded))
        .unwrap();
    connection.response().unwrap()
}

/// Stops the server. Returns its complete log.
fn log_of(program: &Program, server: Server) -> String {
    server.signal(Signal::TERM);
    server.wait();
    program.log()
}

#[test]
fn the_access_log_names_the_client_and_the_prefix_of_a_valid_or_refused_key() {
    let program = Program::new();
    let org = program.organization("One");
    let (id, key) = program.key(&org, "org:read");
    for format in ["text", "json"] {
        let proxies = "127.0.0.1";
        let server = program.serve_with(&["--trusted-proxies", proxies, "--log-format", format]);
        assert_eq!(get(&server, &key, "192.0.2.7").status, 200);
        assert_eq!(get(&server, UNKNOWN, "2001:db8::7").status, 401);
        assert_eq!(get(&server, "am_live_short", "192.0.2.8").status, 401);
        let log = log_of(&program, server);
        let log = log.replace("\\\"", "\"");
        let prefix = &key[..12];
        for fields in [
            format!(" client=192.0.2.7 key={prefix} actor=\"api_key:{id}\""),
            format!(" client=2001:db8::7 key={} actor=\"\"", &UNKNOWN[..12]),
            " client=192.0.2.8 key=- actor=\"\"".to_owned(),
        ] {
            assert_eq!(log.matches(&fields).count(), 1, "{fields}: {log}");
        }
        for secret in [&key[12..], &key[..13], &UNKNOWN[12..], &UNKNOWN[..13]] {
            assert!(!log.contains(secret), "{secret}: {log}");
        }
    }
}

#[test]
fn a_proxy_that_is_not_trusted_is_the_client_and_is_reported_once() {
    let program = Program::new();
    let server = program.serve();
    for client in ["192.0.2.7", "192.0.2.8"] {
        assert_eq!(get(&server, UNKNOWN, client).status, 401);
    }
    let log = log_of(&program, server);
    assert_eq!(log.matches(" client=127.0.0.1 ").count(), 2, "{log}");
    let warning = "127.0.0.1 forwards for clients, but is not one of QUIETLINE_TRUSTED_PROXIES";
    assert_eq!(log.matches(warning).count(), 1, "{log}");
}

#[test]
fn the_audit_log_has_the_network_of_the_client_if_that_is_switched_on() {
    let program = Program::new();
    let org = program.organization("One");
    let (id, key) = program.key(&org, "org:admin:write");
    let proxies = ["--trusted-proxies", "127.0.0.1"];
    let on = [&proxies[..], &["--audit-client-network", "on"]].concat();
    for (arguments, name, identity) in [
        (&proxies[..], "A", format!("api_key:{id}")),
        (&on[..], "B", format!("client:192.0.2.0/24 api_key:{id}")),
    ] {
        let server = program.serve_with(arguments);
        let body = format!("{{\"name\":\"{name}\"}}");
        let request = head("PATCH", ORGANIZATION, &key, body.len());
        let changed = send(&server, &(request + &body), "192.0.2.7");
        assert_eq!(changed.status, 200, "{changed:?}");
        let entries = program.json(&["audit", "list", "--org", &org, "--limit", "1"]);
        assert_eq!(entries[0]["actor"]["identity"], identity, "{entries}");
    }
    assert_eq!(program.run(&["audit", "verify"]).code, 0);
}
