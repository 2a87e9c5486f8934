//! Audit entries of a PATCH: one per action, with the request id.

use actix_web::http::Method;
use quietline::domain::audit::chain::Anchors;
use quietline::domain::audit::entry::AuditEntry;
use quietline::domain::scope::Scope;
use quietline::operator::audit::{list, verify};
use serde_json::{Value, json};

use crate::agentmessage::admin::{Admin, PATH, payload};

fn actions(entries: &[AuditEntry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.action.as_str()).collect()
}

/// Sends each PATCH and expects one entry of `action` with the old and new values.
async fn each_leaves(admin: &Admin, action: &str, rows: impl IntoIterator<Item = [Value; 3]>) {
    for [body, before, after] in rows {
        let known = admin.audit().await.len();
        admin.change(body.clone()).await;
        let entries = admin.audit().await;
        assert_eq!(actions(&entries[known..]), [action], "{body}");
        let expected = json!({ "before": before, "after": after });
        assert_eq!(payload(&entries[known]), expected, "{body}");
    }
}

#[actix_web::test]
async fn an_entry_of_plain_fields_has_only_the_changed_fields() {
    let admin = Admin::new().await;
    let names = [
        [
            json!({"name": " B "}),
            json!({"name": "Acme Health, Inc."}),
            json!({"name": "B"}),
        ],
        [
            json!({"billing_email": null, "name": "B"}),
            json!({"billing_email": "ap@acme.example"}),
            json!({"billing_email": null}),
        ],
        [
            json!({"name": "C", "billing_email": "c@d.co"}),
            json!({"name": "B", "billing_email": null}),
            json!({"name": "C", "billing_email": "c@d.co"}),
        ],
    ];
    each_leaves(&admin, "organization.update", names).await;
    let windows = [
        [
            json!({"message_retention_days": 90.0}),
            json!({"message_retention_days": 60}),
            json!({"message_retention_days": 90}),
        ],
        [
            json!({"mms_retention_days": 31, "message_retention_days": 90}),
            json!({"mms_retention_days": 30}),
            json!({"mms_retention_days": 31}),
        ],
    ];
    each_leaves(&admin, "retention.update", windows).await;
    let reseller = [
        json!({"is_reseller": true}),
        json!({"is_reseller": false}),
        json!({"is_reseller": true}),
    ];
    each_leaves(&admin, "reseller.update", [reseller]).await;
}

#[actix_web::test]
async fn an_entry_of_a_block_has_only_its_changed_fields() {
    let admin = Admin::new().await;
    let quiet_hours = [
        [
            json!({"quiet_hours": {"enabled": true, "start": "22:00", "end": "08:00"}}),
            json!({"enabled": false, "start": "21:00"}),
            json!({"enabled": true, "start": "22:00"}),
        ],
        [
            json!({"quiet_hours": {"end": "07:00", "mode": "defer"}}),
            json!({"end": "08:00", "mode": "reject"}),
            json!({"end": "07:00", "mode": "defer"}),
        ],
    ];
    each_leaves(&admin, "quiet_hours.update", quiet_hours).await;
    let auto_replies = [
        json!({"auto_replies": {"enabled": true, "stop_text": "S", "help_text": null}}),
        json!({"stop_text": null}),
        json!({"stop_text": "S"}),
    ];
    each_leaves(&admin, "auto_replies.update", [auto_replies]).await;
}

#[actix_web::test]
async fn a_patch_of_everything_is_one_entry_per_action_with_one_request_id() {
    let admin = Admin::new().await;
    let head = admin.stored().await.audit.length;
    let body = json!({
        "name": "Other", "billing_email": null,
        "message_retention_days": 90, "mms_retention_days": 90,
        "is_reseller": true, "quiet_hours": {"enabled": true, "mode": "defer"},
        "auto_replies": {"enabled": false, "stop_text": "S", "attestation": "We do."},
    });
    let response = admin.patch(&body).await;
    let entries = admin.audit().await;
    let mut found = actions(&entries);
    found.sort_unstable();
    let expected = [
        "auto_replies.update",
        "organization.update",
        "quiet_hours.update",
        "reseller.update",
        "retention.update",
    ];
    assert_eq!(found, expected);
    for (entry, seq) in entries.iter().zip(head + 1..) {
        assert_eq!(entry.seq, seq, "{entry:?}");
        assert_eq!(
            entry.request_id,
            response.header("x-request-id"),
            "{entry:?}"
        );
    }
    assert_eq!(admin.stored().await.audit.length, head + 5);
    assert_eq!(
        admin.stored().await.version,
        2,
        "one change of the organization"
    );
}

#[actix_web::test]
async fn an_entry_says_who_did_what_to_what_and_when() {
    let admin = Admin::new().await;
    let response = admin.patch(&json!({"name": "Other"})).await;
    let entries = admin.audit().await;
    let [entry] = entries.as_slice() else {
        panic!("{entries:?}")
    };
    let key_id = admin.key_id().await;
    assert_eq!(entry.actor.kind, "customer");
    assert_eq!(entry.actor.label, format!("api_key:{key_id} (test)"));
    assert!(
        entry.actor.identity.contains(&key_id.to_string()),
        "{entry:?}"
    );
    assert_eq!(
        (entry.resource_type.as_str(), entry.resource_id.as_str()),
        ("organization", admin.org_id.to_string().as_str())
    );
    assert_eq!(
        entry.occurred_at.format("%FT%TZ").to_string(),
        "2026-01-04T12:00:00Z"
    );
    assert_eq!(entry.reason, None);
    assert_eq!(entry.request_id, response.header("x-request-id"));
    assert_eq!(entry.id.len(), 26, "a ULID");
    assert_ne!(entry.id, entry.request_id);
}

#[actix_web::test]
async fn each_key_is_named_by_its_own_id() {
    let admin = Admin::new().await;
    admin.change(json!({"name": "B"})).await;
    let other = admin
        .app
        .api_key_of(&admin.org_id, &[Scope::OrgAdminWrite])
        .await;
    admin.app.patch(&other, json!({"name": "C"})).await;
    let entries = admin.audit().await;
    let own = format!("api_key:{} (test)", admin.key_id().await);
    assert_eq!(entries[0].actor.label, own);
    assert_ne!(entries[1].actor.label, own);
    assert_ne!(entries[0].request_id, entries[1].request_id);
}

#[actix_web::test]
async fn no_entry_holds_a_secret() {
    let admin = Admin::new().await;
    admin.change(json!({"name": "Other"})).await;
    let all = list::newest(&admin.app.state.db, admin.org_id, None, 100)
        .await
        .unwrap();
    assert!(!format!("{all:?}").contains(&admin.key));
}

#[actix_web::test]
async fn reads_refusals_and_patches_without_effect_leave_no_entry() {
    let admin = Admin::new().await;
    admin.get().await;
    for body in [
        json!({}),
        json!({"name": "Acme Health, Inc."}),
        json!({"name": null}),
        json!({"auto_replies": {"enabled": false}}),
        json!([]),
    ] {
        admin.patch(&body).await;
        assert!(admin.audit().await.is_empty(), "{body}");
    }
    let reader = admin.app.api_key_of(&admin.org_id, &[Scope::OrgRead]).await;
    admin.app.patch(&reader, json!({"name": "Other"})).await;
    let stale = admin
        .patching()
        .header("if-match", "\"0\"")
        .json(&json!({"name": "Other"}));
    assert_eq!(stale.send().await.status, 412);
    let anonymous = admin.app.request(Method::PATCH, PATH);
    anonymous.json(&json!({"name": "Other"})).send().await;
    assert!(admin.audit().await.is_empty());
}

#[actix_web::test]
async fn the_hash_chain_is_intact_after_many_changes() {
    let admin = Admin::new().await;
    for days in 31..50 {
        let body = json!({"mms_retention_days": days, "name": format!("Name {days}")});
        admin.change(body).await;
    }
    let found = verify::verify(&admin.app.state.db, admin.org_id, Anchors::default()).unwrap();
    assert_eq!(found.faults, []);
    assert_eq!(found.entries, admin.stored().await.audit.length);
    let seqs: Vec<i64> = admin.audit().await.iter().map(|entry| entry.seq).collect();
    assert!(
        seqs.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{seqs:?}"
    );
}

#[actix_web::test]
async fn a_long_text_of_any_script_is_audited_in_full() {
    let admin = Admin::new().await;
    let text = "\u{10ffff}\u{1}\u{7f}\"\\\u{2028}é😀".repeat(40);
    admin
        .change(json!({"auto_replies": {"help_text": text}}))
        .await;
    let expected = json!({"before": {"help_text": Value::Null}, "after": {"help_text": text}});
    assert_eq!(payload(&admin.audit().await[0]), expected);
    let found = verify::verify(&admin.app.state.db, admin.org_id, Anchors::default()).unwrap();
    assert_eq!(found.faults, []);
}
