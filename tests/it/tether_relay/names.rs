//! Both names of an organization, in the path and in the token.

use quietline::domain::actor::Role;

use super::users::{
    METHODS, OTHER_EXTERNAL_ID, assert_failure, call, organization_named, other_organization,
    stored,
};
use crate::support::TestApp;
use crate::support::app::EXTERNAL_ID;

#[actix_web::test]
async fn an_admin_may_use_either_name_in_the_path_and_in_the_token() {
    let app = TestApp::new().await;
    let own = app.org_id.to_string();
    let upper = own.to_uppercase();
    for claimed in [own.as_str(), upper.as_str(), EXTERNAL_ID] {
        let token = app.jwt_of(Role::Admin, Some(claimed));
        for id in [own.as_str(), upper.as_str(), EXTERNAL_ID] {
            for method in METHODS {
                let response = call(&app, &method, id, &token).await;
                assert_eq!(response.status, 200, "{method} {claimed} {id}");
            }
            let expected = format!("Hi from {id:.20}");
            assert_eq!(
                app.stored().await.missed_call.message,
                Some(expected),
                "{claimed} {id}"
            );
        }
    }
}

#[actix_web::test]
async fn neither_name_of_another_organization_gives_access() {
    let app = TestApp::new().await;
    let other = other_organization(&app).await;
    let own = app.org_id.to_string();
    for claimed in [own.as_str(), EXTERNAL_ID] {
        let token = app.jwt_of(Role::Admin, Some(claimed));
        for id in [&other.id.to_string(), OTHER_EXTERNAL_ID] {
            for method in METHODS {
                let response = call(&app, &method, id, &token).await;
                assert_failure(
                    &response,
                    403,
                    "Forbidden",
                    &format!("{method} {claimed} {id}"),
                );
            }
        }
    }
}

#[actix_web::test]
async fn a_superadmin_may_use_either_name() {
    let app = TestApp::new().await;
    let own = app.org_id.to_string();
    let token = app.jwt_of(Role::Superadmin, None);
    for id in [own.clone(), own.to_uppercase(), EXTERNAL_ID.to_owned()] {
        for method in METHODS {
            assert_eq!(
                call(&app, &method, &id, &token).await.status,
                200,
                "{method} {id}"
            );
        }
    }
}

#[actix_web::test]
async fn an_external_id_is_compared_exactly_and_a_uuid_in_its_hyphenated_form() {
    let app = TestApp::new().await;
    let own = app.org_id.to_string();
    let token = app.jwt_of(Role::Superadmin, None);
    for id in [
        EXTERNAL_ID.to_uppercase(),
        EXTERNAL_ID[..23].to_owned(),
        format!("{EXTERNAL_ID}0"),
        format!("%20{EXTERNAL_ID}"),
        format!("{EXTERNAL_ID}%00"),
        format!("{EXTERNAL_ID}%25"),
        own.replace('-', ""),
        format!("%7B{own}%7D"),
        format!("{own}%20"),
    ] {
        for method in METHODS {
            let response = call(&app, &method, &id, &token).await;
            assert_failure(
                &response,
                404,
                "Organization not found",
                &format!("{method} {id}"),
            );
        }
    }
}

#[actix_web::test]
async fn a_name_may_be_percent_encoded() {
    let app = TestApp::new().await;
    let encoded: String = EXTERNAL_ID
        .bytes()
        .map(|byte| format!("%{byte:02x}"))
        .collect();
    let hyphens = app.org_id.to_string().replace('-', "%2D");
    for id in [encoded, hyphens] {
        for role in [Role::Admin, Role::Superadmin] {
            for method in METHODS {
                let response = call(&app, &method, &id, &app.jwt(role)).await;
                assert_eq!(response.status, 200, "{method} {role:?} {id}");
            }
        }
    }
}

#[actix_web::test]
async fn an_external_id_may_hold_any_visible_characters() {
    let app = TestApp::new().await;
    let mut unreachable = Vec::new();
    for id in [
        "a/b", "100%", "a?b", "a#b", "a+b", "a%2Fb", "a%41", "{x}", "\"x\"", "a;b=c,d",
    ] {
        let organization = organization_named(&app, id).await;
        let encoded: String = id.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let uuid = organization.id.to_string();
        let (id_claim, uuid_claim) = (Some(id), Some(uuid.as_str()));
        let tokens = [
            app.jwt_of(Role::Superadmin, None),
            app.jwt_of(Role::Admin, id_claim),
            app.jwt_of(Role::Admin, uuid_claim),
        ];
        for token in tokens {
            let response = call(&app, &METHODS[1], &encoded, &token).await;
            if response.status != 200 || stored(&app, &organization).await.version == 1 {
                unreachable.push((id, response.status));
            }
        }
    }
    assert_eq!(unreachable, []);
}
