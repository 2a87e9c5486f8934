//! GET /v1/organization.

use actix_web::http::Method;
use quietline::domain::organization::OrganizationKind;
use quietline::domain::registry::RegistrationStatus;
use quietline::domain::scope::Scope;
use serde_json::{Value, json};
use strum::VariantArray as _;

use super::admin::{Admin, PATH, assert_error};
use crate::support::TestApp;
use crate::support::response::Response;

#[actix_web::test]
async fn every_field_is_present_except_the_attestation() {
    let app = TestApp::new().await;
    app.brand().await;
    let key = app.api_key(&[Scope::OrgRead]).await;
    let response = app.get("/v1/organization", &key).await;
    assert_eq!(response.status, 200);
    let expected = json!({
        "success": true,
        "data": {
            "id": app.org_id.to_string(),
            "name": "Acme Health, Inc.",
            "billing_email": "ap@acme.example",
            "plan": "payg",
            "throughput_tier": 1,
            "message_retention_days": 60,
            "mms_retention_days": 30,
            "is_reseller": false,
            "quiet_hours": {"enabled": false, "start": "21:00", "end": "08:00", "mode": "reject"},
            "auto_replies": {
                "enabled": true, "stop_text": null, "help_text": null, "start_text": null,
            },
            "registration_status": {"brand": "ACTIVE", "brand_count": 1, "campaign_count": 0},
            "created_at": "2026-01-04T12:00:00.000Z",
        },
    });
    assert_eq!(response.json(), expected);
}

#[actix_web::test]
async fn a_field_without_a_value_is_null_and_not_absent() {
    let admin = Admin::new().await;
    admin.change(json!({"billing_email": null})).await;
    let data = admin.data().await;
    for (holder, field) in [
        ("", "billing_email"),
        ("/auto_replies", "stop_text"),
        ("/auto_replies", "help_text"),
        ("/auto_replies", "start_text"),
        ("/registration_status", "brand"),
    ] {
        let holder = data.pointer(holder).and_then(Value::as_object).unwrap();
        assert_eq!(holder.get(field), Some(&Value::Null), "{field}");
    }
    assert_eq!(data["registration_status"]["brand_count"], 0);
}

#[actix_web::test]
async fn a_key_reads_only_its_own_organization() {
    let app = TestApp::new().await;
    let other = app.organization(OrganizationKind::Personal).await;
    let own_key = app.api_key(&[Scope::OrgRead]).await;
    let other_key = app.api_key_of(&other.id, &[Scope::OrgRead]).await;
    for (key, id) in [(own_key, &app.org_id), (other_key, &other.id)] {
        assert_eq!(app.get(PATH, &key).await.text("/data/id"), id.to_string());
    }
}

#[actix_web::test]
async fn every_scope_but_org_read_is_refused() {
    let app = TestApp::new().await;
    let others: Vec<Scope> = Scope::VARIANTS
        .iter()
        .copied()
        .filter(|scope| *scope != Scope::OrgRead)
        .collect();
    for scopes in [
        others.as_slice(),
        &[Scope::OrgAdminWrite],
        &[Scope::AuditRead],
    ] {
        let key = app.api_key(scopes).await;
        let response = app.get(PATH, &key).await;
        let names: Vec<&str> = scopes.iter().map(|scope| scope.into_str()).collect();
        assert_error(&response, 403, "FORBIDDEN", &names.join(" "));
        assert_eq!(response.text("/error/message"), "missing required scope");
        assert_eq!(response.details(), Value::Null);
    }
}

#[actix_web::test]
async fn query_parameters_are_ignored() {
    let admin = Admin::new().await;
    let plain = admin.get().await.json();
    for query in [
        "?",
        "?a",
        "?name=x&name=y",
        "?limit=0&cursor=%ff",
        "?%00=%zz",
        "?If-Match=1",
    ] {
        let response = admin.app.get(&format!("{PATH}{query}"), &admin.key).await;
        assert_eq!(response.status, 200, "{query}");
        assert_eq!(response.json(), plain, "{query}");
    }
}

#[actix_web::test]
async fn the_entity_tag_is_strong_and_constant_until_something_changes() {
    let admin = Admin::new().await;
    let first = admin.get().await.header("etag").to_owned();
    assert!(
        first.starts_with('"') && first.ends_with('"') && first.len() > 2,
        "{first}"
    );
    assert_eq!(admin.get().await.header("etag"), first, "read again");

    let patched = admin.patch(&json!({"name": "Other"})).await;
    let second = patched.header("etag").to_owned();
    assert_ne!(second, first, "after a change");
    assert_eq!(
        admin.get().await.header("etag"),
        second,
        "the PATCH's and the GET's"
    );

    let unchanged = admin.patch(&json!({"name": "Other"})).await;
    assert_eq!(
        unchanged.header("etag"),
        second,
        "after a change to the same"
    );
    assert_eq!(
        admin.patch(&json!({})).await.header("etag"),
        second,
        "after no change"
    );
    let refused = admin.patch(&json!({"name": null})).await;
    assert_eq!(refused.status, 422);
    assert_eq!(admin.get().await.header("etag"), second, "after a refusal");
}

#[actix_web::test]
async fn the_entity_tag_changes_with_the_registration_status() {
    let admin = Admin::new().await;
    let without = admin.get().await;
    let brand = admin.add_brand(RegistrationStatus::Pending).await;
    let with = admin.get().await;
    let status = json!({"brand": "PENDING", "brand_count": 1, "campaign_count": 0});
    assert_eq!(with.json()["data"]["registration_status"], status);
    assert_ne!(
        with.header("etag"),
        without.header("etag"),
        "a brand was added"
    );
    admin.delete_brand(brand).await;
    let again_without = admin.get().await;
    assert_eq!(again_without.json(), without.json());
    for earlier in [&with, &without] {
        assert_ne!(
            again_without.header("etag"),
            earlier.header("etag"),
            "it was deleted"
        );
    }
}

async fn get_if_none_match(admin: &Admin, lines: &[&str]) -> Response {
    let request = admin.app.request(Method::GET, PATH).bearer(&admin.key);
    let request = lines.iter().fold(request, |request, line| {
        request.header("if-none-match", line)
    });
    request.send().await
}

/// `If-None-Match` uses the weak comparison (RFC 9110, section 13.1.2).
#[actix_web::test]
async fn if_none_match_with_the_current_tag_is_304_with_the_tag_and_no_body() {
    let admin = Admin::new().await;
    let tag = admin.get().await.header("etag").to_owned();
    for value in [
        tag.clone(),
        format!("W/{tag}"),
        "*".to_owned(),
        format!("\"other\", {tag}"),
        format!("{tag}, \"other\""),
        format!("\"a\",W/{tag},\"b\""),
        format!("\"a\" ,\t{tag} , W/\"b\""),
    ] {
        let response = get_if_none_match(&admin, &[&value]).await;
        assert_eq!(response.status, 304, "{value}");
        assert_eq!(response.header("etag"), tag, "{value}");
        assert!(response.bytes.is_empty(), "{value}");
    }
    let two_lines = get_if_none_match(&admin, &["\"other\"", &tag]).await;
    assert_eq!(two_lines.status, 304, "two lines are one list");
}

#[actix_web::test]
async fn if_none_match_without_the_current_tag_gets_the_full_response() {
    let admin = Admin::new().await;
    let plain = admin.get().await;
    let tag = plain.header("etag").to_owned();
    let bare = tag.trim_matches('"');
    for value in [
        "\"other\"".to_owned(),
        "W/\"other\"".to_owned(),
        "\"a\", \"b\"".to_owned(),
        format!("\"{bare}0\""),
        format!("\"0{bare}\""),
        "\"\"".to_owned(),
    ] {
        let response = get_if_none_match(&admin, &[&value]).await;
        assert_eq!(response.status, 200, "{value}");
        assert_eq!(response.json(), plain.json(), "{value}");
        assert_eq!(response.header("etag"), tag, "{value}");
    }
}

#[actix_web::test]
async fn if_none_match_of_another_form_matches_nothing() {
    let admin = Admin::new().await;
    let tag = admin.get().await.header("etag").to_owned();
    let bare = tag.trim_matches('"').to_owned();
    for value in [
        String::new(),
        bare.clone(),
        format!("'{bare}'"),
        format!("\"{bare}"),
        format!("{bare}\""),
        format!("w/{tag}"),
        format!("W/ {tag}"),
        format!("\" {bare}\""),
        "**".to_owned(),
    ] {
        let response = get_if_none_match(&admin, &[&value]).await;
        assert_eq!(response.status, 200, "{value:?}");
    }
}

#[actix_web::test]
async fn if_none_match_with_one_malformed_member_matches_nothing() {
    let admin = Admin::new().await;
    let tag = admin.get().await.header("etag").to_owned();
    for value in [
        format!("{tag}, other"),
        format!("other, {tag}"),
        format!("*, {tag}"),
    ] {
        let response = get_if_none_match(&admin, &[&value]).await;
        assert_eq!(response.status, 200, "{value:?}");
    }
}

#[actix_web::test]
async fn an_outdated_tag_no_longer_matches() {
    let admin = Admin::new().await;
    let old = admin.get().await.header("etag").to_owned();
    admin.change(json!({"mms_retention_days": 31})).await;
    let response = get_if_none_match(&admin, &[&old]).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.json()["data"]["mms_retention_days"], 31);
}

#[actix_web::test]
async fn if_none_match_does_not_bypass_the_read_permission() {
    let app = TestApp::new().await;
    let key = app.api_key(&[Scope::OrgAdminWrite]).await;
    let forbidden = app
        .request(Method::GET, PATH)
        .bearer(&key)
        .header("if-none-match", "*");
    assert_error(&forbidden.send().await, 403, "FORBIDDEN", "another scope");
    let unknown = app.request(Method::GET, PATH).header("if-none-match", "*");
    assert_error(&unknown.send().await, 401, "UNAUTHORIZED", "no key");
}
