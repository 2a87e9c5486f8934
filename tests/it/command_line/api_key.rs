//! `key create`, `key list` and `key revoke`.

use std::collections::BTreeSet;

use actix_web::rt::System;
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
    assert_eq!(
        (&key["last_used_at"], &key["revoked_at"]),
        (&Value::Null, &Value::Null)
    );
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
