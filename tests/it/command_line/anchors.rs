//! `audit anchor`, `audit anchor-key`, and verification with anchors. Goal: find changes that an
//! attacker with full control of the database can hide from the hash chain.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::audit::program_with_logs;
use super::program::{Ended, Program, end, text};

/// Program with two logs of two entries, a signing key, and an anchor of each log.
struct Anchored {
    program: Program,
    one: String,
    two: String,
    anchors: String,
}

impl Anchored {
    fn new() -> Self {
        let (program, one, two) = program_with_logs();
        let public_key = program.output(&["audit", "anchor-key", "--output", "key.pem"]);
        program.file("public.pem", &public_key);
        let mut anchored = Self {
            program,
            one,
            two,
            anchors: String::new(),
        };
        anchored.anchor();
        anchored
    }

    /// Adds anchors of the current logs.
    fn anchor(&mut self) {
        let printed = self
            .program
            .output(&["audit", "anchor", "--key", "key.pem"]);
        self.anchors.push_str(&printed);
    }

    /// Verifies the database and an export of it with these anchors.
    fn verify_with(&self, anchors: &str) -> [Ended; 2] {
        self.program.file("anchors.jsonl", anchors);
        let export = self.program.output(&["audit", "export"]);
        self.program.file("export.jsonl", &export);
        let with_anchors = [
            "--anchors",
            "anchors.jsonl",
            "--anchor-public-key",
            "public.pem",
        ];
        let arguments = [&["audit", "verify", "--json"], &with_anchors[..]].concat();
        let in_file = [&arguments, &["--file", "export.jsonl"][..]].concat();
        [
            self.program.run(&arguments),
            end(self.program.unconfigured(&in_file)),
        ]
    }

    /// Changes the database and asserts that only the anchors reveal the change, with this message.
    fn assert_found_by_anchors_only(&self, sql: &str, message: &str) {
        self.program.database.drop_audit_triggers();
        let sql = sql.replace("ONE", &format!("$id:{}", self.one));
        self.program.database.execute_unchecked(&sql);
        let without = self.program.run(&["audit", "verify"]);
        assert_eq!(without.code, 0, "{sql}: {without:?}");
        for found in self.verify_with(&self.anchors) {
            assert_eq!(found.code, 1, "{sql}: {found:?}");
            let found: Value = serde_json::from_str(&found.stdout).unwrap();
            assert_eq!(
                found["faults"].as_array().unwrap().len(),
                1,
                "{sql}: {found}"
            );
            assert_eq!(found["faults"][0]["org_id"], self.one);
            assert!(
                text(&found["faults"][0], "fault").contains(message),
                "{message}: {found}"
            );
        }
    }
}

#[test]
fn an_anchor_signs_the_length_and_head_of_a_log() {
    let anchored = Anchored::new();
    let lines: Vec<&str> = anchored.anchors.lines().collect();
    assert_eq!(lines.len(), 2);
    let log = anchored
        .program
        .json(&["audit", "list", "--org", &anchored.one]);
    let line: Value = serde_json::from_str(lines[0]).unwrap();
    let anchor = text(&line, "anchor");
    assert_eq!(line, json!({"org_id": anchored.one, "anchor": anchor}));
    let header = jsonwebtoken::decode_header(&anchor).unwrap();
    assert_eq!(header.alg, Algorithm::EdDSA);
    assert_eq!(header.typ.as_deref(), Some("quietline-audit-anchor"));
    let claims = jsonwebtoken::dangerous::insecure_decode::<Value>(&anchor)
        .unwrap()
        .claims;
    let fields: Vec<&String> = claims.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["anchored_at", "hash", "iss", "length", "org_id"]);
    assert_eq!(claims["org_id"], anchored.one);
    assert_eq!(
        (&claims["length"], &claims["hash"]),
        (&json!(2), &log[0]["hash"])
    );
    assert_eq!(claims["iss"], "quietline-audit-anchor");
    assert!(text(&claims, "anchored_at").ends_with('Z'), "{claims}");
    let program = &anchored.program;
    let of_two = program.output(&[
        "audit",
        "anchor",
        "--org",
        &anchored.two,
        "--key",
        "key.pem",
    ]);
    assert_eq!(of_two.lines().count(), 1);
}

#[test]
fn a_log_that_has_grown_still_matches_all_of_its_anchors() {
    let mut anchored = Anchored::new();
    for round in 2..4 {
        anchored.program.key(&anchored.one, "org:read");
        anchored.anchor();
        anchored.program.organization("Later");
        for found in anchored.verify_with(&anchored.anchors) {
            assert_eq!(found.code, 0, "{found:?}");
            let found: Value = serde_json::from_str(&found.stdout).unwrap();
            let anchors = anchored.anchors.lines().count();
            assert_eq!(
                (&found["ok"], &found["anchors"]),
                (&json!(true), &json!(anchors))
            );
            assert_eq!(found["organizations"], round + 1, "{found}");
        }
    }
}

#[test]
fn an_anchor_reveals_a_completely_rewritten_chain() {
    // The attacker deletes the log and lets the program fill it again. The chain is consistent but
    // its entries are different.
    let mut anchored = Anchored::new();
    anchored.anchor();
    let empty = "UPDATE organizations SET audit_length = 0, audit_head = (SELECT previous_hash \
         FROM audit_log WHERE org_id = ONE AND seq = 1) WHERE id = ONE; \
         DELETE FROM audit_log WHERE org_id = ONE";
    anchored.assert_found_by_anchors_only(empty, "ends at entry 0, entry 2 was anchored");
    for _key in 0..3 {
        anchored.program.key(&anchored.one, "org:read");
    }
    anchored.assert_found_by_anchors_only("SELECT 1", "entry 2 is not the one that was anchored");
}

#[test]
fn an_anchor_reveals_a_log_that_was_truncated_together_with_its_head() {
    let cut = "DELETE FROM audit_log WHERE org_id = ONE AND seq = 2; \
         UPDATE organizations SET audit_length = 1, audit_head = (SELECT hash FROM audit_log \
         WHERE org_id = ONE AND seq = 1) WHERE id = ONE";
    Anchored::new().assert_found_by_anchors_only(cut, "ends at entry 1, entry 2 was anchored");
}

#[test]
fn an_anchor_reveals_a_deleted_organization() {
    let vanish =
        "DELETE FROM audit_log WHERE org_id = ONE; DELETE FROM organizations WHERE id = ONE";
    Anchored::new().assert_found_by_anchors_only(vanish, "the organization was deleted");

    let program = Program::new();
    program.file(
        "public.pem",
        &program.output(&["audit", "anchor-key", "--output", "key.pem"]),
    );
    let one = program.organization("Without any entry");
    let anchors = program.output(&["audit", "anchor", "--key", "key.pem"]);
    let two = String::new();
    let anchored = Anchored {
        program,
        one,
        two,
        anchors,
    };
    assert!(
        anchored
            .verify_with(&anchored.anchors)
            .iter()
            .all(|found| found.code == 0)
    );
    anchored.assert_found_by_anchors_only(vanish, "the organization was deleted");
}

#[test]
fn older_anchors_are_checked_too() {
    let mut anchored = Anchored::new();
    let old = anchored.anchors.clone();
    let empty = "UPDATE organizations SET audit_length = 0, audit_head = (SELECT previous_hash \
         FROM audit_log WHERE org_id = ONE AND seq = 1) WHERE id = ONE; \
         DELETE FROM audit_log WHERE org_id = ONE";
    anchored.assert_found_by_anchors_only(empty, "entry 2 was anchored");
    for _key in 0..3 {
        anchored.program.key(&anchored.one, "org:read");
    }
    anchored.anchors.clear();
    anchored.anchor();
    assert!(
        anchored
            .verify_with(&anchored.anchors)
            .iter()
            .all(|found| found.code == 0)
    );
    for both in [
        old.clone() + &anchored.anchors,
        anchored.anchors.clone() + &old,
    ] {
        assert!(
            anchored
                .verify_with(&both)
                .iter()
                .all(|found| found.code == 1)
        );
    }
}

#[test]
fn verifying_one_organization_uses_only_its_own_anchors() {
    let anchored = Anchored::new();
    anchored.program.file("anchors.jsonl", &anchored.anchors);
    anchored.program.database.drop_audit_triggers();
    let vanish = format!(
        "DELETE FROM audit_log WHERE org_id = $id:{0}; \
         DELETE FROM organizations WHERE id = $id:{0}",
        anchored.one
    );
    anchored.program.database.execute_unchecked(&vanish);
    let later = anchored.program.organization("Later");
    let verify = |org: &str| {
        let with_anchors = [
            "--anchors",
            "anchors.jsonl",
            "--anchor-public-key",
            "public.pem",
        ];
        let arguments = [&["audit", "verify", "--org", org], &with_anchors[..]].concat();
        anchored.program.run(&arguments)
    };
    let of_two = verify(&anchored.two);
    assert_eq!(of_two.code, 0);
    assert!(
        of_two.stdout.ends_with("and match 1 anchor\n"),
        "{of_two:?}"
    );
    assert_eq!(verify(&anchored.one).code, 1);
    let without_anchor = verify(&later);
    assert_eq!(without_anchor.code, 1);
    assert!(
        without_anchor.stderr.contains("has no anchor"),
        "{without_anchor:?}"
    );
}

/// Signs a line with the key in `key.pem` that is not an anchor of this program.
fn signed(program: &Program, typ: &str, claims: &Value) -> String {
    let key = fs::read_to_string(program.folder.path().join("key.pem")).unwrap();
    let key = EncodingKey::from_ed_der(pem::parse(key).unwrap().contents());
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(typ.to_owned());
    let anchor = jsonwebtoken::encode(&header, claims, &key).unwrap();
    json!({"org_id": claims["org_id"], "anchor": anchor}).to_string()
}

#[test]
fn lines_other_than_anchors_signed_with_the_key_are_refused_by_number() {
    let anchored = Anchored::new();
    let program = &anchored.program;
    let typ = "quietline-audit-anchor";
    let claims = json!({"iss": typ, "org_id": anchored.one, "length": 2,
        "hash": "ab".repeat(32), "anchored_at": "2026-01-04T12:00:00Z"});
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        signed(program, typ, &claims)
    };
    program.output(&["audit", "anchor-key", "--output", "other.pem"]);
    let first = anchored.anchors.lines().next().unwrap();
    let at = first.len() - 10;
    let other = if first.as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    let lines = [
        String::new(),
        "{}".to_owned(),
        "not JSON".to_owned(),
        first[..40].to_owned(),
        first.replace('}', ",\"more\":1}"),
        first.replace(&anchored.one, &anchored.two),
        [&first[..at], other, &first[at + 1..]].concat(),
        program.output(&[
            "audit",
            "anchor",
            "--org",
            &anchored.one,
            "--key",
            "other.pem",
        ]),
        signed(program, "JWT", &claims),
        with("iss", json!("somebody")),
        with("length", json!(-1)),
        with("length", json!(0)),
        with("hash", json!("0".repeat(64))),
        with("hash", json!("ab")),
        with("org_id", json!("nobody")),
        with("more", json!(1)),
        with("anchored_at", json!("yesterday")),
    ];
    for line in lines {
        let anchors = format!("{}{}\n", anchored.anchors, line.trim_end());
        for found in anchored.verify_with(&anchors) {
            assert_eq!(
                (found.code, found.stdout.as_str()),
                (1, ""),
                "{line}: {found:?}"
            );
            assert!(
                found.stderr.contains("anchors.jsonl: line 3: "),
                "{line}: {found:?}"
            );
        }
    }
    for found in anchored.verify_with("") {
        assert_eq!((found.code, found.stdout.as_str()), (1, ""), "{found:?}");
        assert!(
            found.stderr.contains("must contain at least one anchor"),
            "{found:?}"
        );
    }
}

#[test]
fn the_export_of_one_organization_is_verified_with_its_own_anchors() {
    let anchored = Anchored::new();
    let program = &anchored.program;
    let lines = anchored.anchors.lines();
    let of_two: String = lines.filter(|line| line.contains(&anchored.two)).collect();
    program.file("anchors.jsonl", &format!("{of_two}\n"));
    program.output(&[
        "audit",
        "export",
        "--org",
        &anchored.two,
        "--output",
        "two.jsonl",
    ]);
    let with_anchors = [
        "--anchors",
        "anchors.jsonl",
        "--anchor-public-key",
        "public.pem",
    ];
    let arguments = [
        &["audit", "verify", "--file", "two.jsonl"],
        &with_anchors[..],
    ]
    .concat();
    let printed = program.output(&arguments);
    assert_eq!(
        printed,
        "2 entries of 1 organization are intact and match 1 anchor\n"
    );
}

#[test]
fn anchors_require_their_public_key_and_vice_versa() {
    let program = Program::new();
    for flags in [["--anchors", "x"], ["--anchor-public-key", "x"]] {
        let ended = program.run(&[&["audit", "verify"], &flags[..]].concat());
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{ended:?}");
    }
}

#[test]
fn a_new_signing_key_is_readable_by_its_owner_only_and_overwrites_nothing() {
    let program = Program::new();
    let arguments = ["audit", "anchor-key", "--output", "key.pem"];
    let made = program.json(&arguments);
    assert_eq!(made["private_key_file"], "key.pem");
    assert!(
        text(&made, "public_key").starts_with("-----BEGIN PUBLIC KEY-----\n"),
        "{made}"
    );
    let path = program.folder.path().join("key.pem");
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let key = fs::read_to_string(&path).unwrap();
    assert!(key.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert!(program.error_output(&arguments).contains("key.pem"));
    assert_eq!(fs::read_to_string(&path).unwrap(), key);
}

#[test]
fn the_key_comes_from_the_flag_or_from_the_environment() {
    let anchored = Anchored::new();
    let program = &anchored.program;
    let error_output = program.error_output(&["audit", "anchor"]);
    assert!(
        error_output.contains("QUIETLINE_ANCHOR_KEY_FILE"),
        "{error_output}"
    );
    let mut command = program.command(&["audit", "anchor"]);
    command.env("QUIETLINE_ANCHOR_KEY_FILE", "key.pem");
    let ended = end(command);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        anchored
            .verify_with(&ended.stdout)
            .iter()
            .all(|found| found.code == 0)
    );
    let mut command = program.command(&["audit", "anchor", "--key", "key.pem"]);
    command.env("QUIETLINE_ANCHOR_KEY_FILE", "missing.pem");
    assert_eq!(end(command).code, 0);
}

#[test]
fn other_keys_are_refused_with_a_clear_message() {
    let anchored = Anchored::new();
    let program = &anchored.program;
    let read = |name: &str| fs::read_to_string(program.folder.path().join(name)).unwrap();
    let (private, public) = (read("key.pem"), read("public.pem"));
    let ecdsa =
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    let ecdsa = pem::encode(&pem::Pem::new("PRIVATE KEY", ecdsa.unwrap().as_ref()));
    let encrypted = private.replace("PRIVATE", "ENCRYPTED PRIVATE");
    let cases = [
        (public.as_str(), "\"PUBLIC KEY\""),
        (&ecdsa, "must be an Ed25519 key"),
        (&encrypted, "\"ENCRYPTED PRIVATE KEY\""),
        ("secret text", "must be PEM"),
        ("", "must be PEM"),
    ];
    for (content, message) in cases {
        program.file("bad.pem", content);
        let error_output = program.error_output(&["audit", "anchor", "--key", "bad.pem"]);
        assert!(
            error_output.contains("bad.pem") && error_output.contains(message),
            "{error_output}"
        );
        assert!(!error_output.contains("secret"), "{error_output}");
    }
    let missing = program.error_output(&["audit", "anchor", "--key", "missing.pem"]);
    assert!(missing.contains("missing.pem"), "{missing}");
    program.file("anchors.jsonl", &anchored.anchors);
    for (content, message) in [(private.as_str(), "\"PRIVATE KEY\""), ("", "must be PEM")] {
        program.file("bad.pem", content);
        let with_key = [
            "--anchors",
            "anchors.jsonl",
            "--anchor-public-key",
            "bad.pem",
        ];
        let error_output = program.error_output(&[&["audit", "verify"], &with_key[..]].concat());
        assert!(
            error_output.contains("bad.pem") && error_output.contains(message),
            "{error_output}"
        );
    }
}
