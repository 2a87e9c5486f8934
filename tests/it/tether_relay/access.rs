//! Access by role. Refused callers learn nothing about the organization.

use quietline::domain::actor::Role;
use serde_json::{Value, json};

use super::users::{
    METHODS, OTHER_EXTERNAL_ID, assert_failure, call, other_organization, path, stored,
};
use crate::support::TestApp;
use crate::support::app::EXTERNAL_ID;
use crate::support::response::Response;

/// UUID and external id without an organization.
const UNKNOWN: [&str; 2] = [
    "01900000-0000-7000-8000-000000000000",
    "65f0c1d2e3a4b5c6d7e8ffff",
];

/// Returns path segments that cannot name an organization.
fn garbage() -> Vec<String> {
    let fixed = [
        "x",
        "0",
        "-1",
        "null",
        "undefined",
        "..",
        ".",
        "%2e%2e",
        "%00",
        "%ff",
        "%c3%28",
        "a%00b",
        "%20",
        "%0a",
        "a%2Fb",
        "..%2f..%2fetc",
        "%25",
        "*",
        "'%20OR%201=1--",
        "%F0%9F%98%80",
        "{organizationId}",
        "01900000000070008000000000000000",
        "%7B01900000-0000-7000-8000-000000000000%7D",
        "a;b",
        "a+b",
        "a&b=c",
    ];
    fixed
        .into_iter()
        .map(str::to_owned)
        .chain(["a".repeat(10_000)])
        .collect()
}

/// Returns everything that a client sees of a refusal except its request id.
fn visible_parts(response: &Response) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let mut headers: Vec<(String, String)> = response
        .headers
        .iter()
        .filter(|(name, _)| name.as_str() != "x-request-id")
        .map(|(name, value)| (name.to_string(), format!("{value:?}")))
        .collect();
    headers.sort();
    (response.status, headers, response.bytes.to_vec())
}

#[actix_web::test]
async fn an_admin_and_a_superadmin_may_and_other_roles_may_not() {
    let app = TestApp::new().await;
    for method in METHODS {
        for (role, status) in [
            (Role::Admin, 200),
            (Role::Superadmin, 200),
            (Role::DepartmentHead, 403),
            (Role::SalesRep, 403),
        ] {
            let response = call(&app, &method, &app.org_id.to_string(), &app.jwt(role)).await;
            assert_eq!(response.status, status, "{method} {role:?}");
        }
    }
}

#[actix_web::test]
async fn every_other_role_is_refused_alike_whether_the_organization_exists_or_not() {
    let app = TestApp::new().await;
    let other = other_organization(&app).await;
    let before = (app.stored().await, stored(&app, &other).await);
    let other_id = other.id.to_string();
    let named = [&other_id, OTHER_EXTERNAL_ID, UNKNOWN[0], UNKNOWN[1]];
    let ids: Vec<String> = named
        .iter()
        .map(|id| (*id).to_owned())
        .chain(garbage())
        .collect();
    for method in METHODS {
        for role in [Role::Admin, Role::DepartmentHead, Role::SalesRep] {
            let mut faces = Vec::new();
            for id in &ids {
                let response = call(&app, &method, id, &app.jwt(role)).await;
                assert_failure(
                    &response,
                    403,
                    "Forbidden",
                    &format!("{method} {role:?} {id:.80}"),
                );
                faces.push(visible_parts(&response));
            }
            assert!(
                faces.iter().all(|parts| *parts == faces[0]),
                "{method} {role:?}"
            );
        }
    }
    assert_eq!((app.stored().await, stored(&app, &other).await), before);
}

#[actix_web::test]
async fn weaker_roles_are_refused_for_their_own_organization_as_for_any_other() {
    let app = TestApp::new().await;
    let other = other_organization(&app).await;
    let before = app.stored().await;
    for method in METHODS {
        for role in [Role::DepartmentHead, Role::SalesRep] {
            let token = app.jwt(role);
            let own = call(&app, &method, &app.org_id.to_string(), &token).await;
            assert_failure(&own, 403, "Forbidden", role.into_str());
            for id in [EXTERNAL_ID, &other.id.to_string(), UNKNOWN[0]] {
                let response = call(&app, &method, id, &token).await;
                assert_eq!(
                    visible_parts(&response),
                    visible_parts(&own),
                    "{method} {role:?} {id}"
                );
            }
        }
    }
    assert_eq!(app.stored().await, before);
}

#[actix_web::test]
async fn a_superadmin_reaches_every_organization_regardless_of_the_organization_claim() {
    let app = TestApp::new().await;
    let other = other_organization(&app).await;
    let own = app.org_id.to_string();
    for method in METHODS {
        for claimed in [
            None,
            Some(own.as_str()),
            Some(UNKNOWN[0]),
            Some(UNKNOWN[1]),
            Some(""),
            Some("\u{e9}"),
        ] {
            let token = app.jwt_of(Role::Superadmin, claimed);
            for id in [
                own.as_str(),
                EXTERNAL_ID,
                &other.id.to_string(),
                OTHER_EXTERNAL_ID,
            ] {
                let response = call(&app, &method, id, &token).await;
                assert_eq!(response.status, 200, "{method} {claimed:?} {id}");
            }
        }
    }
    let message = |id: &str| Some(format!("Hi from {id:.20}"));
    assert_eq!(app.stored().await.missed_call.message, message(EXTERNAL_ID));
    assert_eq!(
        stored(&app, &other).await.missed_call.message,
        message(OTHER_EXTERNAL_ID)
    );
}

#[actix_web::test]
async fn a_superadmin_gets_404_for_an_unknown_organization() {
    let app = TestApp::new().await;
    let before = app.stored().await;
    let token = app.jwt(Role::Superadmin);
    let ids = UNKNOWN.iter().map(|id| (*id).to_owned()).chain(garbage());
    for id in ids {
        for method in METHODS {
            let response = call(&app, &method, &id, &token).await;
            assert_failure(
                &response,
                404,
                "Organization not found",
                &format!("{method} {id:.80}"),
            );
            assert_eq!(
                response.text("/details"),
                "No organization exists with the provided id"
            );
        }
    }
    assert_eq!(app.stored().await, before);
}

#[actix_web::test]
async fn a_name_with_invalid_percent_encoding_is_unknown() {
    let app = TestApp::new().await;
    for id in ["%", "%2", "%zz", "a%", "%%00"] {
        for (role, status, error) in [
            (Role::Superadmin, 404, "Organization not found"),
            (Role::Admin, 403, "Forbidden"),
        ] {
            for method in METHODS {
                let response = call(&app, &method, id, &app.jwt(role)).await;
                assert_failure(&response, status, error, &format!("{method} {role:?} {id}"));
            }
        }
    }
}

#[actix_web::test]
async fn an_admin_without_a_known_organization_is_refused_everywhere() {
    let app = TestApp::new().await;
    let own = app.org_id.to_string();
    for claimed in [
        None,
        Some(""),
        Some("\u{e9}"),
        Some(" "),
        Some(UNKNOWN[0]),
        Some(UNKNOWN[1]),
    ] {
        let token = app.jwt_of(Role::Admin, claimed);
        for method in METHODS {
            for id in [own.as_str(), EXTERNAL_ID, "x"] {
                let response = call(&app, &method, id, &token).await;
                assert_failure(
                    &response,
                    403,
                    "Forbidden",
                    &format!("{method} {claimed:?} {id}"),
                );
            }
        }
    }
}

#[actix_web::test]
async fn an_organization_claim_must_match_exactly() {
    let app = TestApp::new().await;
    let own = app.org_id.to_string();
    let simple = own.replace('-', "");
    let claims = [
        format!(" {own}"),
        format!("{own} "),
        format!("{own}x"),
        own[..35].to_owned(),
        simple,
        format!("{{{own}}}"),
        format!("urn:uuid:{own}"),
        EXTERNAL_ID.to_uppercase(),
        format!("{EXTERNAL_ID} "),
        EXTERNAL_ID[..23].to_owned(),
        "*".to_owned(),
        "%".to_owned(),
    ];
    for claimed in &claims {
        let token = app.jwt_of(Role::Admin, Some(claimed));
        for id in [own.as_str(), EXTERNAL_ID] {
            let response = call(&app, &METHODS[1], id, &token).await;
            assert_failure(&response, 403, "Forbidden", &format!("{claimed:?} {id}"));
        }
    }
    assert_eq!(app.stored().await.version, 1);
}

#[actix_web::test]
async fn the_token_is_checked_before_the_role_and_the_role_before_the_body() {
    let app = TestApp::new().await;
    let other = other_organization(&app).await;
    let (own, foreign) = (app.missed_call_path(), path(&other.id.to_string()));
    let long = " ".repeat(65_537);
    let bodies = [
        ("text/plain", "{"),
        ("application/json", "{"),
        ("application/json", long.as_str()),
    ];
    let faulty = [
        ("application/json", r#"{"missedCallMessage":null}"#),
        ("application/json", "[]"),
    ];
    for (content_type, body) in bodies.into_iter().chain(faulty) {
        for (path, token, status) in [
            (&own, None, 401),
            (&foreign, Some("x".to_owned()), 401),
            (&own, Some(app.jwt(Role::SalesRep)), 403),
            (&own, Some(app.jwt(Role::DepartmentHead)), 403),
            (&foreign, Some(app.jwt(Role::Admin)), 403),
            (&path(UNKNOWN[0]), Some(app.jwt(Role::Admin)), 403),
            (&path("%00"), Some(app.jwt(Role::Admin)), 403),
        ] {
            let request = app.request(METHODS[1].clone(), path);
            let request = token
                .iter()
                .fold(request, |request, token| request.bearer(token));
            let response = request.body(content_type, body.to_owned()).send().await;
            assert_eq!(
                response.status, status,
                "{path} {content_type} {body:.30}: {response:?}"
            );
        }
    }
}

#[actix_web::test]
async fn a_role_in_the_body_or_in_headers_is_ignored() {
    let app = TestApp::new().await;
    let request = app.request(METHODS[1].clone(), &app.missed_call_path());
    let request = request
        .bearer(&app.jwt(Role::SalesRep))
        .header("x-access-role", "SUPERADMIN");
    let body: Value = json!({"accessRole": "SUPERADMIN", "missedCallMessage": "Hi"});
    assert_failure(
        &request.json(&body).send().await,
        403,
        "Forbidden",
        "SALES_REP",
    );
    assert_eq!(app.stored().await.missed_call.message, None);
}
