//! `If-Match`: change only the version that the client has read (RFC 9110, section 13.1.1). And
//! `If-None-Match` (section 13.1.2).

use futures_util::future::join;
use quietline::domain::organization::OrganizationKind;
use quietline::domain::registry::RegistrationStatus;
use quietline::domain::scope::Scope;
use serde_json::json;

use crate::agentmessage::admin::{Admin, assert_error};
use crate::support::response::Response;

async fn patch_if_match(admin: &Admin, lines: &[&str], name: &str) -> Response {
    let request = admin.patching().json(&json!({ "name": name }));
    let request = lines
        .iter()
        .fold(request, |request, line| request.header("if-match", line));
    request.send().await
}

async fn refused(admin: &Admin, value: &str) {
    let before = admin.stored().await;
    let response = patch_if_match(admin, &[value], "Refused").await;
    assert_error(&response, 412, "PRECONDITION_FAILED", value);
    assert_eq!(
        response.text("/error/message"),
        "If-Match does not match the present version (weak entity tags never match)"
    );
    assert!(!response.headers.contains_key("etag"), "{value}");
    assert_eq!(admin.stored().await, before, "{value}");
}

async fn tag(admin: &Admin) -> String {
    admin.get().await.header("etag").to_owned()
}

#[actix_web::test]
async fn a_match_a_list_with_a_match_and_a_star_are_accepted() {
    let admin = Admin::new().await;
    for (number, template) in [
        "TAG",
        "*",
        "\"other\", TAG",
        "TAG,\"other\"",
        "W/\"other\" ,\tTAG , \"more\"",
        "W/TAG, TAG",
        // An empty list member is ignored (RFC 9110, section 5.6.1), and a tag may contain commas.
        ", TAG,",
        "\"a,b\", TAG",
    ]
    .iter()
    .enumerate()
    {
        let value = template.replace("TAG", &tag(&admin).await);
        let name = format!("Name {number}");
        let response = patch_if_match(&admin, &[&value], &name).await;
        assert_eq!(response.status, 200, "{value}: {response:?}");
        assert_eq!(response.text("/data/name"), name, "{value}");
    }
    let present = tag(&admin).await;
    let response = patch_if_match(&admin, &["\"other\"", &present], "Two lines").await;
    assert_eq!(response.status, 200, "two lines are one list");
}

/// `If-Match` uses the strong comparison (RFC 9110, section 8.8.3.2): a weak tag never matches.
#[actix_web::test]
async fn another_tag_or_a_weak_one_is_refused_and_changes_nothing() {
    let admin = Admin::new().await;
    let present = tag(&admin).await;
    let bare = present.trim_matches('"');
    for value in [
        "\"other\"".to_owned(),
        "\"\"".to_owned(),
        format!("\"{bare}0\""),
        format!("\"0{bare}\""),
        format!("\"+{bare}\""),
        "\"a\", \"b\"".to_owned(),
        format!("W/{present}"),
        format!("\"a\", W/{present}"),
    ] {
        refused(&admin, &value).await;
    }
}

#[actix_web::test]
async fn a_value_of_another_form_matches_nothing() {
    let admin = Admin::new().await;
    let present = tag(&admin).await;
    let bare = present.trim_matches('"');
    for value in [
        String::new(),
        bare.to_owned(),
        format!("'{bare}'"),
        format!("\"{bare}"),
        format!("{bare}\""),
        format!("\" {bare}\""),
        format!("\"{bare} \""),
        format!("w/{present}"),
        "**".to_owned(),
        "\"*\"".to_owned(),
        ",".to_owned(),
    ] {
        refused(&admin, &value).await;
    }
}

#[actix_web::test]
async fn a_list_with_one_malformed_member_matches_nothing() {
    let admin = Admin::new().await;
    let present = tag(&admin).await;
    for value in [
        format!("{present}, other"),
        format!("other, {present}"),
        format!("*, {present}"),
        format!("{present}, *"),
        format!("\"a b\", {present}"),
        format!("\"a\"b\", {present}"),
        format!("\"a\" \"b\", {present}"),
    ] {
        refused(&admin, &value).await;
    }
}

#[actix_web::test]
async fn bytes_other_than_text_match_nothing() {
    let admin = Admin::new().await;
    let before = admin.stored().await;
    let request = admin.patching().header_bytes("if-match", b"\"\xff\"");
    let response = request.json(&json!({"name": "Refused"})).send().await;
    assert_error(&response, 412, "PRECONDITION_FAILED", "0xFF");
    assert_eq!(admin.stored().await, before);
}

#[actix_web::test]
async fn a_tag_from_before_another_change_is_stale() {
    let admin = Admin::new().await;
    let first = tag(&admin).await;
    admin.change(json!({"mms_retention_days": 31})).await;
    refused(&admin, &first).await;
    let second = tag(&admin).await;
    admin.add_brand(RegistrationStatus::Active).await;
    refused(&admin, &second).await;
    let third = tag(&admin).await;
    assert_eq!(patch_if_match(&admin, &[&third], "Other").await.status, 200);
}

#[actix_web::test]
async fn a_tag_of_another_organization_with_the_same_version_matches_nothing() {
    let admin = Admin::new().await;
    let other = admin.app.organization(OrganizationKind::Commercial).await;
    let key = admin.app.api_key_of(&other.id, &[Scope::OrgRead]).await;
    let tags = [tag(&admin).await, {
        let theirs = admin.app.get("/v1/organization", &key).await;
        theirs.header("etag").to_owned()
    }];
    let versions = tags.each_ref().map(|tag| tag.split('-').next());
    assert_eq!(versions[0], versions[1]);
    refused(&admin, &tags[1]).await;
}

#[actix_web::test]
async fn a_patch_without_effect_is_checked_against_the_tag_too() {
    let admin = Admin::new().await;
    let present = tag(&admin).await;
    for (value, status) in [(present.as_str(), 200), ("*", 200), ("\"other\"", 412)] {
        let request = admin.patching().header("if-match", value).json(&json!({}));
        assert_eq!(request.send().await.status, status, "{value}");
    }
    assert_eq!(tag(&admin).await, present);
}

/// `If-None-Match` uses the weak comparison (RFC 9110, section 8.8.3.2).
#[actix_web::test]
async fn if_none_match_with_the_present_tag_is_refused_and_changes_nothing() {
    let admin = Admin::new().await;
    let present = tag(&admin).await;
    let before = admin.stored().await;
    let patch = async |value: &str| {
        let request = admin.patching().header("if-none-match", value);
        request.json(&json!({"name": "Other"})).send().await
    };
    for value in [
        "*".to_owned(),
        present.clone(),
        format!("W/{present}"),
        format!("\"other\", {present}"),
        // Another form. The client meant a condition.
        present.trim_matches('"').to_owned(),
    ] {
        let response = patch(&value).await;
        assert_error(&response, 412, "PRECONDITION_FAILED", &value);
        let message = "If-None-Match matches the present version";
        assert_eq!(response.text("/error/message"), message, "{value}");
    }
    assert_eq!(admin.stored().await, before);
    for value in ["\"other\"", "W/\"other\""] {
        assert_eq!(patch(value).await.status, 200, "{value}");
    }
}

#[actix_web::test]
async fn one_of_two_writers_with_the_same_tag_wins() {
    let admin = Admin::new().await;
    for round in 0..5 {
        let present = tag(&admin).await;
        let names = [format!("Left {round}"), format!("Right {round}")];
        let (left, right) = join(
            patch_if_match(&admin, &[&present], &names[0]),
            patch_if_match(&admin, &[&present], &names[1]),
        )
        .await;
        let mut statuses = [left.status, right.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412]);
        let winner = if left.status == 200 { &left } else { &right };
        assert_eq!(admin.get().await.json(), winner.json());
    }
    assert_eq!(admin.audit().await.len(), 5);
}

#[actix_web::test]
async fn two_writers_of_different_fields_without_a_tag_both_win() {
    let admin = Admin::new().await;
    for round in 31..36 {
        let (name, days) = (
            json!({"name": format!("Name {round}")}),
            json!({"mms_retention_days": round}),
        );
        let (left, right) = join(admin.patch(&name), admin.patch(&days)).await;
        assert_eq!((left.status, right.status), (200, 200));
        let data = admin.data().await;
        assert_eq!(data["name"], name["name"]);
        assert_eq!(data["mms_retention_days"], round);
    }
    assert_eq!(admin.audit().await.len(), 10);
    assert_eq!(admin.stored().await.version, 11);
}
