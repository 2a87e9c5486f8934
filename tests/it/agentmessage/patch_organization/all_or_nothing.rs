//! A patch with one fault changes nothing of what is right in it.

use quietline::domain::registry::RegistrationStatus;
use serde_json::{Value, json};

use crate::agentmessage::admin::{Admin, assert_error};

/// Sends `fault` together with changes that would be fine without it.
async fn refused(admin: &Admin, fault: Value, code: &str) {
    let (before, entries) = (admin.stored().await, admin.audit().await);
    let mut body = json!({
        "name": "Other", "billing_email": null,
        "message_retention_days": 90, "mms_retention_days": 90,
        "auto_replies": {"stop_text": "S"}, "quiet_hours": {"mode": "defer"},
    });
    for (field, value) in fault.as_object().expect("an object") {
        match (body.get_mut(field), value) {
            (Some(Value::Object(block)), Value::Object(fault)) => block.extend(fault.clone()),
            _ => body[field] = value.clone(),
        }
    }
    let response = admin.patch(&body).await;
    assert_error(&response, 422, code, &body.to_string());
    assert_eq!(admin.stored().await, before, "{body}");
    assert_eq!(admin.audit().await, entries, "{body}");
}

#[actix_web::test]
async fn one_wrong_field_changes_nothing() {
    let admin = Admin::new().await;
    for fault in [
        json!({"mms_retention_days": 29}),
        json!({"is_reseller": null}),
        json!({"quiet_hours": {"start": "9:00"}}),
        json!({"auto_replies": {"help_text": ""}}),
        json!({"timezone": "UTC"}),
        json!({"plan": "payg"}),
    ] {
        refused(&admin, fault, "VALIDATION_FAILED").await;
    }
}

#[actix_web::test]
async fn one_broken_rule_changes_nothing() {
    let admin = Admin::new().await;
    refused(
        &admin,
        json!({"quiet_hours": {"start": "08:00"}}),
        "VALIDATION_FAILED",
    )
    .await;
    refused(
        &admin,
        json!({"auto_replies": {"enabled": false}}),
        "ATTESTATION_REQUIRED",
    )
    .await;
    admin.change(json!({"is_reseller": true})).await;
    admin.add_brand(RegistrationStatus::Active).await;
    refused(&admin, json!({"is_reseller": false}), "RESELLER_HAS_BRANDS").await;
    let person = Admin::personal().await;
    refused(
        &person,
        json!({"is_reseller": true}),
        "RESELLER_NOT_ELIGIBLE",
    )
    .await;
}

#[actix_web::test]
async fn several_broken_rules_change_nothing_either() {
    let person = Admin::personal().await;
    let before = person.stored().await;
    let body = json!({
        "is_reseller": true, "quiet_hours": {"end": "21:00"}, "auto_replies": {"enabled": false},
    });
    let response = person.patch(&body).await;
    assert_eq!(response.status, 422, "{response:?}");
    assert_eq!(person.stored().await, before);
    assert!(person.audit().await.is_empty());
}
