//! `auto_replies`: the texts, and the block as a whole. Disabling is tested in `attestation`.

use serde_json::{Value, json};

use crate::agentmessage::admin::Admin;

const TEXTS: [&str; 3] = ["stop_text", "help_text", "start_text"];

#[actix_web::test]
async fn each_text_is_merged_into_the_block_and_kept_as_it_is_sent() {
    let admin = Admin::new().await;
    let mut expected =
        json!({"enabled": true, "stop_text": null, "help_text": null, "start_text": null});
    let longest = "😀".repeat(320);
    for text in [
        "x",
        "  padded \n",
        "a\tb\u{1}c",
        "\u{10fffd}",
        "مرحبا \u{202e}x",
        "{{a}} \\ \"'",
        &longest,
    ] {
        for field in TEXTS {
            let data = admin.change(json!({"auto_replies": {field: text}})).await;
            expected[field] = json!(text);
            assert_eq!(data["auto_replies"], expected, "{field}");
        }
    }
    let data = admin.change(json!({"name": "Other"})).await;
    assert_eq!(data["auto_replies"], expected, "absent keeps");
}

#[actix_web::test]
async fn a_text_of_more_than_320_code_points_is_refused() {
    let admin = Admin::new().await;
    for field in TEXTS {
        let path = format!("auto_replies.{field}");
        let long = [
            "a".repeat(321),
            "é".repeat(321),
            "😀".repeat(321),
            "a".repeat(60_000),
        ];
        let rows = long.map(|text| (json!(text), "must be at most 320 characters"));
        admin.each_refused(&path, rows).await;
    }
}

#[actix_web::test]
async fn null_returns_a_text_to_the_platform_default_and_leaves_the_others() {
    let admin = Admin::new().await;
    let own = json!({"stop_text": "S", "help_text": "H", "start_text": "R"});
    for field in TEXTS {
        admin.change(json!({ "auto_replies": own })).await;
        let data = admin.change(json!({"auto_replies": {field: null}})).await;
        let mut expected = own.clone();
        expected[field] = Value::Null;
        expected["enabled"] = json!(true);
        assert_eq!(data["auto_replies"], expected, "{field}");
    }
}

#[actix_web::test]
async fn a_blank_text_or_one_with_nul_is_refused() {
    let admin = Admin::new().await;
    let bad = [
        "",
        " ",
        "\t\r\n",
        "\u{b}\u{c}",
        "\u{85}",
        "\u{a0}\u{2003}",
        "\u{2028}\u{3000}\u{1680}",
        "\0",
        "a\0b",
        "\0a",
        "a\0",
    ];
    for field in TEXTS {
        let path = format!("auto_replies.{field}");
        let words = "must not be blank or contain NUL";
        admin
            .each_refused(&path, bad.map(|text| (json!(text), words)))
            .await;
    }
}

#[actix_web::test]
async fn a_text_of_another_type_is_refused() {
    let admin = Admin::new().await;
    for field in TEXTS {
        let path = format!("auto_replies.{field}");
        let others = [json!(1), json!(true), json!(["x"]), json!({"text": "x"})];
        let rows = others
            .into_iter()
            .map(|value| (value, "must be a string or null"));
        admin.each_refused(&path, rows).await;
    }
}

#[actix_web::test]
async fn the_block_and_its_switch_and_the_attestation_cannot_be_null() {
    let admin = Admin::new().await;
    for path in [
        "auto_replies",
        "auto_replies.enabled",
        "auto_replies.attestation",
    ] {
        admin
            .each_refused(path, [(Value::Null, "cannot be null")])
            .await;
    }
}

#[actix_web::test]
async fn a_block_or_a_switch_of_another_type_is_refused() {
    let admin = Admin::new().await;
    let blocks = [json!([]), json!("off"), json!(false), json!(0)];
    let rows = blocks.into_iter().map(|value| (value, "must be an object"));
    admin.each_refused("auto_replies", rows).await;
    let switches = [
        json!("false"),
        json!("true"),
        json!(0),
        json!(1),
        json!([]),
        json!({}),
    ];
    let rows = switches
        .into_iter()
        .map(|value| (value, "must be a boolean"));
    admin.each_refused("auto_replies.enabled", rows).await;
}
