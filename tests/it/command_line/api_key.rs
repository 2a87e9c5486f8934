//! `key create`, `key list` and `key revoke`.

use std::collections::BTreeSet;

use actix_web::rt::System;
use chrono::{DateTime, TimeDelta, Utc};
use quietline::db::{Db, DbConn, Lane, api_key};
use quietline::domain::actor::Author;
use quietline::domain::api_key::{IssuedKey, NewApiKey, PlaintextApiKey};
use quietline::domain::ids::OrgId;
use quietline::domain::scope::ScopeSet;
use serde_json::{Value, json};

use super::program::{Program, text};
use crate::support::app::{now, operator};

#[test]
fn key_create_prints_the_key_once_and_key_list_never() {
    let program = Program::new();
    let org = program.organization("One");
    let create = [
        "key", "create", "--org", &org, "--label", " CI ", "--scopes",
    ];
    let mut key = program.json(&[&create[..], &["org:admin:write, org:read"]].concat());
    let plaintext = text(&key, "plaintext");
    let secret = plaintext.strip_prefix("am_live_").unwrap();
    assert_eq!(secret.len(), 34);
    assert!(
        secret.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        "{plaintext}"
    );
    assert_eq!(text(&key, "prefix"), plaintext[..12]);
    let fields = key.as_object_mut().unwrap();
    fields.remove("plaintext");
    let expected = [
        "created_at",
        "created_by",
        "expires_at",
        "id",
        "label",
        "last_used_at",
        "org_id",
        "prefix",
        "revoked_at",
        "scopes",
    ];
    assert_eq!(fields.keys().collect::<Vec<_>>(), expected);
    assert_eq!((&key["org_id"], &key["label"]), (&json!(org), &json!("CI")));
    assert_eq!(key["scopes"], json!(["org:read", "org:admin:write"]));
    for field in ["last_used_at", "revoked_at", "expires_at"] {
        assert_eq!(key[field], Value::Null, "{field}");
    }
    assert_eq!(key["created_by"], "command-line");
    assert_eq!(program.json(&["key", "list", "--org", &org]), json!([key]));
    let listed = program.run(&["key", "list", "--org", &org]);
    assert!(!listed.stdout.contains(secret), "{listed:?}");
}

fn listed_ids(program: &Program, org: &str) -> Vec<String> {
    let listed = program.json(&["key", "list", "--org", org]);
    let keys = listed.as_array().unwrap().iter();
    keys.map(|key| text(key, "id")).collect()
}

#[test]
fn keys_are_listed_newest_first() {
    let program = Program::new();
    let org = program.organization("One");
    let created: Vec<String> = (0..3).map(|_| program.key(&org, "org:read").0).collect();
    let listed = listed_ids(&program, &org);
    assert_eq!(listed, created.into_iter().rev().collect::<Vec<_>>());
}

#[test]
fn every_key_is_listed_however_many_there_are() {
    const COUNT: usize = 1001;
    let program = Program::new();
    let org_id = OrgId::parse(&program.organization("One")).unwrap();
    let org = org_id.to_string();
    let insert = move |conn: &mut DbConn| {
        for _ in 0..COUNT {
            let new = NewApiKey {
                label: "one of many".to_owned(),
                scopes: ScopeSet::default(),
                expires_at: None,
                plaintext: PlaintextApiKey::generate(),
            };
            let issuer = Author::command_line(&operator()).actor;
            let issued = IssuedKey::issue(org_id, &new, &issuer, now());
            api_key::insert(conn, &issued)?;
        }
        Ok(())
    };
    let db = Db::open(&program.database.url(), 1).unwrap();
    System::new()
        .block_on(db.write(Lane::OPERATOR, insert))
        .unwrap();
    let ids: BTreeSet<String> = listed_ids(&program, &org).into_iter().collect();
    assert_eq!(ids.len(), COUNT);
}

#[test]
fn a_key_is_revoked_once_and_stays_listed() {
    let program = Program::new();
    let org = program.organization("One");
    let (id, _) = program.key(&org, "org:read");
    let revoked = program.json(&["key", "revoke", &id]);
    assert!(text(&revoked, "revoked_at").ends_with('Z'), "{revoked}");
    assert_eq!(program.json(&["key", "revoke", &id]), revoked, "again");
    assert_eq!(
        program.json(&["key", "list", "--org", &org]),
        json!([revoked])
    );
    let log = program.json(&["audit", "list", "--org", &org]);
    let actions: Vec<&str> = log
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        actions,
        ["api_key.revoke", "api_key.create", "organization.create"]
    );
}

#[test]
fn bad_scopes_and_labels_are_refused_and_no_key_is_made() {
    let program = Program::new();
    let org = program.organization("One");
    let create = |label: &str, scopes: &str| {
        program.error_output(&[
            "key", "create", "--org", &org, "--label", label, "--scopes", scopes,
        ])
    };
    for scopes in [
        "org:write",
        "org:read,org:read",
        "org:read,",
        "",
        "ORG:READ",
    ] {
        let error_output = create("label", scopes);
        assert!(error_output.contains("scope"), "{scopes:?}: {error_output}");
    }
    for label in ["", "  ", &"x".repeat(101), "a\nb"] {
        let error_output = create(label, "org:read");
        assert!(error_output.contains("label"), "{label:?}: {error_output}");
    }
    assert_eq!(program.json(&["key", "list", "--org", &org]), json!([]));
    let log = program.json(&["audit", "list", "--org", &org]);
    assert_eq!(log.as_array().unwrap().len(), 1, "{log}");
}

#[test]
fn an_unknown_key_cannot_be_revoked() {
    let program = Program::new();
    program.output(&["migrate"]);
    for id in ["0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3", "am_live_xyz", ""] {
        let error_output = program.error_output(&["key", "revoke", id]);
        assert!(
            error_output.contains("there is no API key"),
            "{error_output}"
        );
    }
}

#[test]
fn the_database_stores_only_the_hash_of_a_key() {
    let program = Program::new();
    let org = program.organization("One");
    let (_, plaintext) = program.key(&org, "org:read");
    let secret = &plaintext[12..];
    let rows = [
        "SELECT $text:id || label || prefix || scopes AS value FROM api_keys",
        "SELECT actor_label || actor_identity || payload AS value FROM audit_log",
    ];
    for sql in rows {
        let found = program.database.values(sql).concat();
        assert!(found.contains(&plaintext[..12]), "{found}");
        assert!(!found.contains(secret), "{found}");
    }
}

#[test]
fn a_key_expires_at_a_time_or_after_a_span() {
    let program = Program::new();
    let org = program.organization("One");
    let create = |expires: &str| {
        let create = ["key", "create", "--org", &org, "--label", "A"];
        let flags = ["--scopes", "org:read", "--expires", expires];
        program.run(&[&create[..], &flags, &["--json"]].concat())
    };
    let created = create("2999-01-31T00:00:00+01:00");
    let key: Value = serde_json::from_str(&created.stdout).unwrap();
    assert_eq!(text(&key, "expires_at"), "2999-01-30T23:00:00Z");
    let key: Value = serde_json::from_str(&create("90d").stdout).unwrap();
    let moment = |name| text(&key, name).parse::<DateTime<Utc>>().unwrap();
    let life = moment("expires_at") - moment("created_at");
    assert!(
        (TimeDelta::days(90) - life).num_seconds().abs() < 60,
        "{key}"
    );
    for (bad, code, error) in [
        (
            "2026-01-01T00:00:00Z",
            1,
            "expires_at: must be in the future",
        ),
        ("9000years", 1, "expires_at: must be in the future"),
        ("tomorrow", 2, "must be RFC 3339"),
    ] {
        let ended = create(bad);
        assert_eq!(ended.code, code, "{ended:?}");
        assert!(ended.stderr.contains(error), "{ended:?}");
    }
    let listed = program.output(&["key", "list", "--org", &org]);
    assert!(
        listed.contains("(valid until 2999-01-30 23:00:00, by command-line)"),
        "{listed}"
    );
}

/// Organization with a leaked key, a key that it issued, and two keys of the command line.
struct Leak {
    program: Program,
    org: String,
    leaked: String,
    child: String,
    others: Vec<String>,
}

impl Leak {
    fn new() -> Self {
        let program = Program::new();
        let org = program.organization("One");
        let (first, _) = program.key(&org, "org:read");
        let (leaked, key) = program.key(&org, "org:read,apikeys:write");
        let server = program.serve();
        let body = r#"{"label":"child","scopes":["org:read"]}"#;
        let created = server
            .connect()
            .call("POST", "/v1/api-keys", &key, body)
            .unwrap();
        let child = text(&created.json()["data"], "id");
        let (last, _) = program.key(&org, "org:read");
        Self {
            program,
            org,
            leaked,
            child,
            others: vec![first, last],
        }
    }

    /// Runs `key revoke` with `--dry-run` and without. Returns the revoked keys, newest first.
    fn revoked(&self, arguments: &[&str]) -> Vec<String> {
        let revoke = [&["key", "revoke"], arguments].concat();
        let ids = |keys: Value| -> Vec<String> {
            let keys = keys.as_array().unwrap().iter();
            keys.map(|key| text(key, "id")).collect()
        };
        let before = self.program.json(&["key", "list", "--org", &self.org]);
        let planned = ids(self.program.json(&[&revoke[..], &["--dry-run"]].concat()));
        let after = self.program.json(&["key", "list", "--org", &self.org]);
        assert_eq!(before, after, "a dry run revokes nothing");
        let keys = self.program.json(&revoke);
        let keys = keys.as_array().unwrap();
        assert!(
            keys.iter().all(|key| key["revoked_at"].is_string()),
            "{keys:?}"
        );
        assert_eq!(ids(keys.clone().into()), planned);
        assert_eq!(self.program.json(&revoke), json!([]), "again");
        assert_eq!(self.program.json(&["audit", "verify"])["ok"], true);
        planned
    }
}

#[test]
fn with_issued_a_key_is_revoked_with_all_that_it_issued() {
    let leak = Leak::new();
    let revoked = leak.revoked(&[&leak.leaked, "--issued"]);
    assert_eq!(revoked, [leak.child.clone(), leak.leaked.clone()]);
    let log = leak
        .program
        .json(&["audit", "list", "--org", &leak.org, "--limit", "2"]);
    assert_eq!(
        log[0]["request_id"], log[1]["request_id"],
        "one transaction"
    );
}

#[test]
fn keys_are_revoked_by_issuer_by_age_or_all_of_an_organization() {
    let leak = Leak::new();
    let org = leak.org.as_str();
    let by_issuer = leak.revoked(&["--org", org, "--issued-by", &leak.leaked]);
    assert_eq!(by_issuer, std::slice::from_ref(&leak.child));
    let created_at = |id: &String| {
        let keys = leak.program.json(&["key", "list", "--org", org]);
        let mut keys = keys.as_array().unwrap().iter();
        text(
            keys.find(|key| text(key, "id") == *id).unwrap(),
            "created_at",
        )
    };
    let since = created_at(&leak.others[1]);
    let newest = leak.revoked(&["--org", org, "--since", &since]);
    assert_eq!(newest, leak.others[1..]);
    let text_of_all =
        leak.program
            .output(&["key", "revoke", "--org", org, "--since", "1h", "--dry-run"]);
    assert!(
        text_of_all.ends_with("\n2 keys would be revoked\n"),
        "{text_of_all}"
    );
    let all = leak.revoked(&["--org", org]);
    assert_eq!(all, [leak.leaked.clone(), leak.others[0].clone()]);
}

#[test]
fn a_selection_names_a_key_or_an_organization_and_only_its_own_keys() {
    let leak = Leak::new();
    let other = leak.program.organization("Two");
    let (foreign, _) = leak.program.key(&other, "org:read");
    for bad in [
        &["key", "revoke"][..],
        &["key", "revoke", &leak.leaked, "--org", &leak.org],
        &["key", "revoke", &leak.leaked, "--since", "1h"],
        &["key", "revoke", "--issued-by", &leak.leaked],
        &["key", "revoke", "--org", &leak.org, "--issued"],
    ] {
        assert_eq!(leak.program.run(bad).code, 2, "{bad:?}");
    }
    let unknown = "0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3";
    for bad in [
        &["key", "revoke", "--org", &leak.org, "--issued-by", &foreign][..],
        &["key", "revoke", "--org", &leak.org, "--issued-by", "x"],
        &["key", "revoke", unknown, "--issued"],
        &["key", "revoke", unknown, "--dry-run"],
    ] {
        let error = leak.program.error_output(bad);
        assert!(error.contains("there is no API key"), "{error}");
    }
    let listed = leak.program.json(&["key", "list", "--org", &other]);
    assert_eq!(listed[0]["revoked_at"], Value::Null);
}
