//! Disabling auto replies requires an attestation, which is stored only in the audit log.

use serde_json::{Value, json};

use crate::agentmessage::admin::{Admin, assert_error, payload};

const MESSAGE: &str = "disabling auto replies requires auto_replies.attestation, \
    an explicit statement that your organization will handle HELP and STOP responses itself";
const ATTESTATION: &str = "  We answer HELP and STOP ourselves. 😀\n";

async fn refused(admin: &Admin, block: Value) {
    let before = admin.stored().await;
    let response = admin.patch(&json!({ "auto_replies": block })).await;
    assert_error(&response, 422, "ATTESTATION_REQUIRED", &block.to_string());
    assert_eq!(response.text("/error/message"), MESSAGE);
    let details = json!({"auto_replies.attestation": "required to disable auto replies"});
    assert_eq!(response.details(), details);
    assert_eq!(admin.stored().await, before);
}

async fn disable(admin: &Admin) -> Value {
    admin
        .change(json!({"auto_replies": {"enabled": false, "attestation": ATTESTATION}}))
        .await
}

#[actix_web::test]
async fn disabling_without_an_attestation_or_with_a_blank_one_is_refused() {
    let admin = Admin::new().await;
    refused(&admin, json!({"enabled": false})).await;
    refused(&admin, json!({"enabled": false, "stop_text": "Bye"})).await;
    for blank in [
        "",
        " ",
        "\t\r\n",
        "\u{b}\u{c}\u{85}",
        "\u{a0}\u{2003}\u{2028}\u{3000}",
    ] {
        refused(&admin, json!({"enabled": false, "attestation": blank})).await;
    }
}

#[actix_web::test]
async fn disabling_with_an_attestation_keeps_the_texts() {
    let admin = Admin::new().await;
    admin
        .change(json!({"auto_replies": {"help_text": "H"}}))
        .await;
    let data = disable(&admin).await;
    let expected =
        json!({"enabled": false, "stop_text": null, "help_text": "H", "start_text": null});
    assert_eq!(data["auto_replies"], expected);
}

#[actix_web::test]
async fn an_attestation_of_an_earlier_request_does_not_count() {
    let admin = Admin::new().await;
    let before = admin.stored().await;
    admin
        .change(json!({"auto_replies": {"attestation": ATTESTATION}}))
        .await;
    assert_eq!(admin.stored().await, before, "alone it has no effect");
    refused(&admin, json!({"enabled": false})).await;
    disable(&admin).await;
    admin
        .change(json!({"auto_replies": {"enabled": true}}))
        .await;
    refused(&admin, json!({"enabled": false})).await;
}

#[actix_web::test]
async fn disabling_what_is_disabled_changes_nothing_and_needs_no_attestation() {
    let admin = Admin::new().await;
    disable(&admin).await;
    let before = admin.stored().await;
    for block in [
        json!({"enabled": false}),
        json!({"enabled": false, "attestation": ""}),
        json!({"enabled": false, "attestation": "Once more."}),
    ] {
        let data = admin.change(json!({ "auto_replies": block })).await;
        assert_eq!(data["auto_replies"]["enabled"], false, "{block}");
        assert_eq!(admin.stored().await, before, "{block}");
    }
    assert_eq!(admin.audit().await.len(), 1);
}

#[actix_web::test]
async fn re_enabling_needs_no_attestation() {
    let admin = Admin::new().await;
    for block in [
        json!({"enabled": true}),
        json!({"enabled": true, "attestation": " "}),
    ] {
        disable(&admin).await;
        let data = admin.change(json!({ "auto_replies": block })).await;
        assert_eq!(data["auto_replies"]["enabled"], true, "{block}");
    }
}

#[actix_web::test]
async fn an_attestation_has_at_most_2000_code_points_and_no_nul() {
    for longest in [format!("a{}", "😀".repeat(1999)), "a".repeat(2000)] {
        let admin = Admin::new().await;
        let block = json!({"enabled": false, "attestation": longest});
        let data = admin.change(json!({ "auto_replies": block })).await;
        assert_eq!(data["auto_replies"]["enabled"], false);
        assert_eq!(
            payload(&admin.audit().await[0])["after"]["attestation"],
            longest
        );
    }
    let admin = Admin::new().await;
    for (attestation, words) in [
        ("😀".repeat(2001), "must be at most 2000 characters"),
        ("a".repeat(2001), "must be at most 2000 characters"),
        (" ".repeat(2001), "must be at most 2000 characters"),
        ("a\0".to_owned(), "must not contain NUL"),
    ] {
        for block in [
            json!({"enabled": false, "attestation": attestation}),
            json!({"enabled": true, "attestation": attestation}),
            json!({ "attestation": attestation }),
        ] {
            let details = json!({"auto_replies.attestation": words});
            admin
                .refused(json!({ "auto_replies": block }), details)
                .await;
        }
    }
}

#[actix_web::test]
async fn an_attestation_of_another_type_is_refused() {
    let admin = Admin::new().await;
    for value in [
        json!(true),
        json!(1),
        json!(["We do."]),
        json!({"text": "We do."}),
    ] {
        let block = json!({"enabled": false, "attestation": value});
        let details = json!({"auto_replies.attestation": "must be a string"});
        admin
            .refused(json!({ "auto_replies": block }), details)
            .await;
    }
}

#[actix_web::test]
async fn no_response_contains_the_attestation() {
    let admin = Admin::new().await;
    let canary = "canary-7f3a";
    for body in [
        json!({"auto_replies": {"attestation": canary}}),
        json!({"auto_replies": {"enabled": true, "attestation": canary}, "name": null}),
        json!({"auto_replies": {"enabled": false, "attestation": canary.repeat(200)}}),
        json!({"auto_replies": {"enabled": false, "attestation": [canary]}}),
        json!({"auto_replies": {"enabled": false, "attestation": canary}}),
        json!({"auto_replies": {"enabled": false, "attestation": canary}}),
        json!({"auto_replies": {"enabled": true, "attestation": canary}}),
    ] {
        let patched = admin.patch(&body).await;
        for response in [&patched, &admin.get().await] {
            let text = std::str::from_utf8(&response.bytes).unwrap();
            assert!(!text.contains(canary), "{body}: {text}");
            assert!(!text.contains("\"attestation\""), "{body}: {text}");
            assert!(
                !format!("{:?}", response.headers).contains(canary),
                "{body}"
            );
        }
    }
}

#[actix_web::test]
async fn the_attestation_is_audited_unchanged_and_only_when_auto_replies_are_disabled() {
    let admin = Admin::new().await;
    disable(&admin).await;
    let later = json!({"enabled": false, "help_text": "H", "attestation": "while disabled"});
    admin.change(json!({ "auto_replies": later })).await;
    let enabling = json!({"enabled": true, "attestation": "while enabling"});
    admin.change(json!({ "auto_replies": enabling })).await;
    let enabled = json!({"enabled": true, "stop_text": "S", "attestation": "while enabled"});
    admin.change(json!({ "auto_replies": enabled })).await;
    let payloads: Vec<Value> = admin.audit().await.iter().map(payload).collect();
    let expected = json!([
        {"before": {"enabled": true}, "after": {"enabled": false, "attestation": ATTESTATION}},
        {"before": {"help_text": null}, "after": {"help_text": "H"}},
        {"before": {"enabled": false}, "after": {"enabled": true}},
        {"before": {"stop_text": null}, "after": {"stop_text": "S"}},
    ]);
    assert_eq!(json!(payloads), expected);
}
