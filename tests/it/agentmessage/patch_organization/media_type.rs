//! `Content-Type` and `Content-Encoding` of the body.

use crate::agentmessage::admin::{Admin, assert_error};
use crate::support::bodies::{CODINGS, OTHER_TYPES};

const BODY: &str = r#"{"name":"Other"}"#;

#[actix_web::test]
async fn json_in_utf_8_is_read_however_its_type_is_written() {
    for content_type in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "application/json; charset=\"utf-8\"",
        "application/json ; Charset=Utf-8",
        "application/json;",
        "application/json; charset=utf8",
        "application/json; charset=US-ASCII",
        "application/json; version=1",
        "application/json; profile=\"https://example.com/a;b\"",
        "application/json;odata=verbose; charset=utf-8",
    ] {
        let admin = Admin::new().await;
        let response = admin.patching().body(content_type, BODY).send().await;
        assert_eq!(response.status, 200, "{content_type}");
        assert_eq!(response.text("/data/name"), "Other", "{content_type}");
    }
}

#[actix_web::test]
async fn any_other_type_is_refused() {
    let admin = Admin::new().await;
    let before = admin.stored().await;
    for content_type in OTHER_TYPES {
        let response = admin.patching().body(content_type, BODY).send().await;
        assert_error(&response, 415, "UNSUPPORTED_MEDIA_TYPE", content_type);
        assert_eq!(
            response.text("/error/message"),
            "body must be application/json in UTF-8, uncompressed"
        );
    }
    assert_eq!(admin.stored().await, before);
}

#[actix_web::test]
async fn a_missing_or_repeated_type_is_refused() {
    let admin = Admin::new().await;
    let before = admin.stored().await;
    let none = admin.patching().payload(BODY).send().await;
    assert_error(&none, 415, "UNSUPPORTED_MEDIA_TYPE", "none");
    for second in ["application/json", "text/plain"] {
        let request = admin
            .patching()
            .body("application/json", BODY)
            .header("content-type", second);
        assert_error(&request.send().await, 415, "UNSUPPORTED_MEDIA_TYPE", second);
    }
    let bytes = admin
        .patching()
        .header_bytes("content-type", b"application/json; \xff")
        .payload(BODY);
    assert_error(&bytes.send().await, 415, "UNSUPPORTED_MEDIA_TYPE", "0xFF");
    assert_eq!(admin.stored().await, before);
}

#[actix_web::test]
async fn a_compressed_body_is_refused() {
    let admin = Admin::new().await;
    let before = admin.stored().await;
    for coding in CODINGS {
        let request = admin
            .patching()
            .body("application/json", BODY)
            .header("content-encoding", coding);
        assert_error(&request.send().await, 415, "UNSUPPORTED_MEDIA_TYPE", coding);
    }
    assert_eq!(admin.stored().await, before);
    let plain = admin
        .patching()
        .body("application/json", BODY)
        .header("content-encoding", "identity");
    assert_eq!(plain.send().await.status, 200, "identity");
}

#[actix_web::test]
async fn accept_headers_are_ignored() {
    let admin = Admin::new().await;
    for accept in [
        "text/html",
        "application/xml;q=1, */*;q=0",
        "application/json;q=0",
    ] {
        let request = admin
            .patching()
            .header("accept", accept)
            .header("accept-encoding", "gzip");
        let response = request.body("application/json", BODY).send().await;
        assert_eq!(response.status, 200, "{accept}");
        assert!(
            !response.headers.contains_key("content-encoding"),
            "{accept}"
        );
    }
}
