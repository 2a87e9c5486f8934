//! Keys of tokens that change while the server runs: files, and the JWK set of an address.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::program::{Program, Server, end};

/// Longer than a changed key takes to be used.
const PATIENCE: Duration = Duration::from_secs(10);

/// Key pair of an issuer.
struct IssuerKey {
    kid: &'static str,
    pair: Ed25519KeyPair,
}

impl IssuerKey {
    fn new(kid: &'static str) -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        Self { kid, pair }
    }

    fn public(&self) -> Value {
        let x = BASE64_URL_SAFE_NO_PAD.encode(self.pair.public_key());
        json!({"kty": "OKP", "crv": "Ed25519", "alg": "Ed25519", "kid": self.kid, "x": x})
    }

    /// Signs a token of a superadmin.
    fn token(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let header = json!({"alg": "Ed25519", "kid": self.kid});
        let claims =
            json!({"sub": "jane", "accessRole": "SUPERADMIN", "exp": now.as_secs() + 3600});
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(&claims));
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.pair.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

fn set_of(keys: &[&IssuerKey]) -> String {
    let keys: Vec<Value> = keys.iter().map(|key| key.public()).collect();
    json!({ "keys": keys }).to_string()
}

/// HTTP server of an issuer. It has one response at a time, and counts requests.
struct Issuer {
    url: String,
    response: Arc<Mutex<String>>,
    requests: Arc<Mutex<usize>>,
}

impl Issuer {
    fn start(set: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let issuer = Self {
            url,
            response: Arc::default(),
            requests: Arc::default(),
        };
        issuer.publish(set);
        let (response, requests) = (issuer.response.clone(), issuer.requests.clone());
        // Ends with the process of the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                *requests.lock().unwrap() += 1;
                let response = response.lock().unwrap().clone();
                // A client that refuses the response may close the connection early.
                respond(stream, &response).unwrap_or_default();
            }
        });
        issuer
    }

    /// Replaces the set.
    fn publish(&self, set: &str) {
        self.respond_with("200 OK", set);
    }

    fn respond_with(&self, status: &str, body: &str) {
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
        *self.response.lock().unwrap() = format!("{head}Connection: close\r\n\r\n{body}");
    }

    fn requests(&self) -> usize {
        *self.requests.lock().unwrap()
    }
}

fn respond(mut stream: TcpStream, response: &str) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while lines
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    stream.write_all(response.as_bytes())
}

/// Returns a command that serves with this variable, and without a secret.
fn serve_with(program: &Program, variable: &str, value: &str) -> Command {
    let mut command = program.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env_remove("QUIETLINE_JWT_SECRET");
    command.env(variable, value);
    command
}

fn status(server: &Server, org: &str, token: &str) -> u16 {
    let path = format!("/api/organizations/{org}/missed-call-message");
    server.connect().get(&path, token).status
}

/// Waits until the response to a token has this status.
fn wait_for_status(server: &Server, org: &str, token: &str, expected: u16) {
    let deadline = Instant::now() + PATIENCE;
    while status(server, org, token) != expected {
        assert!(Instant::now() < deadline, "no {expected}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The rotation of `docs/operations/secrets.md`.
#[test]
fn a_secret_is_rotated_without_a_restart_and_without_refusing_a_token() {
    let program = Program::new();
    let org = program.organization("One");
    let (old, new) = ("o".repeat(40), "n".repeat(40));
    let file = program.file("secret", &format!("{old}\n"));
    let server = program.start(serve_with(&program, "QUIETLINE_JWT_SECRET_FILE", &file));
    let sign = |content: &str| {
        let mut command = program.command(&["token", "--role", "SUPERADMIN"]);
        let secret = program.file("other", content);
        command.env_remove("QUIETLINE_JWT_SECRET");
        command.env("QUIETLINE_JWT_SECRET_FILE", secret);
        end(command).stdout.trim().to_owned()
    };
    let (by_old, by_new) = (sign(&old), sign(&format!("{new}\n{old}\n")));
    assert_eq!(status(&server, &org, &by_old), 200);
    assert_eq!(status(&server, &org, &by_new), 401);
    program.file("secret", &format!("{new}\n{old}\n"));
    wait_for_status(&server, &org, &by_new, 200);
    assert_eq!(status(&server, &org, &by_old), 200);
    program.file("secret", &format!("{new}\n"));
    wait_for_status(&server, &org, &by_old, 401);
    assert_eq!(status(&server, &org, &by_new), 200);
}

#[test]
fn an_unusable_file_is_named_in_the_log_and_the_last_keys_stay_valid() {
    let program = Program::new();
    let org = program.organization("One");
    let (one, other) = (IssuerKey::new("1"), IssuerKey::new("2"));
    let file = program.file("jwks.json", &set_of(&[&one]));
    let server = program.start(serve_with(&program, "QUIETLINE_JWKS_FILE", &file));
    let token = one.token();
    assert_eq!(status(&server, &org, &token), 200);
    program.file("jwks.json", "{\"keys\": [");
    program.wait_for_log("as it is now, its last keys stay valid: must be a JWK set");
    server.signal(Signal::HUP);
    program.wait_for_log("SIGHUP");
    std::fs::remove_file(&file).unwrap();
    program.wait_for_log("No such file");
    assert_eq!(status(&server, &org, &token), 200);
    program.file("jwks.json", &set_of(&[&other]));
    wait_for_status(&server, &org, &token, 401);
    assert_eq!(status(&server, &org, &other.token()), 200);
    assert!(!program.log().contains("panicked"), "{}", program.log());
}

#[test]
fn sighup_reads_a_set_from_its_address_again() {
    let program = Program::new();
    let org = program.organization("One");
    let (one, other) = (IssuerKey::new("1"), IssuerKey::new("2"));
    let issuer = Issuer::start(&set_of(&[&one]));
    let server = program.start(serve_with(&program, "QUIETLINE_JWKS_URL", &issuer.url));
    assert_eq!(status(&server, &org, &one.token()), 200);
    for unusable in ["{}", "{\"keys\":[]}", &"x".repeat(300 * 1024)] {
        issuer.publish(unusable);
        server.signal(Signal::HUP);
        let before = issuer.requests();
        let deadline = Instant::now() + PATIENCE;
        while issuer.requests() == before {
            assert!(Instant::now() < deadline, "no request");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(status(&server, &org, &one.token()), 200);
    }
    program.wait_for_log("the response is longer than 262144 bytes");
    issuer.publish(&set_of(&[&other]));
    server.signal(Signal::HUP);
    wait_for_status(&server, &org, &one.token(), 401);
    assert_eq!(status(&server, &org, &other.token()), 200);
}

#[test]
fn a_token_with_an_unknown_key_causes_one_download_in_half_a_minute() {
    let program = Program::new();
    let org = program.organization("One");
    let (one, other) = (IssuerKey::new("1"), IssuerKey::new("2"));
    let issuer = Issuer::start(&set_of(&[&one]));
    let server = program.start(serve_with(&program, "QUIETLINE_JWKS_URL", &issuer.url));
    assert_eq!(issuer.requests(), 1);
    issuer.publish(&set_of(&[&one, &other]));
    assert_eq!(status(&server, &org, &other.token()), 401);
    wait_for_status(&server, &org, &other.token(), 200);
    assert_eq!(status(&server, &org, &one.token()), 200);
    assert_eq!(issuer.requests(), 2);
    for _ in 0..20 {
        assert_eq!(status(&server, &org, &IssuerKey::new("3").token()), 401);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(issuer.requests(), 2);
}

#[test]
fn a_server_whose_set_cannot_be_downloaded_does_not_start() {
    let program = Program::new();
    let set = set_of(&[&IssuerKey::new("1")]);
    let issuer = Issuer::start(&set);
    let fail = |url: &str, expected: &str| {
        let ended = end(serve_with(&program, "QUIETLINE_JWKS_URL", url));
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended:?}");
        assert!(ended.stderr.contains(expected), "{expected}: {ended:?}");
    };
    issuer.respond_with("503 Service Unavailable", &set);
    fail(
        &issuer.url,
        "cannot download the JWK set: http://127.0.0.1:",
    );
    fail(&issuer.url, "the response has status 503");
    issuer.respond_with("302 Found\r\nLocation: /other", &set);
    fail(&issuer.url, "the response has status 302");
    issuer.publish("[]");
    fail(&issuer.url, "must be a JWK set");
    fail("http://127.0.0.1:1/jwks", "Connection refused");
    for url in [
        "http://issuer.example/jwks",
        "ftp://127.0.0.1/",
        "jwks.json",
        "http://127.0.0.1.example/",
    ] {
        fail(url, "must be an https URL, or an http URL of this machine");
    }
    fail(
        "https://user:hunter2@issuer.example/",
        "must not have a user",
    );
    let mut command = serve_with(&program, "QUIETLINE_JWKS_URL", &issuer.url);
    command.env("QUIETLINE_JWKS_FILE", program.file("jwks.json", &set));
    let ended = end(command);
    assert!(
        ended.stderr.contains("must not be set together with"),
        "{ended:?}"
    );
}

#[test]
fn a_secret_beside_public_keys_is_warned_of() {
    let program = Program::new();
    let file = program.file("jwks.json", &set_of(&[&IssuerKey::new("1")]));
    let mut command = serve_with(&program, "QUIETLINE_JWKS_FILE", &file);
    command.env("QUIETLINE_JWT_SECRET", "s".repeat(32));
    let _server = program.start(command);
    program.wait_for_log("holders of the secret can sign tokens of any user and role");
}
