//! `is_reseller`: on only for companies, off only without brands.

use quietline::domain::organization::OrganizationKind;
use quietline::domain::registry::RegistrationStatus;
use quietline::domain::scope::Scope;
use serde_json::{Value, json};

use crate::agentmessage::admin::{Admin, assert_error};

async fn refused(admin: &Admin, wanted: bool, code: &str, message: &str) {
    let before = admin.stored().await;
    let response = admin.patch(&json!({ "is_reseller": wanted })).await;
    assert_error(&response, 422, code, message);
    assert_eq!(response.text("/error/message"), message);
    assert_eq!(response.details(), Value::Null, "rules have no details");
    assert_eq!(admin.stored().await, before);
}

async fn refused_because_of_brands(admin: &Admin) {
    let message = "reseller mode cannot be turned off while a brand exists";
    refused(admin, false, "RESELLER_HAS_BRANDS", message).await;
}

#[actix_web::test]
async fn a_company_becomes_a_reseller_and_stops_being_one() {
    let admin = Admin::new().await;
    for wanted in [true, false, true] {
        let data = admin.change(json!({ "is_reseller": wanted })).await;
        assert_eq!(data["is_reseller"], wanted);
    }
    let data = admin.change(json!({"name": "Other"})).await;
    assert_eq!(data["is_reseller"], true, "absent keeps");
}

#[actix_web::test]
async fn a_person_cannot_become_a_reseller() {
    let admin = Admin::personal().await;
    let message = "acting on behalf of other companies requires a commercial organization";
    refused(&admin, true, "RESELLER_NOT_ELIGIBLE", message).await;
    let before = admin.stored().await;
    let data = admin.change(json!({"is_reseller": false})).await;
    assert_eq!(
        data["is_reseller"], false,
        "the organization was not a reseller before"
    );
    assert_eq!(admin.stored().await, before);
}

#[actix_web::test]
async fn reseller_mode_stays_on_while_a_brand_exists() {
    for status in [RegistrationStatus::Active, RegistrationStatus::Pending] {
        let admin = Admin::new().await;
        admin.change(json!({"is_reseller": true})).await;
        let brand = admin.add_brand(status).await;
        refused_because_of_brands(&admin).await;
        admin.delete_brand(brand).await;
        let data = admin.change(json!({"is_reseller": false})).await;
        assert_eq!(data["is_reseller"], false, "{status:?} and then deleted");
    }
}

#[actix_web::test]
async fn only_live_brands_keep_reseller_mode_on() {
    let admin = Admin::new().await;
    admin.change(json!({"is_reseller": true})).await;
    admin.add_brand(RegistrationStatus::Deleted).await;
    let live = admin.add_brand(RegistrationStatus::Active).await;
    refused_because_of_brands(&admin).await;
    admin.delete_brand(live).await;
    assert_eq!(
        admin.change(json!({"is_reseller": false})).await["is_reseller"],
        false
    );
}

#[actix_web::test]
async fn a_brand_does_not_keep_a_company_from_becoming_or_staying_a_reseller() {
    let admin = Admin::new().await;
    admin.add_brand(RegistrationStatus::Active).await;
    let data = admin.change(json!({"is_reseller": false})).await;
    assert_eq!(data["is_reseller"], false, "it was not a reseller before");
    let data = admin.change(json!({"is_reseller": true})).await;
    assert_eq!(data["is_reseller"], true);
    let before = admin.stored().await;
    admin.change(json!({"is_reseller": true})).await;
    assert_eq!(admin.stored().await, before, "it was a reseller before");
}

#[actix_web::test]
async fn a_brand_of_another_organization_does_not_count() {
    let admin = Admin::new().await;
    let other = admin
        .app
        .organization(OrganizationKind::Commercial)
        .await
        .id;
    let key = admin.app.api_key_of(&other, &[Scope::OrgAdminWrite]).await;
    admin.add_brand(RegistrationStatus::Active).await;
    for wanted in [true, false] {
        let response = admin
            .app
            .patch(&key, json!({ "is_reseller": wanted }))
            .await;
        assert_eq!(
            response.json()["data"]["is_reseller"],
            wanted,
            "{response:?}"
        );
        assert_eq!(
            response.json()["data"]["registration_status"]["brand_count"],
            0
        );
    }
}

#[actix_web::test]
async fn a_value_other_than_a_boolean_is_refused() {
    let admin = Admin::new().await;
    let others = [
        json!("true"),
        json!("false"),
        json!(1),
        json!(0),
        json!([]),
        json!({}),
    ];
    let rows = others.into_iter().map(|value| (value, "must be a boolean"));
    admin.each_refused("is_reseller", rows).await;
    admin
        .each_refused("is_reseller", [(Value::Null, "cannot be null")])
        .await;
}
