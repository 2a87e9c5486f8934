//! A patch with one error changes nothing, including its valid fields.

use quietline::domain::registry::RegistrationStatus;
use serde_json::{Value, json};

use crate::agentmessage::admin::{Admin, assert_error};

/// Sends `fault` together with valid changes. Returns the details of the refusal.
async fn refused(admin: &Admin, fault: Value, code: &str) -> Value {
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
    response.details()
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
async fn one_violated_rule_changes_nothing() {
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
async fn only_the_first_violated_rule_is_reported_and_nothing_changes() {
    let reseller = || json!({"is_reseller": true});
    let quiet_hours = || json!({"quiet_hours": {"end": "21:00"}});
    let auto_replies = || json!({"auto_replies": {"enabled": false}});
    let same_times = json!({"quiet_hours.end": "must differ from quiet_hours.start"});
    for (rules, code, details) in [
        (
            vec![reseller(), quiet_hours(), auto_replies()],
            "RESELLER_NOT_ELIGIBLE",
            Value::Null,
        ),
        (
            vec![reseller(), quiet_hours()],
            "RESELLER_NOT_ELIGIBLE",
            Value::Null,
        ),
        (
            vec![reseller(), auto_replies()],
            "RESELLER_NOT_ELIGIBLE",
            Value::Null,
        ),
        (
            vec![quiet_hours(), auto_replies()],
            "VALIDATION_FAILED",
            same_times,
        ),
    ] {
        let person = Admin::personal().await;
        let fault = rules.into_iter().fold(json!({}), merged);
        let told = refused(&person, fault, code).await;
        assert_eq!(told, details);
    }
}

fn merged(mut all: Value, more: Value) -> Value {
    let members = more.as_object().expect("an object").clone();
    all.as_object_mut().expect("an object").extend(members);
    all
}
