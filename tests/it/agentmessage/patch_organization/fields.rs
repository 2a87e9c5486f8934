//! Unknown and read-only fields, and all errors reported at once.

use serde_json::{Value, json};

use crate::agentmessage::admin::{Admin, nested};

const UNKNOWN: &str = "unknown field";

#[actix_web::test]
async fn an_unknown_field_is_refused_whatever_its_value() {
    let admin = Admin::new().await;
    for name in [
        "timezone",
        "external_id",
        "kind",
        "version",
        "success",
        "data",
        "missed_call_message",
        "Name",
        "name ",
        "billingEmail",
        "attestation",
        "enabled",
        "quiet_hours.enabled",
        "__proto__",
        "$ref",
        "a/b",
        "a~1b",
        "é",
        "😀",
        "",
    ] {
        for value in [json!("x"), json!({"name": "x"}), Value::Null] {
            admin
                .refused(json!({ name: value }), json!({ name: UNKNOWN }))
                .await;
        }
    }
}

#[actix_web::test]
async fn a_read_only_field_is_refused_whatever_its_value() {
    let admin = Admin::new().await;
    let shown = admin.data().await;
    for name in [
        "id",
        "plan",
        "throughput_tier",
        "registration_status",
        "created_at",
    ] {
        for value in [shown[name].clone(), json!("other"), json!({}), Value::Null] {
            admin
                .refused(json!({ name: value }), json!({ name: "is read-only" }))
                .await;
        }
    }
}

#[actix_web::test]
async fn an_unknown_field_in_a_block_is_refused() {
    let admin = Admin::new().await;
    for path in [
        "quiet_hours.timezone",
        "quiet_hours.attestation",
        "quiet_hours.Start",
        "quiet_hours.id",
        "quiet_hours.quiet_hours",
        "auto_replies.stop",
        "auto_replies.start",
        "auto_replies.plan",
        "auto_replies.created_at",
        "auto_replies.auto_replies",
    ] {
        for value in [json!("x"), json!({"a": [1]}), Value::Null] {
            admin
                .refused(nested(path, value), json!({ path: UNKNOWN }))
                .await;
        }
    }
}

#[actix_web::test]
async fn all_errors_are_reported_at_once_by_their_full_path() {
    let admin = Admin::new().await;
    let body = json!({
        "id": "x",
        "plan": "enterprise",
        "throughput_tier": 9,
        "registration_status": {"brand": "ACTIVE"},
        "created_at": "2026-01-01T00:00:00Z",
        "timezone": "UTC",
        "name": "a\u{7}b",
        "billing_email": "nobody",
        "message_retention_days": "60",
        "mms_retention_days": 366,
        "is_reseller": "yes",
        "quiet_hours": {"enabled": 1, "start": "24:00", "end": null, "mode": "drop", "zone": "UTC"},
        "auto_replies": {
            "enabled": "false", "stop_text": " ", "help_text": "a".repeat(321), "start_text": 1,
            "attestation": null, "text": "x",
        },
    });
    let details = json!({
        "id": "is read-only",
        "plan": "is read-only",
        "throughput_tier": "is read-only",
        "registration_status": "is read-only",
        "created_at": "is read-only",
        "timezone": "unknown field",
        "name": "must be 1 to 200 characters after trimming, with no control characters",
        "billing_email": "must be a plausible email address",
        "message_retention_days": "must be an integer",
        "mms_retention_days": "must be between 30 and 365",
        "is_reseller": "must be a boolean",
        "quiet_hours.enabled": "must be a boolean",
        "quiet_hours.start": "must be a 24-hour time HH:MM",
        "quiet_hours.end": "cannot be null",
        "quiet_hours.mode": "must be one of: reject, defer",
        "quiet_hours.zone": "unknown field",
        "auto_replies.enabled": "must be a boolean",
        "auto_replies.stop_text": "must not be blank or contain NUL",
        "auto_replies.help_text": "must be at most 320 characters",
        "auto_replies.start_text": "must be a string or null",
        "auto_replies.attestation": "cannot be null",
        "auto_replies.text": "unknown field",
    });
    admin.refused(body, details).await;
}

#[actix_web::test]
async fn every_field_can_be_changed_at_once() {
    let admin = Admin::new().await;
    let data = admin
        .change(json!({
            "name": " Other ",
            "billing_email": "x@y.co",
            "message_retention_days": 365,
            "mms_retention_days": 31.0,
            "is_reseller": true,
            "quiet_hours": {"enabled": true, "start": "20:00", "end": "07:00", "mode": "defer"},
            "auto_replies": {
                "enabled": false, "stop_text": "S", "help_text": "H", "start_text": "R",
                "attestation": "We do.",
            },
        }))
        .await;
    let expected = json!({
        "id": admin.org_id.to_string(),
        "name": "Other",
        "billing_email": "x@y.co",
        "plan": "payg",
        "throughput_tier": 1,
        "message_retention_days": 365,
        "mms_retention_days": 31,
        "is_reseller": true,
        "quiet_hours": {"enabled": true, "start": "20:00", "end": "07:00", "mode": "defer"},
        "auto_replies": {"enabled": false, "stop_text": "S", "help_text": "H", "start_text": "R"},
        "registration_status": {"brand": null, "brand_count": 0, "campaign_count": 0},
        "created_at": "2026-01-04T12:00:00.000Z",
    });
    assert_eq!(data, expected);
}

#[actix_web::test]
async fn a_hundred_unknown_fields_are_named_and_the_others_counted() {
    let admin = Admin::new().await;
    let names: Vec<String> = (100..600).map(|number| format!("field_{number}")).collect();
    let body: Value = names.iter().map(|name| (name.clone(), json!(1))).collect();
    let named = names.iter().take(100);
    let mut details: Value = named.map(|name| (name.clone(), json!(UNKNOWN))).collect();
    details["…"] = json!("and 400 more");
    admin.refused(body, details).await;
}
