//! PUT /api/organizations/{organizationId}/missed-call-message: the stored values. Permissions are
//! tested in `access`, invalid bodies in `body`.

use actix_web::http::Method;
use quietline::domain::actor::Role;
use quietline::domain::scope::Scope;
use serde_json::{Value, json};

use super::users::{change, refused, settings};
use crate::support::TestApp;

const TOO_LONG: &str = "missedCallMessage: must be at most 500 characters";

#[actix_web::test]
async fn each_property_is_merged_and_keeps_the_other() {
    let app = TestApp::new().await;
    let mut expected = json!({"missedCallMessage": null, "missedCallAutoMessageEnabled": false});
    for (property, value) in [
        ("missedCallAutoMessageEnabled", json!(true)),
        ("missedCallMessage", json!("Hi")),
        ("missedCallAutoMessageEnabled", json!(false)),
        ("missedCallMessage", json!("Hello")),
    ] {
        let response = change(&app, json!({ property: value })).await;
        expected[property] = value;
        assert_eq!(response, expected, "{property}");
    }
    let both = json!({"missedCallMessage": "Hey", "missedCallAutoMessageEnabled": true});
    assert_eq!(change(&app, both.clone()).await, both);
}

#[actix_web::test]
async fn any_text_is_stored_unchanged() {
    let app = TestApp::new().await;
    for text in [
        "Hi {{contactName}}, {{agentName}} of {{organizationName}} missed your call.",
        "{{unknown}} {{ contactName }} {{{{ }} {contactName} %s ${x} <%= y %>",
        "two\nlines\r\nand\ttabs",
        "  padded  ",
        " ",
        "\n\t\u{3000}",
        "\u{202e}مرحبا بك\u{202c}",
        "\u{10ffff}\u{fffd}\u{feff}",
        "\u{1}\u{1b}[31m\u{7f}\u{85}",
        "\"quoted\" \\ 'single' `tick` <b>&amp;</b>",
        "e\u{301} is not é",
        "null",
    ] {
        let response = change(&app, json!({ "missedCallMessage": text })).await;
        assert_eq!(response["missedCallMessage"], text);
        assert_eq!(
            app.stored().await.missed_call.message.as_deref(),
            Some(text)
        );
    }
}

#[actix_web::test]
async fn a_message_has_at_most_500_code_points() {
    let app = TestApp::new().await;
    for unit in ["a", "é", "😀", "\u{10ffff}", " ", "\n"] {
        let longest = unit.repeat(500);
        let response = change(&app, json!({ "missedCallMessage": longest })).await;
        assert_eq!(response["missedCallMessage"], longest, "{unit:?}");
        refused(
            &app,
            json!({"missedCallMessage": unit.repeat(501)}),
            TOO_LONG,
        )
        .await;
    }
    let combined = "e\u{301}".repeat(250);
    assert_eq!(
        change(&app, json!({ "missedCallMessage": combined })).await["missedCallMessage"],
        combined
    );
    refused(
        &app,
        json!({"missedCallMessage": "e\u{301}".repeat(251)}),
        TOO_LONG,
    )
    .await;
    refused(
        &app,
        json!({"missedCallMessage": "a".repeat(60_000)}),
        TOO_LONG,
    )
    .await;
}

#[actix_web::test]
async fn an_empty_message_clears_the_template_and_leaves_the_switch() {
    let app = TestApp::new().await;
    change(
        &app,
        json!({"missedCallMessage": "Hi", "missedCallAutoMessageEnabled": true}),
    )
    .await;
    let response = change(&app, json!({"missedCallMessage": ""})).await;
    assert_eq!(
        response,
        json!({"missedCallMessage": null, "missedCallAutoMessageEnabled": true})
    );
    assert_eq!(app.stored().await.missed_call, settings(None, true));
    let before = app.stored().await;
    change(&app, json!({"missedCallMessage": ""})).await;
    assert_eq!(app.stored().await, before, "there is nothing left to clear");
}

#[actix_web::test]
async fn null_and_other_types_are_refused() {
    let app = TestApp::new().await;
    change(
        &app,
        json!({"missedCallMessage": "Hi", "missedCallAutoMessageEnabled": true}),
    )
    .await;
    refused(
        &app,
        json!({"missedCallMessage": null}),
        "missedCallMessage: cannot be null",
    )
    .await;
    for value in [json!(1), json!(true), json!(["Hi"]), json!({"text": "Hi"})] {
        refused(
            &app,
            json!({ "missedCallMessage": value }),
            "missedCallMessage: must be a string",
        )
        .await;
    }
    let null = "missedCallAutoMessageEnabled: cannot be null";
    refused(&app, json!({"missedCallAutoMessageEnabled": null}), null).await;
    let details = "missedCallAutoMessageEnabled: must be a boolean";
    for value in [
        json!("true"),
        json!("false"),
        json!(""),
        json!(1),
        json!(0),
        json!([]),
        json!({}),
    ] {
        refused(
            &app,
            json!({ "missedCallAutoMessageEnabled": value }),
            details,
        )
        .await;
    }
}

#[actix_web::test]
async fn all_errors_are_reported_at_once_and_nothing_is_stored() {
    let app = TestApp::new().await;
    for (message, enabled, details) in [
        (
            json!("a".repeat(501)),
            json!("yes"),
            "missedCallAutoMessageEnabled: must be a boolean; \
             missedCallMessage: must be at most 500 characters",
        ),
        (
            Value::Null,
            Value::Null,
            "missedCallAutoMessageEnabled: cannot be null; missedCallMessage: cannot be null",
        ),
    ] {
        let body = json!({"missedCallMessage": message, "missedCallAutoMessageEnabled": enabled});
        refused(&app, body, details).await;
    }
    let half = json!({"missedCallMessage": "Hi", "missedCallAutoMessageEnabled": 1});
    refused(
        &app,
        half,
        "missedCallAutoMessageEnabled: must be a boolean",
    )
    .await;
    let half = json!({"missedCallMessage": 1, "missedCallAutoMessageEnabled": true});
    refused(&app, half, "missedCallMessage: must be a string").await;
}

#[actix_web::test]
async fn nul_is_refused() {
    let app = TestApp::new().await;
    for text in ["\0", "a\0", "\0a", "a\0b", &"\0".repeat(500)] {
        let body = json!({ "missedCallMessage": text });
        refused(&app, body, "missedCallMessage: must not contain NUL").await;
    }
}

#[actix_web::test]
async fn other_properties_are_ignored_whatever_they_are() {
    let app = TestApp::new().await;
    let body = json!({
        "missedCallMessage": "Hi",
        "MissedCallMessage": 1,
        "missed_call_message": null,
        "id": "x",
        "organizationId": app.org_id.to_string(),
        "nothing": null,
        "list": [null, [], {"missedCallMessage": null}],
        "nested": {"missedCallAutoMessageEnabled": "no", "deeper": {"null": null, "": "\u{0}"}},
        "": 1e300,
        "__proto__": {"missedCallAutoMessageEnabled": true},
    });
    let response = change(&app, body).await;
    assert_eq!(
        response,
        json!({"missedCallMessage": "Hi", "missedCallAutoMessageEnabled": false})
    );
    let before = app.stored().await;
    change(
        &app,
        json!({"message": "Hello", "enabled": true, "name": null}),
    )
    .await;
    assert_eq!(app.stored().await, before, "only ignored properties");
}

#[actix_web::test]
async fn a_put_that_changes_nothing_writes_nothing() {
    let app = TestApp::new().await;
    for body in [
        json!({}),
        json!({"missedCallMessage": ""}),
        json!({"missedCallAutoMessageEnabled": false}),
    ] {
        let before = app.stored().await;
        change(&app, body.clone()).await;
        assert_eq!(app.stored().await, before, "{body}");
    }
    let settings = json!({"missedCallMessage": " Hi ", "missedCallAutoMessageEnabled": true});
    change(&app, settings.clone()).await;
    let before = app.stored().await;
    for body in [
        settings.clone(),
        json!({"missedCallMessage": " Hi "}),
        json!({}),
    ] {
        assert_eq!(change(&app, body).await, settings);
    }
    assert_eq!(app.stored().await, before);
    assert_eq!(app.audit().await.len(), 1);
}

#[actix_web::test]
async fn the_settings_of_the_other_dialect_are_unchanged() {
    let app = TestApp::new().await;
    let before = app.stored().await;
    change(
        &app,
        json!({"missedCallMessage": "Hi", "missedCallAutoMessageEnabled": true}),
    )
    .await;
    let after = app.stored().await;
    assert_eq!(after.settings, before.settings);
    assert_eq!(after.version, before.version + 1, "one change");
}

#[actix_web::test]
async fn a_tag_of_the_other_dialect_matches_nothing() {
    let app = TestApp::new().await;
    let key = app.api_key(&[Scope::OrgRead]).await;
    let tag = app
        .get("/v1/organization", &key)
        .await
        .header("etag")
        .to_owned();
    let before = app.stored().await;
    let request = app.request(Method::PUT, &app.missed_call_path());
    let request = request
        .bearer(&app.jwt(Role::Admin))
        .header("if-match", &tag);
    let response = request
        .json(&json!({"missedCallMessage": "Hi"}))
        .send()
        .await;
    let expected = json!({
        "error": "Precondition failed",
        "details": "The configuration has no ETag that If-Match could name",
    });
    assert_eq!((response.status, response.json()), (412, expected));
    assert_eq!(app.stored().await, before);
}
