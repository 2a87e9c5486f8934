//! Texts that people read can be seen, and none of them reads like another.

use actix_web::http::Method;
use quietline::domain::actor::Role;
use quietline::domain::scope::Scope;
use serde_json::{Value, json};

use super::admin::{Admin, assert_error, assert_invalid, nested};
use super::api_key::Keys;
use crate::support::TestApp;

/// Texts of zero-width characters, soft hyphens, fillers, blank glyphs, variation selectors, tags
/// and noncharacters. White space around them does not help.
const INVISIBLE: [&str; 13] = [
    "\u{200b}",
    "\u{200b}\u{200d}\u{feff}",
    " \u{2060} ",
    "\u{ad}",
    "\u{3164}",
    "\u{115f}\u{1160}",
    "\u{ffa0}",
    "\u{2800}",
    "\u{fe0f}",
    "\u{e0041}\u{e007f}",
    "\u{fdd0}",
    "\u{ffff}",
    "\u{200e}\u{200f}",
];

/// Texts whose characters appear in another order or on another line.
const MISLEADING: [&str; 6] = [
    "\u{202e}rotartsinimda",
    "a\u{202a}b",
    "a\u{2066}b\u{2069}",
    "a\u{2068}",
    "a\u{2028}b",
    "a\u{2029}b",
];

/// Texts with invisible characters that belong to them.
const WELCOME: [&str; 6] = [
    "👩\u{200d}👩\u{200d}👧",
    "❤\u{fe0f}",
    "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
    "נ\u{5b4}ס \u{200e}(1)\u{200f}",
    "e\u{301}",
    ".",
];

const INVISIBLE_ERROR: &str = "must have at least one visible character";
const MISLEADING_ERROR: &str =
    "must have no bidirectional embeddings, overrides or isolates, and no line separators";

#[actix_web::test]
async fn a_name_can_be_seen_and_is_in_order() {
    let admin = Admin::new().await;
    for (texts, error) in [
        (&INVISIBLE[..], INVISIBLE_ERROR),
        (&MISLEADING, MISLEADING_ERROR),
    ] {
        let rows = texts.iter().map(|text| (json!(text), error));
        admin.each_refused("name", rows).await;
    }
    for text in WELCOME {
        assert_eq!(admin.change(json!({ "name": text })).await["name"], text);
    }
}

#[actix_web::test]
async fn a_reply_text_can_be_seen() {
    let admin = Admin::new().await;
    for field in ["stop_text", "help_text", "start_text"] {
        let path = format!("auto_replies.{field}");
        let rows = INVISIBLE.map(|text| (json!(text), INVISIBLE_ERROR));
        admin.each_refused(&path, rows).await;
        for text in WELCOME.into_iter().chain(MISLEADING) {
            let data = admin.change(nested(&path, json!(text))).await;
            assert_eq!(data["auto_replies"][field], text);
        }
    }
}

#[actix_web::test]
async fn all_invisible_texts_of_a_request_are_reported_together() {
    let admin = Admin::new().await;
    let texts = json!({"stop_text": "\u{200b}", "help_text": "Help", "start_text": "\u{3164}"});
    let body = json!({ "name": "\u{200b}", "auto_replies": texts });
    let details = json!({
        "name": INVISIBLE_ERROR,
        "auto_replies.stop_text": INVISIBLE_ERROR,
        "auto_replies.start_text": INVISIBLE_ERROR,
    });
    assert_invalid(&admin.patch(&body).await, &details, "all of them");
}

#[actix_web::test]
async fn an_attestation_has_a_letter() {
    let admin = Admin::new().await;
    for text in INVISIBLE.into_iter().chain([".", "1 2 3", "😀", "\u{301}"]) {
        let body = json!({"auto_replies": {"enabled": false, "attestation": text}});
        let refused = admin.patch(&body).await;
        assert_error(&refused, 422, "ATTESTATION_REQUIRED", text);
    }
    for text in ["x", "我们自己回复", "نعم", "\u{202e}x"] {
        let block = json!({"enabled": false, "attestation": text});
        admin.change(json!({ "auto_replies": block })).await;
        admin
            .change(json!({"auto_replies": {"enabled": true}}))
            .await;
    }
}

#[actix_web::test]
async fn a_label_can_be_seen_and_is_in_order() {
    let keys = Keys::new().await;
    let body = |label: &str| json!({ "label": label, "scopes": ["org:read"] });
    for (texts, error) in [
        (&INVISIBLE[..], INVISIBLE_ERROR),
        (&MISLEADING, MISLEADING_ERROR),
    ] {
        for text in texts {
            let refused = keys.post(&body(text)).await;
            assert_invalid(&refused, &json!({ "label": error }), text);
        }
    }
    for text in WELCOME {
        let created = keys.post(&body(text)).await;
        assert_eq!(created.text("/data/label"), text);
    }
}

#[actix_web::test]
async fn no_label_and_no_subject_reads_like_another_actor() {
    let app = TestApp::new().await;
    let admin = app
        .api_key(&[Scope::ApiKeysWrite, Scope::OrgAdminWrite])
        .await;
    let name = r"x) user:ceo (ADMIN \";
    let body = json!({ "label": name, "scopes": ["org:admin:write"] });
    let post = app.request(Method::POST, "/v1/api-keys").bearer(&admin);
    let created = post.json(&body).send().await;
    let patched = app
        .patch(&created.text("/data/plaintext"), json!({"name": "One"}))
        .await;
    assert_eq!(patched.status, 200);
    let token = app.jwt_of_user(name, Role::Admin, Some(&app.org_id.to_string()));
    let put = app.put(&token, json!({"missedCallMessage": "Hi"})).await;
    assert_eq!(put.status, 200);
    let labels = app.audit().await.into_iter().map(|entry| entry.actor.label);
    let escaped = r"x\) user:ceo \(ADMIN \\";
    let id = created.text("/data/id");
    let expected = [
        format!("api_key:{id} ({escaped})"),
        format!("user:{escaped} (ADMIN)"),
    ];
    assert!(labels.eq(expected));
}

/// The published document allows any text, so this server allows any text without NUL.
#[actix_web::test]
async fn a_template_of_the_tether_dialect_may_be_invisible() {
    let app = TestApp::new().await;
    let token = app.jwt(Role::Admin);
    for text in INVISIBLE.into_iter().chain(MISLEADING) {
        let put = app.put(&token, json!({ "missedCallMessage": text })).await;
        assert_eq!(
            (put.status, &put.json()["missedCallMessage"]),
            (200, &Value::from(text))
        );
    }
}
