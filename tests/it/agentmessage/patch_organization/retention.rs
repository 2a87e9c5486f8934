//! `message_retention_days` and `mms_retention_days`: integers from 30 to 365.

use serde_json::{Value, json};

use crate::agentmessage::admin::{Admin, assert_invalid};

const FIELDS: [&str; 2] = ["message_retention_days", "mms_retention_days"];
const RANGE: &str = "must be between 30 and 365";
const INTEGER: &str = "must be an integer";

#[actix_web::test]
async fn both_windows_are_30_to_365_days() {
    let admin = Admin::new().await;
    for field in FIELDS {
        for days in [30, 31, 60, 364, 365] {
            let data = admin.change(json!({ field: days })).await;
            assert_eq!(data[field], days, "{field}");
        }
    }
}

#[actix_web::test]
async fn an_integer_out_of_range_is_refused_however_large() {
    let admin = Admin::new().await;
    // The integers after 366 are in range if truncated to 32 or 64 bits, or exceed 64 bits.
    let out = [
        "29",
        "366",
        "0",
        "-30",
        "-1",
        "-0.0",
        "2147483648",
        "4294967326",
        "-4294967266",
        "9223372036854775807",
        "9223372036854775838",
        "18446744073709551646",
        "-9223372036854775809",
        "1e20",
        "1e300",
        "-1e300",
        "366.0",
        "29.0",
    ];
    let before = admin.stored().await;
    for field in FIELDS {
        for number in out {
            let response = admin.patch_text(format!("{{\"{field}\":{number}}}")).await;
            assert_invalid(&response, &json!({ field: RANGE }), number);
        }
    }
    assert_eq!(admin.stored().await, before);
}

#[actix_web::test]
async fn an_integral_number_is_an_integer_however_it_is_written() {
    let admin = Admin::new().await;
    let written = [
        ("30.0", 30),
        ("3e1", 30),
        ("3E+1", 30),
        ("300e-1", 30),
        ("30.000", 30),
        ("0.3e2", 30),
        ("365.0", 365),
        ("3.65e2", 365),
        ("3650e-1", 365),
        ("61.0e0", 61),
    ];
    for field in FIELDS {
        for (number, days) in written {
            let response = admin.patch_text(format!("{{\"{field}\":{number}}}")).await;
            assert_eq!(response.status, 200, "{number}");
            // A float does not equal an integer here: the response must have 30 rather than 30.0.
            assert_eq!(response.json()["data"][field], days, "{number}");
        }
    }
}

#[actix_web::test]
async fn a_value_other_than_an_integer_is_refused_and_never_converted() {
    let admin = Admin::new().await;
    for field in FIELDS {
        let values = [
            json!(30.5),
            json!(29.999),
            json!(365.0001),
            json!("30"),
            json!("30.0"),
            json!(""),
            json!("thirty"),
            json!(true),
            json!([30]),
            json!({"days": 30}),
        ];
        admin
            .each_refused(field, values.into_iter().map(|value| (value, INTEGER)))
            .await;
        admin
            .each_refused(field, [(Value::Null, "cannot be null")])
            .await;
    }
}

#[actix_web::test]
async fn a_number_beyond_what_json_readers_hold_is_refused() {
    let admin = Admin::new().await;
    let before = admin.stored().await;
    for number in ["1e999", "-1e999", "1e99999999999", &"9".repeat(400)] {
        let response = admin
            .patch_text(format!("{{\"mms_retention_days\":{number}}}"))
            .await;
        assert!(
            [400, 422].contains(&response.status),
            "{number}: {response:?}"
        );
    }
    assert_eq!(admin.stored().await, before);
}

#[actix_web::test]
async fn an_absent_window_keeps_its_length() {
    let admin = Admin::new().await;
    let data = admin.change(json!({"message_retention_days": 90})).await;
    assert_eq!(
        (&data[FIELDS[0]], &data[FIELDS[1]]),
        (&json!(90), &json!(30))
    );
    let data = admin.change(json!({"mms_retention_days": 45})).await;
    assert_eq!(
        (&data[FIELDS[0]], &data[FIELDS[1]]),
        (&json!(90), &json!(45))
    );
    let data = admin
        .change(json!({"message_retention_days": 31, "mms_retention_days": 365}))
        .await;
    assert_eq!(
        (&data[FIELDS[0]], &data[FIELDS[1]]),
        (&json!(31), &json!(365))
    );
}
