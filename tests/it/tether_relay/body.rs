//! Invalid bodies, refused in the envelope of this dialect.

use actix_web::http::Method;
use quietline::domain::actor::Role;

use super::users::assert_failure;
use crate::support::TestApp;
use crate::support::bodies::{CODINGS, MAX_BYTES, OTHER_TYPES, deep, padded};
use crate::support::request::TestRequest;
use crate::support::response::Response;

const BODY: &str = r#"{"missedCallMessage":"Hi"}"#;

fn putting(app: &TestApp) -> TestRequest<'_> {
    app.request(Method::PUT, &app.missed_call_path())
        .bearer(&app.jwt(Role::Admin))
}

async fn malformed(app: &TestApp, body: impl Into<Vec<u8>>) -> Response {
    let body = body.into();
    let what = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
    let response = putting(app).body("application/json", body).send().await;
    assert_failure(&response, 400, "Validation error", &what);
    response
}

#[actix_web::test]
async fn a_body_other_than_one_json_object_is_refused() {
    let app = TestApp::new().await;
    for body in [
        "",
        " ",
        "{",
        "{\"missedCallMessage\":\"x\",}",
        "{\"missedCallMessage\":\"x\"}x",
        "{}{}",
        "{'a':1}",
        "missedCallMessage=x",
        "{\"missedCallMessage\":\"a\nb\"}",
        "{\"x\":NaN}",
        "{\"x\":01}",
        "[]",
        "[{}]",
        "null",
        "\"x\"",
        "true",
        "1",
        "{\"missedCallMessage\":\"\\ud83d\"}",
        "{\"x\":\"\\ude00\\ud83d\"}",
    ] {
        malformed(&app, body).await;
    }
    malformed(&app, b"{\"missedCallMessage\":\"\xff\"}".as_slice()).await;
    malformed(&app, b"{\"x\":\"\xed\xa0\xbd\"}".as_slice()).await;
    assert_eq!(app.stored().await.version, 1);
}

#[actix_web::test]
async fn a_byte_order_mark_is_refused_by_its_name() {
    let app = TestApp::new().await;
    let response = malformed(&app, "\u{feff}{}").await;
    let details = "request body begins with a byte order mark (U+FEFF): send UTF-8 without it";
    assert_eq!(response.text("/details"), details);
}

#[actix_web::test]
async fn a_body_other_than_an_object_has_its_own_message() {
    let app = TestApp::new().await;
    let details = malformed(&app, "[]").await.text("/details");
    assert_eq!(details, "request body must be a JSON object");
}

#[actix_web::test]
async fn a_key_twice_in_one_object_is_refused_in_ignored_properties_too() {
    let app = TestApp::new().await;
    for body in [
        r#"{"missedCallMessage":"x","missedCallMessage":"x"}"#,
        r#"{"missedCallMessage":"x","missedCallMess\u0061ge":"y"}"#,
        r#"{"x":1,"x":1}"#,
        r#"{"x":[{"y":1,"y":2}]}"#,
    ] {
        malformed(&app, body).await;
    }
    assert_eq!(app.stored().await.version, 1);
}

#[actix_web::test]
async fn nesting_of_more_than_32_levels_is_refused_in_ignored_properties_too() {
    let app = TestApp::new().await;
    let deepest = putting(&app).body("application/json", deep(32));
    let deepest = deepest.send().await;
    assert_eq!(deepest.status, 200, "32 levels: {deepest:?}");
    for levels in [33, 129, 30_000] {
        malformed(&app, deep(levels)).await;
    }
}

#[actix_web::test]
async fn a_body_of_64_kib_is_read_and_one_byte_more_is_not() {
    let app = TestApp::new().await;
    for announced in [true, false] {
        for (length, status) in [(MAX_BYTES, 200), (MAX_BYTES + 1, 413)] {
            let mut request = putting(&app).body("application/json", padded(BODY, length));
            if !announced {
                request = request.chunked();
            }
            let response = request.send().await;
            assert_eq!(response.status, status, "{length} {announced}");
            if status == 413 {
                assert_failure(&response, 413, "Payload too large", "one byte more");
                assert_eq!(response.text("/details"), "The request body exceeds 64 KiB");
            }
        }
    }
}

#[actix_web::test]
async fn another_media_type_or_coding_is_refused() {
    let app = TestApp::new().await;
    let before = app.stored().await;
    for content_type in OTHER_TYPES {
        let response = putting(&app).body(content_type, BODY).send().await;
        assert_failure(&response, 415, "Unsupported media type", content_type);
        assert_eq!(
            response.text("/details"),
            "The body must be application/json in UTF-8, uncompressed"
        );
    }
    let none = putting(&app).payload(BODY).send().await;
    assert_failure(&none, 415, "Unsupported media type", "no type");
    let two = putting(&app)
        .body("application/json", BODY)
        .header("content-type", "application/json");
    assert_failure(
        &two.send().await,
        415,
        "Unsupported media type",
        "two types",
    );
    for coding in CODINGS {
        let request = putting(&app).body("application/json", BODY);
        let response = request.header("content-encoding", coding).send().await;
        assert_failure(&response, 415, "Unsupported media type", coding);
    }
    assert_eq!(app.stored().await, before);
}

#[actix_web::test]
async fn json_in_utf_8_is_read_however_its_type_is_written() {
    let app = TestApp::new().await;
    for content_type in [
        "application/json; charset=utf-8",
        "APPLICATION/JSON;charset=\"UTF-8\"",
    ] {
        let response = putting(&app).body(content_type, BODY).send().await;
        assert_eq!(response.status, 200, "{content_type}");
    }
}
