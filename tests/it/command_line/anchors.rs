//! `audit anchor`, `audit anchor-key`, and verification with anchors. Goal: find changes that an
//! attacker with full control of the database can hide from the hash chain.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::audit::program_with_logs;
use super::program::{Ended, Program, end, text};

/// Cuts the last entry of the log ONE, and the key that the entry creates.
const CUT: &str = "DELETE FROM api_keys WHERE $text:id = (SELECT resource_id FROM audit_log \
     WHERE org_id = ONE AND seq = 2); DELETE FROM audit_log WHERE org_id = ONE AND seq = 2; \
     UPDATE organizations SET audit_length = 1, audit_head = (SELECT hash FROM audit_log \
     WHERE org_id = ONE AND seq = 1) WHERE id = ONE";

/// Deletes all rows of the organization ONE.
const VANISH: &str = "DELETE FROM api_keys WHERE org_id = ONE; \
     DELETE FROM audit_log WHERE org_id = ONE; DELETE FROM organizations WHERE id = ONE";

/// Flags that verify with the anchors of [`Anchored::anchors`].
const WITH_ANCHORS: [&str; 4] = [
    "--anchors",
    "anchors.jsonl",
    "--anchor-public-key",
    "public.pem",
];

/// Program with two logs of two entries, a signing key, and a statement of both heads.
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

    /// Adds a statement of the current heads.
    fn anchor(&mut self) {
        self.program.file("anchors.jsonl", &self.anchors);
        let printed = self.program.output(&[
            "audit",
            "anchor",
            "--key",
            "key.pem",
            "--previous",
            "anchors.jsonl",
        ]);
        self.anchors.push_str(&printed);
    }

    /// Verifies the database and an export of it with these anchors.
    fn verify_with(&self, anchors: &str) -> [Ended; 2] {
        self.program.file("anchors.jsonl", anchors);
        let export = self.program.output(&["audit", "export"]);
        self.program.file("export.jsonl", &export);
        let arguments = [&["audit", "verify", "--json"], &WITH_ANCHORS[..]].concat();
        let in_file = [&arguments, &["--file", "export.jsonl"][..]].concat();
        [
            self.program.run(&arguments),
            end(self.program.unconfigured(&in_file)),
        ]
    }

    /// Changes the database and asserts that only the anchors reveal the change, with this message.
    fn assert_found_by_anchors_only(&self, sql: &str, message: &str) {
        self.program.database.drop_triggers();
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

/// Returns the claims that a line signs.
fn claims_of(line: &Value) -> Value {
    let statement = text(line, "statement");
    jsonwebtoken::dangerous::insecure_decode::<Value>(&statement)
        .unwrap()
        .claims
}

#[test]
fn an_anchor_signs_the_heads_of_all_logs_in_one_line() {
    let anchored = Anchored::new();
    let line: Value = serde_json::from_str(&anchored.anchors).unwrap();
    let fields: Vec<&String> = line.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["heads", "statement"]);
    let head = |org: &str| {
        let log = anchored.program.json(&["audit", "list", "--org", org]);
        json!([org, 2, log[0]["hash"]])
    };
    let heads = json!([head(&anchored.one), head(&anchored.two)]);
    assert_eq!(line["heads"], heads);
    let header = jsonwebtoken::decode_header(text(&line, "statement")).unwrap();
    assert_eq!(header.alg, Algorithm::EdDSA);
    assert_eq!(header.typ.as_deref(), Some("quietline-audit-anchor"));
    let claims = claims_of(&line);
    let fields: Vec<&String> = claims.as_object().unwrap().keys().collect();
    assert_eq!(
        fields,
        [
            "anchored_at",
            "heads_sha256",
            "iss",
            "organizations",
            "previous"
        ]
    );
    assert_eq!(
        (&claims["organizations"], &claims["previous"]),
        (&json!(2), &Value::Null)
    );
    assert_eq!(claims["heads_sha256"], heads_sha256(&heads));
    assert_eq!(claims["iss"], "quietline-audit-anchor");
    assert!(text(&claims, "anchored_at").ends_with('Z'), "{claims}");
}

/// Returns the digest of the heads as the documentation describes it.
fn heads_sha256(heads: &Value) -> String {
    let mut fields = vec!["quietline.audit.heads.v1".to_owned()];
    for head in heads.as_array().unwrap() {
        fields.extend([
            head[0].as_str().unwrap().to_owned(),
            head[1].to_string(),
            head[2].as_str().unwrap().to_owned(),
        ]);
    }
    let netstrings = fields
        .iter()
        .map(|field| format!("{}:{field},", field.len()));
    hex::encode(Sha256::digest(netstrings.collect::<String>()))
}

#[test]
fn an_anchor_names_the_line_before_it() {
    let mut anchored = Anchored::new();
    anchored.anchor();
    let lines: Vec<&str> = anchored.anchors.lines().collect();
    let second: Value = serde_json::from_str(lines[1]).unwrap();
    let first = hex::encode(Sha256::digest(lines[0]));
    assert_eq!(claims_of(&second)["previous"], first);
}

#[test]
fn removed_and_moved_statements_are_refused_by_line() {
    let mut anchored = Anchored::new();
    for _round in 0..2 {
        anchored.anchor();
    }
    let lines: Vec<String> = anchored
        .anchors
        .lines()
        .map(|line| format!("{line}\n"))
        .collect();
    let cases = [
        (lines[1..].concat(), "line 1: "),
        (lines[0].clone() + &lines[2], "line 2: "),
        (lines[0].clone() + &lines[2] + &lines[1], "line 2: "),
        (lines[0].clone() + &lines[0], "line 2: "),
    ];
    for (anchors, place) in cases {
        for found in anchored.verify_with(&anchors) {
            assert_eq!((found.code, found.stdout.as_str()), (1, ""), "{found:?}");
            let message = format!("anchors.jsonl: {place}must continue the line before");
            assert!(found.stderr.contains(&message), "{message}: {found:?}");
        }
    }
}

#[test]
fn logs_with_a_fault_are_not_anchored() {
    let anchored = Anchored::new();
    anchored.program.file("anchors.jsonl", &anchored.anchors);
    anchored.program.database.drop_triggers();
    let rename = format!(
        "UPDATE organizations SET name = 'Evil' WHERE id = $id:{}",
        anchored.one
    );
    anchored.program.database.execute(&rename);
    let anchor = ["audit", "anchor", "--key", "key.pem"];
    for previous in [&[][..], &["--previous", "anchors.jsonl"]] {
        let ended = anchored.program.run(&[&anchor[..], previous].concat());
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended:?}");
        assert!(ended.stderr.contains("Evil"), "{ended:?}");
    }
}

#[test]
fn logs_without_their_previous_anchors_are_not_anchored() {
    let anchored = Anchored::new();
    anchored.program.file("anchors.jsonl", &anchored.anchors);
    anchored.assert_found_by_anchors_only(CUT, "entry 2 was anchored");
    let anchor = ["audit", "anchor", "--key", "key.pem"];
    let continued = [&anchor[..], &["--previous", "anchors.jsonl"]].concat();
    let ended = anchored.program.run(&continued);
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended:?}");
    assert!(ended.stderr.contains("entry 2 was anchored"), "{ended:?}");
    assert_eq!(anchored.program.run(&anchor).code, 0);
}

#[test]
fn a_log_that_has_grown_still_matches_all_of_its_anchors() {
    let mut anchored = Anchored::new();
    for round in 2..4 {
        anchored.program.key(&anchored.one, "org:read");
        anchored.anchor();
        let later = anchored.program.organization("Later");
        for found in anchored.verify_with(&anchored.anchors) {
            assert_eq!(found.code, 0, "{found:?}");
            let found: Value = serde_json::from_str(&found.stdout).unwrap();
            assert_eq!(found["ok"], true);
            assert_eq!(found["anchors"]["statements"], round);
            assert_eq!(found["anchors"]["unanchored"], json!([later]));
            assert!(text(&found["anchors"], "newest").ends_with('Z'), "{found}");
            assert_eq!(found["organizations"], round + 1, "{found}");
        }
    }
}

#[test]
fn verification_names_the_age_of_the_newest_anchor_and_organizations_without_one() {
    let anchored = Anchored::new();
    anchored.program.file("anchors.jsonl", &anchored.anchors);
    let later = anchored.program.organization("Later");
    let arguments = [&["audit", "verify"], &WITH_ANCHORS[..]].concat();
    let printed = anchored.program.output(&arguments);
    let lines: Vec<&str> = printed.lines().collect();
    assert!(
        lines[0].starts_with("1 anchor, the newest ") && lines[0].ends_with("s old"),
        "{printed}"
    );
    let unanchored = format!("1 organization without an anchor: {later}");
    assert_eq!(lines[1], unanchored);
    assert_eq!(
        lines[2],
        "5 entries of 3 organizations are intact and explain the stored data"
    );
}

#[test]
fn an_anchor_reveals_a_rewritten_chain() {
    // The attacker cuts the log with its data and lets the program fill it again. The chain is
    // consistent but its entries are different.
    let mut anchored = Anchored::new();
    anchored.anchor();
    anchored.assert_found_by_anchors_only(CUT, "ends at entry 1, entry 2 was anchored");
    for _key in 0..3 {
        anchored.program.key(&anchored.one, "org:read");
    }
    anchored.assert_found_by_anchors_only("SELECT 1", "entry 2 is not the one that was anchored");
}

#[test]
fn an_anchor_reveals_a_deleted_organization() {
    Anchored::new().assert_found_by_anchors_only(VANISH, "the organization was deleted");
}

#[test]
fn older_anchors_are_checked_too() {
    let mut anchored = Anchored::new();
    let old = anchored.anchors.clone();
    anchored.anchor();
    let newer = anchored.anchors.clone();
    anchored.assert_found_by_anchors_only(CUT, "entry 2 was anchored");
    for _key in 0..3 {
        anchored.program.key(&anchored.one, "org:read");
    }
    anchored.anchors.clear();
    anchored.anchor();
    let is_clean = |anchors: &str| {
        let found = anchored.verify_with(anchors);
        found.iter().all(|found| found.code == 0)
    };
    assert!(is_clean(&anchored.anchors));
    assert!(!is_clean(&old) && !is_clean(&newer));
}

#[test]
fn verifying_one_organization_uses_only_its_own_anchors() {
    let anchored = Anchored::new();
    anchored.program.file("anchors.jsonl", &anchored.anchors);
    anchored.program.database.drop_triggers();
    let vanish = VANISH.replace("ONE", &format!("$id:{}", anchored.one));
    anchored.program.database.execute_unchecked(&vanish);
    let later = anchored.program.organization("Later");
    let verify = |org: &str| {
        let arguments = [&["audit", "verify", "--org", org], &WITH_ANCHORS[..]].concat();
        anchored.program.run(&arguments)
    };
    let of_two = verify(&anchored.two);
    assert_eq!(of_two.code, 0);
    assert!(of_two.stdout.starts_with("1 anchor, "), "{of_two:?}");
    assert_eq!(verify(&anchored.one).code, 1);
    let without_anchor = verify(&later);
    assert_eq!(without_anchor.code, 1);
    assert!(
        without_anchor.stderr.contains("has no anchor"),
        "{without_anchor:?}"
    );
}

/// Signs a line with the key in `key.pem` that is not an anchor of this program.
fn signed(program: &Program, typ: &str, claims: &Value, heads: &Value) -> String {
    let key = fs::read_to_string(program.folder.path().join("key.pem")).unwrap();
    let key = EncodingKey::from_ed_der(pem::parse(key).unwrap().contents());
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(typ.to_owned());
    let statement = jsonwebtoken::encode(&header, claims, &key).unwrap();
    json!({"statement": statement, "heads": heads}).to_string()
}

#[test]
fn lines_other_than_anchors_signed_with_the_key_are_refused_by_number() {
    let anchored = Anchored::new();
    let program = &anchored.program;
    let typ = "quietline-audit-anchor";
    let of_heads = |heads: Value| {
        json!({"iss": typ, "anchored_at": "2026-01-04T12:00:00Z", "organizations": 1,
            "previous": hex::encode(Sha256::digest(anchored.anchors.trim_end())),
            "heads_sha256": heads_sha256(&heads)})
    };
    let heads = json!([[anchored.one, 2, "ab".repeat(32)]]);
    let claims = of_heads(heads.clone());
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        signed(program, typ, &claims, &heads)
    };
    let of = |org: &str, length: i64, hash: &str| {
        let heads = json!([[org, length, hash]]);
        signed(program, typ, &of_heads(heads.clone()), &heads)
    };
    let hash = "ab".repeat(32);
    program.output(&["audit", "anchor-key", "--output", "other.pem"]);
    let first = anchored.anchors.trim_end();
    let lines = [
        String::new(),
        "{}".to_owned(),
        "not JSON".to_owned(),
        first[..40].to_owned(),
        first.replace('}', ",\"more\":1}"),
        first.replace(&anchored.one, &anchored.two),
        program.output(&["audit", "anchor", "--key", "other.pem"]),
        signed(program, "JWT", &claims, &heads),
        signed(program, typ, &claims, &json!([])),
        with("iss", json!("somebody")),
        with("organizations", json!(2)),
        with("heads_sha256", json!("ab")),
        with("previous", Value::Null),
        with("more", json!(1)),
        with("anchored_at", json!("yesterday")),
        of(&anchored.one, -1, &hash),
        of(&anchored.one, 0, &hash),
        of(&anchored.one, 2, &"0".repeat(64)),
        of(&anchored.one, 2, "ab"),
        of("nobody", 3, &hash),
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
                found.stderr.contains("anchors.jsonl: line 2: "),
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
    program.file("anchors.jsonl", &anchored.anchors);
    let export = [
        "audit",
        "export",
        "--org",
        &anchored.two,
        "--output",
        "two.jsonl",
    ];
    program.output(&export);
    let arguments = [
        &["audit", "verify", "--file", "two.jsonl", "--org"],
        &[anchored.two.as_str()][..],
        &WITH_ANCHORS,
    ];
    let printed = program.output(&arguments.concat());
    let expected = "2 entries of 1 organization are intact (an export has no data to compare)\n";
    assert!(printed.ends_with(expected), "{printed}");
    let by_name = ["audit", "verify", "--file", "two.jsonl", "--org", "name"];
    let error_output = program.error_output(&by_name);
    assert!(error_output.contains("--org"), "{error_output}");
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
