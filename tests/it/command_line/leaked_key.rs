//! The drill of `docs/operations/leaked-key.md`. Goal: after the drill nothing of a leaked key
//! works any more, and the log proves it. Method: a thief does all that the key allows, and the
//! owner and the operator follow the page.

use serde_json::{Value, json};

use super::http_client::Response;
use super::program::{Program, Server, text};

const ALL_SCOPES: &str = "org:read,org:admin:write,apikeys:read,apikeys:write,audit:read";

/// Organization whose key has leaked, and everything that the thief has by now.
struct Drill {
    program: Program,
    server: Server,
    org: String,
    /// Key of the owner with all scopes, which did not leak.
    owner: String,
    leaked_id: String,
    /// Keys that the thief knows.
    stolen: Vec<String>,
    settings: Value,
}

impl Drill {
    /// Starts a server with anchored logs, and lets the thief use the leaked key.
    fn new() -> Self {
        let program = Program::new();
        let org = program.organization("One");
        let (_, owner) = program.key(&org, ALL_SCOPES);
        let (leaked_id, leaked) = program.key(&org, ALL_SCOPES);
        let (dashboard_id, _) = program.key(&org, "org:read");
        let public = program.output(&["audit", "anchor-key", "--output", "key.pem"]);
        program.file("public.pem", &public);
        let anchor = program.output(&["audit", "anchor", "--key", "key.pem"]);
        program.file("anchors.jsonl", &anchor);
        let server = program.serve();
        let mut drill = Self {
            program,
            server,
            org,
            owner,
            leaked_id,
            stolen: vec![leaked],
            settings: Value::Null,
        };
        drill.settings = drill
            .call("GET", "/v1/organization", &drill.owner, "")
            .json();
        drill.steal(&dashboard_id);
        drill
    }

    /// Changes settings, rotates a key of the owner and the leaked key itself, and creates keys
    /// that create keys, until the limit is used up.
    fn steal(&mut self, dashboard_id: &str) {
        let change = r#"{"name":"Evil","message_retention_days":30}"#;
        let changed = self.call("PATCH", "/v1/organization", &self.stolen[0], change);
        assert_eq!(changed.status, 200, "{changed:?}");
        for id in [dashboard_id.to_owned(), self.leaked_id.clone()] {
            let key = self.stolen[0].clone();
            let rotated = self.call("POST", &format!("/v1/api-keys/{id}/rotate"), &key, "");
            self.take(&rotated, 201);
        }
        let body = json!({"label": "backup", "scopes": ALL_SCOPES.split(',').collect::<Vec<_>>()});
        for _ in 0..10 {
            let key = self.stolen.last().unwrap().clone();
            let created = self.call("POST", "/v1/api-keys", &key, &body.to_string());
            self.take(&created, 201);
        }
        let more = self.call("POST", "/v1/api-keys", &self.owner, &body.to_string());
        assert_eq!(more.status, 429, "the thief uses the limit of new keys up");
    }

    fn take(&mut self, response: &Response, status: u16) {
        assert_eq!(response.status, status, "{response:?}");
        self.stolen
            .push(text(&response.json()["data"], "plaintext"));
    }

    fn call(&self, method: &str, path: &str, key: &str, body: &str) -> Response {
        self.server.connect().call(method, path, key, body).unwrap()
    }

    /// Returns the entries of the keys `ids`, newest first, from the feed of the customer.
    fn entries_of(&self, ids: &[String]) -> Vec<Value> {
        let path = "/v1/audit-log?include=payload&limit=200";
        let feed = self.call("GET", path, &self.owner, "").json();
        let is_of = |entry: &&Value| {
            let label = text(&entry["actor"], "label");
            ids.iter()
                .any(|id| label.starts_with(&format!("api_key:{id}")))
        };
        let entries = feed["data"].as_array().unwrap().iter();
        entries.filter(is_of).cloned().collect()
    }

    /// Rotates the owner's key, which the new keys of the thief do not stop, and lets the operator
    /// create a key in place of the one that the thief rotated.
    fn replace_keys(&mut self) {
        let owner = self.owner.clone();
        let own = self.program.json(&["key", "list", "--org", &self.org]);
        let own = own.as_array().unwrap().iter();
        let mut own = own.filter(|key| owner.starts_with(&text(key, "prefix")));
        let id = text(own.next().unwrap(), "id");
        let rotated = self.call("POST", &format!("/v1/api-keys/{id}/rotate"), &owner, "");
        assert_eq!(rotated.status, 201, "{rotated:?}");
        self.owner = text(&rotated.json()["data"], "plaintext");
        let create = ["key", "create", "--org", &self.org, "--label", "dashboard"];
        let flags = [
            "--scopes",
            "org:read",
            "--expires",
            "90d",
            "--reason",
            "leak",
        ];
        let dashboard = self.program.json(&[&create[..], &flags].concat());
        let dashboard = text(&dashboard, "plaintext");
        assert_eq!(
            self.call("GET", "/v1/organization", &dashboard, "").status,
            200
        );
    }

    /// Sets the values before the changes `did`, from the payloads of the log.
    fn revert(&self, did: &[Value]) {
        let mut before = serde_json::Map::new();
        for entry in did
            .iter()
            .filter(|entry| entry["resource"]["type"] == "organization")
        {
            before.extend(entry["payload"]["before"].as_object().unwrap().clone());
        }
        let body = Value::from(before).to_string();
        let reverted = self.call("PATCH", "/v1/organization", &self.owner, &body);
        assert_eq!(reverted.json(), self.settings);
    }

    /// Asserts that every operation refuses every key of the thief.
    fn assert_dead(&self, keys: &[String], id: &str) {
        let body = r#"{"label":"x","scopes":["org:read"]}"#;
        let key_path = format!("/v1/api-keys/{id}");
        for (method, path, body) in [
            ("GET", "/v1/organization", ""),
            ("PATCH", "/v1/organization", r#"{"name":"Evil again"}"#),
            ("GET", "/v1/api-keys", ""),
            ("POST", "/v1/api-keys", body),
            ("POST", &format!("{key_path}/rotate"), ""),
            ("DELETE", &format!("{key_path}?issued=true"), ""),
            ("GET", "/v1/audit-log", ""),
        ] {
            for key in keys {
                let response = self.call(method, path, key, body);
                assert_eq!(response.status, 401, "{method} {path}: {response:?}");
            }
        }
    }
}

#[test]
fn after_the_drill_nothing_of_a_leaked_key_works_any_more_and_the_log_proves_it() {
    let mut drill = Drill::new();
    let owner = drill.owner.clone();

    // Find: the keys of the thief by their issuer.
    let dry_run = ["key", "revoke", &drill.leaked_id, "--issued", "--dry-run"];
    let found = drill.program.json(&dry_run);
    let mut ids: Vec<String> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|key| text(key, "id"))
        .collect();
    assert_eq!(ids.len(), 12, "two rotated keys and ten new ones: {found}");
    ids.push(drill.leaked_id.clone());
    let did = drill.entries_of(&ids);
    let actions = |action: &str| did.iter().filter(|entry| entry["action"] == action).count();
    assert_eq!(
        (actions("api_key.rotate"), actions("api_key.create")),
        (2, 10)
    );

    // Contain: one request, and no key of the thief works from then on.
    let path = format!("/v1/api-keys/{}?issued=true", drill.leaked_id);
    assert_eq!(drill.call("DELETE", &path, &owner, "").status, 204);
    drill.assert_dead(&drill.stolen, &drill.leaked_id);

    drill.replace_keys();
    drill.revert(&did);

    // Prove: the log verifies with the anchors from before the leak, and has no entry of the
    // thief after the revocation. No key that the leaked key issued is left.
    let anchors = [
        "--anchors",
        "anchors.jsonl",
        "--anchor-public-key",
        "public.pem",
    ];
    let verified = drill
        .program
        .json(&[&["audit", "verify"], &anchors[..]].concat());
    assert_eq!(verified["ok"], true, "{verified}");
    assert_eq!(drill.entries_of(&ids), did);
    let revoke = [
        "key",
        "revoke",
        "--org",
        &drill.org,
        "--issued-by",
        &drill.leaked_id,
    ];
    assert_eq!(
        drill.program.json(&[&revoke[..], &["--dry-run"]].concat()),
        json!([])
    );
    // A new process has nothing in its cache.
    drill.server = drill.program.serve();
    let dead = [&drill.stolen[..], &[owner]].concat();
    drill.assert_dead(&dead, &drill.leaked_id);
}
