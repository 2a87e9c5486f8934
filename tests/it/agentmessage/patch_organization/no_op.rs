//! Patches that change nothing write nothing.

use serde_json::json;

use crate::agentmessage::admin::Admin;

#[actix_web::test]
async fn an_empty_patch_writes_nothing() {
    let admin = Admin::new().await;
    let (before, shown) = (admin.stored().await, admin.data().await);
    for body in [
        json!({}),
        json!({"quiet_hours": {}}),
        json!({"auto_replies": {}}),
        json!({"quiet_hours": {}, "auto_replies": {}}),
    ] {
        assert_eq!(admin.change(body.clone()).await, shown, "{body}");
        assert_eq!(admin.stored().await, before, "{body}");
    }
    assert!(admin.audit().await.is_empty());
}

#[actix_web::test]
async fn a_patch_to_the_current_values_writes_nothing() {
    let admin = Admin::new().await;
    let first = json!({
        "name": "Other", "billing_email": null, "message_retention_days": 90,
        "mms_retention_days": 90, "is_reseller": true,
        "quiet_hours": {"enabled": true, "start": "20:00", "end": "07:00", "mode": "defer"},
        "auto_replies": {
            "enabled": false, "stop_text": "S", "help_text": null, "attestation": "We do.",
        },
    });
    admin.change(first.clone()).await;
    let (before, entries) = (admin.stored().await, admin.audit().await);
    for (field, value) in first.as_object().unwrap() {
        admin.change(json!({ field: value })).await;
        assert_eq!(admin.stored().await, before, "{field}");
    }
    admin.change(first).await;
    assert_eq!(admin.stored().await, before, "all at once");
    assert_eq!(admin.audit().await, entries);
}

#[actix_web::test]
async fn the_current_value_in_another_spelling_writes_nothing() {
    let admin = Admin::new().await;
    let before = admin.stored().await;
    for text in [
        r#"{"message_retention_days": 60.0, "mms_retention_days": 3e1}"#,
        r#"{"name": "\u0041cme Health, Inc.  "}"#,
        "\r\n\t { \"is_reseller\" : false } \n",
    ] {
        let response = admin.patch_text(text).await;
        assert_eq!(response.status, 200, "{text}");
        assert_eq!(admin.stored().await, before, "{text}");
    }
}

#[actix_web::test]
async fn a_change_and_its_reversal_are_two_changes() {
    let admin = Admin::new().await;
    let before = admin.stored().await;
    admin.change(json!({"name": "Other"})).await;
    admin.change(json!({"name": "Acme Health, Inc."})).await;
    let after = admin.stored().await;
    assert_eq!(after.settings, before.settings);
    assert_eq!(after.version, before.version + 2);
    assert_eq!(admin.audit().await.len(), 2);
}
