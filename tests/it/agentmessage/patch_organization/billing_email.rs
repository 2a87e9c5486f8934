//! `billing_email`: a plausible address, or null to clear it.

use serde_json::{Value, json};

use crate::agentmessage::admin::Admin;

const ADDRESS_ERROR: &str = "must be a plausible email address";

/// Returns an address of `length` characters, with the longest valid local part and labels.
fn address(length: usize) -> String {
    let labels = ["b".repeat(63), "c".repeat(63), "d".repeat(length - 193)];
    let address = format!("{}@{}", "a".repeat(64), labels.join("."));
    assert_eq!(address.len(), length);
    address
}

#[actix_web::test]
async fn a_plausible_address_is_kept_as_it_is_sent() {
    let admin = Admin::new().await;
    for good in [
        "a@b.co",
        "AP+Invoices@ACME.Example",
        "first.last@mail.acme.example",
        "!#$%&'*+/=?^_`{|}~-@x.co",
        "1@2.3",
        "a@xn--bcher-kva.example",
        address(254).as_str(),
    ] {
        let data = admin.change(json!({ "billing_email": good })).await;
        assert_eq!(data["billing_email"], good);
    }
}

#[actix_web::test]
async fn an_implausible_address_is_refused() {
    let admin = Admin::new().await;
    let (local, label) = ("a".repeat(65), "b".repeat(64));
    let long = [
        format!("{local}@b.co"),
        format!("a@{label}.co"),
        format!("a@b.{label}"),
    ];
    let bad = [
        "",
        " ",
        "a",
        "@",
        "a@",
        "@b.co",
        "a@b",
        "a@b.",
        "a@.co",
        "a@b..co",
        "a@b@c.co",
        "a b@c.co",
        "a@b c.co",
        " a@b.co",
        "a@b.co ",
        "a@b.co\n",
        "\na@b.co",
        "a@b.co\r\nBcc: x@y.co",
        ".a@b.co",
        "a.@b.co",
        "a..b@c.co",
        "a@-b.co",
        "a@b-.co",
        "a@b_c.co",
        "a@b.co,c@d.co",
        "Acme <a@b.co>",
        "\"a\"@b.co",
        "(x)a@b.co",
        "a@[127.0.0.1]",
        "ü@b.co",
        "a@bü.co",
        "😀@b.co",
        "a@b.co\0",
        "a\0@b.co",
        "a@b。co",
    ];
    let rows = bad.into_iter().chain(long.iter().map(String::as_str));
    admin
        .each_refused("billing_email", rows.map(|bad| (json!(bad), ADDRESS_ERROR)))
        .await;
}

#[actix_web::test]
async fn an_address_of_more_than_254_characters_is_refused() {
    let admin = Admin::new().await;
    let words = "must be at most 254 characters";
    admin
        .each_refused("billing_email", [(json!(address(255)), words)])
        .await;
}

#[actix_web::test]
async fn null_clears_the_address_and_absence_keeps_it() {
    let admin = Admin::new().await;
    let data = admin.change(json!({"name": "Other"})).await;
    assert_eq!(data["billing_email"], "ap@acme.example", "absent");
    let data = admin.change(json!({"billing_email": null})).await;
    assert_eq!(data["billing_email"], Value::Null, "null");
    let data = admin.change(json!({"name": "Another"})).await;
    assert_eq!(data["billing_email"], Value::Null, "absent again");
    let data = admin.change(json!({"billing_email": "a@b.co"})).await;
    assert_eq!(data["billing_email"], "a@b.co", "set again");
}

#[actix_web::test]
async fn an_address_of_another_type_is_refused() {
    let admin = Admin::new().await;
    let others = [
        json!(1),
        json!(false),
        json!(["a@b.co"]),
        json!({"a": "a@b.co"}),
    ];
    let rows = others
        .into_iter()
        .map(|value| (value, "must be a string or null"));
    admin.each_refused("billing_email", rows).await;
}
