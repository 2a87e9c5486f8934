//! `quiet_hours`: merged field by field, with two different times of day.

use serde_json::{Value, json};

use crate::agentmessage::admin::Admin;

const TIME: &str = "must be a 24-hour time HH:MM";
const SAME: &str = "must differ from quiet_hours.start";

#[actix_web::test]
async fn each_field_is_merged_into_the_block_and_keeps_the_others() {
    let admin = Admin::new().await;
    let mut expected =
        json!({"enabled": false, "start": "21:00", "end": "08:00", "mode": "reject"});
    for (field, value) in [
        ("enabled", json!(true)),
        ("start", json!("22:30")),
        ("end", json!("06:15")),
        ("mode", json!("defer")),
        ("enabled", json!(false)),
        ("mode", json!("reject")),
    ] {
        let data = admin.change(json!({"quiet_hours": {field: value}})).await;
        expected[field] = value;
        assert_eq!(data["quiet_hours"], expected, "{field}");
    }
    let whole = json!({"enabled": true, "start": "20:00", "end": "09:00", "mode": "defer"});
    let data = admin.change(json!({ "quiet_hours": whole })).await;
    assert_eq!(data["quiet_hours"], whole);
    let data = admin.change(json!({"name": "Other"})).await;
    assert_eq!(data["quiet_hours"], whole, "absent keeps");
}

#[actix_web::test]
async fn a_window_may_be_within_a_day_or_span_midnight() {
    let admin = Admin::new().await;
    for (start, end) in [
        ("00:00", "23:59"),
        ("23:59", "00:00"),
        ("00:00", "00:01"),
        ("12:00", "11:59"),
        ("09:00", "17:00"),
        ("22:00", "06:00"),
        ("19:59", "20:00"),
    ] {
        let data = admin
            .change(json!({"quiet_hours": {"start": start, "end": end}}))
            .await;
        assert_eq!(
            (&data["quiet_hours"]["start"], &data["quiet_hours"]["end"]),
            (&json!(start), &json!(end))
        );
    }
}

#[actix_web::test]
async fn a_time_of_day_is_exactly_hh_mm() {
    let admin = Admin::new().await;
    let bad = [
        "24:00",
        "23:60",
        "12:99",
        "99:00",
        "9:00",
        "09:0",
        "009:00",
        "09:00:00",
        "0900",
        "09.00",
        "09-00",
        " 09:00",
        "09:00 ",
        "09:00\n",
        "\n09:00",
        "09:00\n10:00",
        "9:00 PM",
        "09:00Z",
        "-1:00",
        "+9:00",
        "",
        "noon",
        "٠٩:٠٠",
        "０９:００",
        "09：00",
        "09:00\0",
    ];
    for path in ["quiet_hours.start", "quiet_hours.end"] {
        admin
            .each_refused(path, bad.map(|text| (json!(text), TIME)))
            .await;
        let others = [
            json!(900),
            json!(9.5),
            json!(true),
            json!(["09:00"]),
            json!({"h": 9}),
        ];
        let rows = others.into_iter().map(|value| (value, "must be a string"));
        admin.each_refused(path, rows).await;
    }
}

#[actix_web::test]
async fn start_and_end_must_differ_after_the_merge_whichever_is_sent() {
    let admin = Admin::new().await;
    for block in [
        json!({"start": "08:00"}),
        json!({"end": "21:00"}),
        json!({"start": "10:00", "end": "10:00"}),
        json!({"start": "00:00", "end": "00:00", "mode": "defer"}),
        json!({"enabled": false, "start": "08:00"}),
        json!({"enabled": true, "end": "21:00"}),
    ] {
        admin
            .refused(
                json!({ "quiet_hours": block }),
                json!({"quiet_hours.end": SAME}),
            )
            .await;
    }
}

#[actix_web::test]
async fn start_and_end_are_compared_after_the_merge_and_not_before() {
    let admin = Admin::new().await;
    let swapped = json!({"start": "08:00", "end": "21:00"});
    let data = admin.change(json!({ "quiet_hours": swapped })).await;
    assert_eq!(data["quiet_hours"]["start"], "08:00");
    assert_eq!(data["quiet_hours"]["end"], "21:00");
}

#[actix_web::test]
async fn the_mode_is_reject_or_defer() {
    let admin = Admin::new().await;
    let words = "must be one of: reject, defer";
    let bad = ["", "REJECT", "Defer", "drop", " reject", "reject\n"];
    admin
        .each_refused("quiet_hours.mode", bad.map(|mode| (json!(mode), words)))
        .await;
    let others = [json!(1), json!(true), json!(["reject"]), json!({})];
    let rows = others.into_iter().map(|value| (value, "must be a string"));
    admin.each_refused("quiet_hours.mode", rows).await;
}

#[actix_web::test]
async fn enabled_is_a_boolean() {
    let admin = Admin::new().await;
    let others = [json!("true"), json!(1), json!(0.0), json!([]), json!({})];
    let rows = others.into_iter().map(|value| (value, "must be a boolean"));
    admin.each_refused("quiet_hours.enabled", rows).await;
}

#[actix_web::test]
async fn no_field_of_the_block_can_be_null() {
    let admin = Admin::new().await;
    let paths = [
        "quiet_hours",
        "quiet_hours.enabled",
        "quiet_hours.start",
        "quiet_hours.end",
    ];
    for path in paths.into_iter().chain(["quiet_hours.mode"]) {
        admin
            .each_refused(path, [(Value::Null, "cannot be null")])
            .await;
    }
}

#[actix_web::test]
async fn a_block_of_another_type_is_refused() {
    let admin = Admin::new().await;
    let others = [json!([]), json!("21:00-08:00"), json!(true), json!(1)];
    let rows = others.into_iter().map(|value| (value, "must be an object"));
    admin.each_refused("quiet_hours", rows).await;
}
