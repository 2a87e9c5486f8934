//! Invalid bodies: other than one JSON object, or too long.

use serde_json::Value;

use crate::agentmessage::admin::{Admin, assert_error};
use crate::support::bodies::{MAX_BYTES, deep, padded};
use crate::support::response::Response;

async fn malformed(admin: &Admin, body: impl Into<Vec<u8>>) -> Response {
    let body = body.into();
    let what = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
    let response = admin.patch_text(body).await;
    assert_error(&response, 400, "INVALID_INPUT", &what);
    assert_eq!(response.details(), Value::Null, "{what}");
    response
}

#[actix_web::test]
async fn a_body_other_than_one_json_value_is_refused() {
    let admin = Admin::new().await;
    let before = admin.stored().await;
    for body in [
        "",
        " ",
        "{",
        "}",
        "{\"name\":\"x\"",
        "{\"name\":}",
        "{\"name\":\"x\",}",
        "{'name':'x'}",
        "{name:\"x\"}",
        "{\"name\":\"x\"}x",
        "{\"name\":\"x\"}{}",
        "{} {}",
        "{},",
        "{\"name\":\"x\"}\0",
        "{\"name\":\"x\"}]",
        "{\"name\":\"a\nb\"}",
        "{\"name\":\"\\x41\"}",
        "{\"name\":\"\\u12\"}",
        "{\"is_reseller\":True}",
        "{\"mms_retention_days\":030}",
        "{\"mms_retention_days\":+30}",
        "{\"mms_retention_days\":30.}",
        "{\"mms_retention_days\":0x1e}",
        "{\"mms_retention_days\":NaN}",
        "{\"mms_retention_days\":Infinity}",
        "// x\n{}",
        "{/**/}",
        "name=x",
        "undefined",
    ] {
        malformed(&admin, body).await;
    }
    assert_eq!(admin.stored().await, before);
}

#[actix_web::test]
async fn a_byte_order_mark_is_refused_by_its_name() {
    let admin = Admin::new().await;
    let response = malformed(&admin, "\u{feff}{}").await;
    let message = "request body begins with a byte order mark (U+FEFF): send UTF-8 without it";
    assert_eq!(response.text("/error/message"), message);
}

#[actix_web::test]
async fn json_other_than_an_object_is_refused() {
    let admin = Admin::new().await;
    for body in [
        "[]",
        "[{\"name\":\"x\"}]",
        "null",
        "\"x\"",
        "\"{}\"",
        "true",
        "0",
        "30.5",
    ] {
        malformed(&admin, body).await;
    }
}

#[actix_web::test]
async fn the_message_explains_the_error_without_quoting_the_body() {
    let admin = Admin::new().await;
    let too_deep = format!("{{\"canary\":{}", "[".repeat(40));
    for (body, expected) in [
        ("[\"canary\"]", "request body must be a JSON object"),
        (
            "{\"canary\":1,\"canary\":1}",
            "request body has the same key twice in one object",
        ),
        (&too_deep, "request body is nested more than 32 levels deep"),
        ("", "request body is not valid JSON (line 1, column 0)"),
        (
            "{\n\"canary\": canary}",
            "request body is not valid JSON (line 2, column 11)",
        ),
    ] {
        let message = malformed(&admin, body).await.text("/error/message");
        assert_eq!(message, expected, "{body}");
    }
}

/// Parsers disagree on the value of a duplicate key (RFC 8259, section 4).
#[actix_web::test]
async fn a_key_twice_in_one_object_is_refused_at_any_level() {
    let admin = Admin::new().await;
    let before = admin.stored().await;
    for body in [
        r#"{"name":"x","name":"x"}"#,
        r#"{"name":"x","name":null}"#,
        r#"{"name":"x","n\u0061me":"y"}"#,
        r#"{"mms_retention_days":40,"name":"x","mms_retention_days":41}"#,
        r#"{"quiet_hours":{"enabled":true},"quiet_hours":{"mode":"defer"}}"#,
        r#"{"quiet_hours":{"enabled":true,"enabled":false}}"#,
        r#"{"auto_replies":{"enabled":false,"attestation":"","attestation":"We do."}}"#,
        r#"{"x":[{"y":{"a":1,"a":1}}]}"#,
    ] {
        malformed(&admin, body).await;
    }
    assert_eq!(admin.stored().await, before);
    let apart = r#"{"quiet_hours":{"enabled":true},"auto_replies":{"enabled":true}}"#;
    assert_eq!(
        admin.patch_text(apart).await.status,
        200,
        "the same key in two objects"
    );
}

#[actix_web::test]
async fn nesting_of_more_than_32_levels_is_refused() {
    let admin = Admin::new().await;
    let deepest = admin.patch_text(deep(32)).await;
    assert_error(&deepest, 422, "VALIDATION_FAILED", "32 levels");
    for levels in [33, 34, 128, 129, 130, 30_000] {
        malformed(&admin, deep(levels)).await;
    }
    let objects = format!("{}1{}", "{\"x\":".repeat(33), "}".repeat(33));
    malformed(&admin, objects).await;
}

/// The JSON grammar allows escapes of unpaired surrogates (RFC 8259, section 8.2).
#[actix_web::test]
async fn text_other_than_unicode_is_refused() {
    let admin = Admin::new().await;
    let before = admin.stored().await;
    let bytes: [&[u8]; 5] = [
        b"\xff",
        b"\xc0\x80",
        b"\xed\xa0\xbd",
        b"\xf4\x90\x80\x80",
        b"\xe2\x82",
    ];
    for inner in bytes {
        malformed(&admin, [b"{\"name\":\"", inner, b"\"}"].concat()).await;
        malformed(&admin, [b"{\"", inner, b"\":1}"].concat()).await;
    }
    for escape in [
        "\\ud83d",
        "\\ude00",
        "\\ud83dx",
        "\\ude00\\ud83d",
        "\\ud83d\\n",
    ] {
        malformed(&admin, format!("{{\"name\":\"{escape}\"}}")).await;
    }
    let utf_16: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    malformed(&admin, utf_16).await;
    assert_eq!(admin.stored().await, before);
}

#[actix_web::test]
async fn any_scalar_value_may_be_escaped_or_written_out() {
    let admin = Admin::new().await;
    for (body, name) in [
        ("{\"name\":\"A\\udbff\\udfff\"}", "A\u{10ffff}"),
        (
            "{\"name\":\"\u{10ffff}\u{ffff}\u{fffd}\"}",
            "\u{10ffff}\u{ffff}\u{fffd}",
        ),
        ("{\"n\\u0061me\":\"\\u0041\\/\\\\\"}", "A/\\"),
        ("{\"name\":\"\\uD83D\\uDE00\"}", "😀"),
    ] {
        let response = admin.patch_text(body).await;
        assert_eq!(response.text("/data/name"), name, "{body}");
    }
}

#[actix_web::test]
async fn a_body_of_64_kib_is_read_and_one_byte_more_is_not() {
    let admin = Admin::new().await;
    for announced in [true, false] {
        let send = |name: &'static str, length: usize| {
            let body = padded(&format!(r#"{{"name":"{name}"}}"#), length);
            let request = admin.patching().body("application/json", body);
            if announced {
                request.send()
            } else {
                request.chunked().send()
            }
        };
        let name = if announced {
            "Announced"
        } else {
            "Not announced"
        };
        let longest = send(name, MAX_BYTES).await;
        assert_eq!(longest.text("/data/name"), name);
        let before = admin.stored().await;
        let longer = send("Refused", MAX_BYTES + 1).await;
        assert_error(&longer, 413, "PAYLOAD_TOO_LARGE", name);
        assert_eq!(longer.text("/error/message"), "request body exceeds 64 KiB");
        assert_eq!(admin.stored().await, before);
    }
}

#[actix_web::test]
async fn a_body_with_a_too_large_content_length_is_not_read() {
    let admin = Admin::new().await;
    for length in ["65537", "1000000000000"] {
        let request = admin.patching().header("content-type", "application/json");
        let response = request.header("content-length", length).send().await;
        assert_error(&response, 413, "PAYLOAD_TOO_LARGE", length);
    }
}
