//! Audit entries of a PUT, in the log of the changed organization.

use quietline::domain::actor::Role;
use quietline::domain::audit::chain::Anchors;
use quietline::domain::audit::entry::AuditEntry;
use quietline::domain::scope::Scope;
use quietline::operator::audit::{list, verify};
use serde_json::{Value, json};

use super::users::{METHODS, assert_failure, call, change, other_organization};
use crate::support::TestApp;
use crate::support::app::EXTERNAL_ID;

fn payload(entry: &AuditEntry) -> Value {
    serde_json::from_str(&entry.payload).expect("a payload is JSON")
}

#[actix_web::test]
async fn an_entry_has_only_the_changed_settings() {
    let app = TestApp::new().await;
    for body in [
        json!({"missedCallMessage": "Hi {{contactName}}"}),
        json!({"missedCallMessage": "Hi {{contactName}}", "missedCallAutoMessageEnabled": true}),
        json!({"missedCallMessage": "", "missedCallAutoMessageEnabled": false}),
    ] {
        change(&app, body).await;
    }
    let payloads: Vec<Value> = app.audit().await.iter().map(payload).collect();
    let (message, enabled) = ("missed_call_message", "missed_call_auto_message_enabled");
    let expected = json!([
        {"before": {message: null}, "after": {message: "Hi {{contactName}}"}},
        {"before": {enabled: false}, "after": {enabled: true}},
        {
            "before": {message: "Hi {{contactName}}", enabled: true},
            "after": {message: null, enabled: false},
        },
    ]);
    assert_eq!(json!(payloads), expected);
}

#[actix_web::test]
async fn an_admin_is_recorded_as_a_named_customer() {
    let app = TestApp::new().await;
    let response = call(
        &app,
        &METHODS[1],
        &app.org_id.to_string(),
        &app.jwt(Role::Admin),
    )
    .await;
    let entries = app.audit().await;
    let [entry] = entries.as_slice() else {
        panic!("{entries:?}")
    };
    assert_eq!(entry.action, "missed_call_message.update");
    assert_eq!(
        (entry.actor.kind.as_str(), entry.actor.label.as_str()),
        ("customer", "user:user-1 (ADMIN)")
    );
    assert!(entry.actor.identity.contains("user-1"), "{entry:?}");
    assert_eq!(
        (entry.resource_type.as_str(), entry.resource_id.as_str()),
        ("organization", app.org_id.to_string().as_str())
    );
    assert_eq!(entry.request_id, response.header("x-request-id"));
    assert_eq!(
        entry.occurred_at.format("%FT%TZ").to_string(),
        "2026-01-04T12:00:00Z"
    );
    assert_eq!(entry.reason, None);
}

#[actix_web::test]
async fn a_superadmin_is_recorded_as_the_platform_with_a_hidden_identity() {
    let app = TestApp::new().await;
    let token = app.jwt_of(Role::Superadmin, None);
    let response = call(&app, &METHODS[1], &app.org_id.to_string(), &token).await;
    let entries = app.audit().await;
    let [entry] = entries.as_slice() else {
        panic!("{entries:?}")
    };
    assert_eq!(
        (entry.actor.kind.as_str(), entry.actor.label.as_str()),
        ("platform", "platform")
    );
    assert!(entry.actor.identity.contains("user-1"), "{entry:?}");
    assert_eq!(entry.request_id, response.header("x-request-id"));
}

#[actix_web::test]
async fn the_entry_of_a_superadmin_is_in_the_log_of_the_organization_that_was_changed() {
    let app = TestApp::new().await;
    let other = other_organization(&app).await;
    let token = app.jwt(Role::Superadmin);
    call(&app, &METHODS[1], &other.id.to_string(), &token).await;
    assert!(
        app.audit().await.is_empty(),
        "the superadmin's own organization"
    );
    let entries = list::newest(&app.state.db, other.id, None, 10)
        .await
        .unwrap();
    let [entry, _creation] = entries.as_slice() else {
        panic!("{entries:?}")
    };
    assert_eq!(
        (&entry.org_id, entry.resource_id.as_str()),
        (&other.id, other.id.to_string().as_str())
    );
    assert_eq!(entry.seq, 2);
}

#[actix_web::test]
async fn the_entry_has_the_id_of_the_organization_whichever_name_the_path_has() {
    let app = TestApp::new().await;
    call(&app, &METHODS[1], EXTERNAL_ID, &app.jwt(Role::Admin)).await;
    assert_eq!(app.audit().await[0].resource_id, app.org_id.to_string());
}

#[actix_web::test]
async fn reads_refusals_and_puts_without_effect_leave_no_entry() {
    let app = TestApp::new().await;
    let admin = app.jwt(Role::Admin);
    app.get(&app.missed_call_path(), &admin).await;
    for body in [
        json!({}),
        json!({"missedCallMessage": ""}),
        json!({"missedCallMessage": null}),
        json!([]),
    ] {
        app.put(&admin, body).await;
    }
    let refused = app
        .put(&app.jwt(Role::SalesRep), json!({"missedCallMessage": "Hi"}))
        .await;
    assert_failure(&refused, 403, "Forbidden", "SALES_REP");
    assert!(app.audit().await.is_empty());
}

#[actix_web::test]
async fn the_hash_chain_of_both_dialects_is_intact() {
    let app = TestApp::new().await;
    let key = app.api_key(&[Scope::OrgAdminWrite]).await;
    for round in 31..40 {
        let message = format!("\u{10ffff} {round} \u{1}\"\\");
        change(&app, json!({"missedCallMessage": message})).await;
        app.patch(&key, json!({"mms_retention_days": round})).await;
    }
    let found = verify::verify(&app.state.db, app.org_id, Anchors::default()).unwrap();
    assert_eq!(found.faults, []);
    let seqs: Vec<i64> = app.audit().await.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs.len(), 18);
    assert!(
        seqs.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{seqs:?}"
    );
}
