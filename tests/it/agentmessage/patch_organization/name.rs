//! `name`: trimmed, 1 to 200 code points, no control characters.

use serde_json::json;

use crate::agentmessage::admin::Admin;

const NAME_ERROR: &str = "must be 1 to 200 characters after trimming, with no control characters";

/// Unicode `White_Space` without its control characters.
const SPACES: &str = " \u{a0}\u{1680}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\
    \u{2007}\u{2008}\u{2009}\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}";

#[actix_web::test]
async fn a_name_is_1_to_200_code_points() {
    let admin = Admin::new().await;
    let longest = [
        "a".repeat(200),
        "é".repeat(200),
        "😀".repeat(200),
        "e\u{301}".repeat(100),
    ];
    let short = [
        "A",
        "😀",
        "\u{10fffd}",
        "\u{200b}A",
        "A  B\u{a0}C",
        "مرحبا",
        "<b>\"O'Neil\"</b>\\",
    ];
    for name in longest.iter().map(String::as_str).chain(short) {
        let data = admin.change(json!({ "name": name })).await;
        assert_eq!(data["name"], name);
        assert_eq!(admin.stored().await.settings.name.as_str(), name);
    }
}

#[actix_web::test]
async fn an_empty_name_or_one_of_more_than_200_code_points_is_refused() {
    let admin = Admin::new().await;
    let long = [
        "a".repeat(201),
        "é".repeat(201),
        "😀".repeat(201),
        "e\u{301}".repeat(101),
    ];
    let rows = long.into_iter().chain([String::new(), "a".repeat(60_000)]);
    admin
        .each_refused("name", rows.map(|name| (json!(name), NAME_ERROR)))
        .await;
}

#[actix_web::test]
async fn white_space_around_a_name_is_removed_and_does_not_count() {
    let admin = Admin::new().await;
    for space in SPACES.chars() {
        // Inside a name these would break the line.
        let inner = if "\u{2028}\u{2029}".contains(space) {
            ' '
        } else {
            space
        };
        let around = format!("{space}{space}A{inner}B{space}");
        let data = admin.change(json!({ "name": around })).await;
        assert_eq!(data["name"], format!("A{inner}B"), "{space:?}");
    }
    let longest = "😀".repeat(200);
    let data = admin
        .change(json!({"name": format!("{SPACES}{longest}{SPACES}")}))
        .await;
    assert_eq!(data["name"], longest);
    let kept = "\u{feff}A\u{200b}";
    assert_eq!(
        admin.change(json!({ "name": kept })).await["name"],
        kept,
        "not White_Space"
    );
}

#[actix_web::test]
async fn a_name_of_nothing_but_white_space_is_refused() {
    let admin = Admin::new().await;
    let mut rows: Vec<_> = SPACES
        .chars()
        .map(|space| (json!(space.to_string()), NAME_ERROR))
        .collect();
    rows.push((json!(SPACES), NAME_ERROR));
    rows.push((json!(" ".repeat(300)), NAME_ERROR));
    admin.each_refused("name", rows).await;
}

#[actix_web::test]
async fn a_control_character_anywhere_in_a_name_is_refused() {
    let admin = Admin::new().await;
    let controls = ('\u{0}'..='\u{1f}').chain('\u{7f}'..='\u{9f}');
    for control in controls {
        for name in [
            format!("{control}Acme"),
            format!("Ac{control}me"),
            format!("Acme{control}"),
        ] {
            admin
                .each_refused("name", [(json!(name), NAME_ERROR)])
                .await;
        }
    }
}

#[actix_web::test]
async fn a_name_that_differs_only_in_surrounding_white_space_changes_nothing() {
    let admin = Admin::new().await;
    let before = admin.stored().await;
    admin
        .change(json!({"name": "\u{3000} Acme Health, Inc. "}))
        .await;
    assert_eq!(admin.stored().await, before);
}

#[actix_web::test]
async fn a_name_of_another_type_or_null_is_refused() {
    let admin = Admin::new().await;
    let mut rows = vec![(json!(null), "cannot be null")];
    let others = [
        json!(1),
        json!(true),
        json!(["Acme"]),
        json!({"name": "Acme"}),
    ];
    rows.extend(others.into_iter().map(|value| (value, "must be a string")));
    admin.each_refused("name", rows).await;
}
