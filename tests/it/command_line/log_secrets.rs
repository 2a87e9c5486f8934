//! Texts of requests never appear in the log.

use rustix::process::Signal;
use serde_json::json;

use super::http_client::Response;
use super::program::{Program, Server};

const ORGANIZATION: &str = "/v1/organization";

/// Marker in every text of a request.
const CANARY: &str = "canary";

/// Log level that includes everything from the program and its libraries.
const MOST_VERBOSE: &str = "trace";

struct Caller<'a> {
    server: &'a Server,
    key: &'a str,
    token: &'a str,
    missed_call: &'a str,
}

impl Caller<'_> {
    fn patch(&self, body: &str) -> Response {
        self.call("PATCH", ORGANIZATION, self.key, body)
    }

    fn put(&self, body: &str) -> Response {
        self.call("PUT", self.missed_call, self.token, body)
    }

    fn call(&self, method: &str, path: &str, credential: &str, body: &str) -> Response {
        let mut connection = self.server.connect();
        connection.call(method, path, credential, body).unwrap()
    }

    /// Changes every setting that is a text.
    fn change(&self) {
        let settings = json!({
            "name": "canary name",
            "billing_email": "canary@acme.example",
            "auto_replies": {
                "enabled": false,
                "stop_text": "canary stop",
                "help_text": "canary help",
                "start_text": "canary start",
                "attestation": "canary attestation",
            },
        });
        assert_eq!(self.patch(&settings.to_string()).status, 200);
        let message = json!({ "missedCallMessage": "canary message" });
        assert_eq!(self.put(&message.to_string()).status, 200);
    }

    /// Sends texts that are refused for their value or for their position.
    fn fail(&self) {
        let long = "canary ".repeat(400);
        let fields = json!({
            "name": ["canary"],
            "billing_email": "canary at acme",
            "canary": "canary",
            "auto_replies": { "stop_text": long, "help_text": ["canary"], "attestation": long },
        });
        assert_eq!(self.patch(&fields.to_string()).status, 422);
        for message in [json!(["canary"]), json!({ "canary": 1 }), json!(long)] {
            let body = json!({ "missedCallMessage": message }).to_string();
            assert_eq!(self.put(&body).status, 400);
        }
        for body in ["{\"name\":\"canary\" canary}", "[\"canary\"]", "canary"] {
            assert_eq!(self.patch(body).status, 400);
            assert_eq!(self.put(body).status, 400);
        }
        let path = format!("/v1/audit-log?cursor={CANARY}&action={CANARY}");
        assert_eq!(self.call("GET", &path, self.key, "").status, 422);
    }

    /// Sends invalid credentials, and credentials of the other dialect.
    fn show_credentials(&self) {
        let forged = format!("{}{CANARY}", self.token);
        for credential in ["am_live_canary", CANARY, &forged, self.token] {
            assert_eq!(self.call("GET", ORGANIZATION, credential, "").status, 401);
        }
        for credential in ["a.canary.b", CANARY, &forged, self.key] {
            let response = self.call("GET", self.missed_call, credential, "");
            assert_eq!(response.status, 401);
        }
    }
}

/// Goal: the log reveals no credential and no text of a customer. Method: successful and failed
/// requests with such texts, on a server with the most verbose log.
#[test]
fn no_credential_and_no_text_of_a_request_is_in_the_log() {
    let program = Program::new();
    let org = program.organization("One");
    let (_, key) = program.key(&org, "org:read,org:admin:write,audit:read");
    let token = program.output(&["token", "--role", "ADMIN", "--org", &org]);
    let mut command = program.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("QUIETLINE_LOG", MOST_VERBOSE);
    let server = program.start(command);
    let caller = Caller {
        server: &server,
        key: &key,
        token: token.trim(),
        missed_call: &format!("/api/organizations/{org}/missed-call-message"),
    };
    caller.change();
    caller.fail();
    caller.show_credentials();
    // The log is complete only after the shutdown.
    server.signal(Signal::TERM);
    server.wait();
    let log = program.log();
    for line in [
        "TRACE",
        "method=PATCH",
        "method=PUT",
        "status=200",
        "status=401",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
    let parts = token.trim().split('.');
    for secret in parts.chain([CANARY, &key[12..]]) {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}
