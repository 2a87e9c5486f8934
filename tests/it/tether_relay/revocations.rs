//! Revocation of all tokens of a subject or an organization.

use std::time::Duration;

use chrono::TimeDelta;
use jsonwebtoken::{EncodingKey, Header};
use quietline::clock::Clock;
use quietline::db::Db;
use quietline::domain::actor::Role;
use quietline::domain::token::RevokedTokens;
use quietline::operator;
use serde_json::{Value, json};

use super::users::assert_unauthorized;
use crate::support::TestApp;
use crate::support::app::{EXTERNAL_ID, JWT_SECRET, now, session_on, state_of};

/// Returns a token with these claims beside the required ones. Null removes a claim.
fn token(changes: Value) -> String {
    let mut claims =
        json!({"sub": "bob", "accessRole": "SUPERADMIN", "exp": now().timestamp() + 60});
    for (name, value) in changes.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    let members = claims.as_object_mut().expect("an object");
    members.retain(|_, value| !value.is_null());
    let key = EncodingKey::from_secret(JWT_SECRET.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).expect("a token")
}

fn subject(subject: &str, issuer: Option<&str>) -> RevokedTokens {
    RevokedTokens::OfSubject {
        subject: subject.to_owned(),
        issuer: issuer.map(str::to_owned),
    }
}

/// Revokes tokens that were issued a minute ago or earlier.
async fn revoke(app: &TestApp, tokens: RevokedTokens) {
    let before = Some(now() - TimeDelta::seconds(60));
    operator::token::revoke(&app.session(), tokens, before)
        .await
        .expect("revoked");
}

/// Asserts that the server accepts or refuses a token with each of these claims.
async fn assert_accepted(app: &TestApp, rows: impl IntoIterator<Item = (Value, bool)>) {
    for (claims, is_accepted) in rows {
        let response = app
            .get(&app.missed_call_path(), &token(claims.clone()))
            .await;
        if is_accepted {
            assert_eq!(response.status, 200, "{claims}: {response:?}");
        } else {
            assert_unauthorized(&response, &claims.to_string());
        }
    }
}

#[actix_web::test]
async fn tokens_of_a_subject_issued_before_its_revocation_are_refused() {
    let app = TestApp::new().await;
    revoke(&app, subject("bob", None)).await;
    let now = now().timestamp();
    let rows = [
        (json!({"iat": now - 3600}), false),
        (json!({"iat": now - 61}), false),
        (json!({"iat": now - 60}), true),
        (json!({"iat": now}), true),
        (json!({"iat": now + 30}), true),
        (json!({"iat": now + 31}), false),
        (json!({"iat": null}), false),
        (json!({"iat": now.to_string()}), false),
        (json!({"iat": now - 61, "iss": "any"}), false),
        (json!({"iat": now - 61, "sub": "bobby"}), true),
        (json!({"sub": "Bob"}), true),
    ];
    assert_accepted(&app, rows).await;
}

#[actix_web::test]
async fn a_revocation_for_one_issuer_leaves_the_subjects_of_other_issuers_alone() {
    let app = TestApp::new().await;
    revoke(&app, subject("bob", Some("https://a.example"))).await;
    let rows = [
        (json!({"iss": "https://a.example"}), false),
        (json!({"iss": "https://b.example"}), true),
        (json!({}), true),
    ];
    assert_accepted(&app, rows).await;
}

#[actix_web::test]
async fn tokens_of_an_organization_are_refused_under_both_of_its_names() {
    let app = TestApp::new().await;
    revoke(&app, RevokedTokens::OfOrganization(app.org_id)).await;
    let id = app.org_id.to_string();
    let rows = [
        (json!({"organizationId": id, "accessRole": "ADMIN"}), false),
        (json!({"organizationId": id.to_uppercase()}), false),
        (json!({"organizationId": EXTERNAL_ID}), false),
        (
            json!({"organizationId": id, "iat": now().timestamp()}),
            true,
        ),
        (json!({"organizationId": "another"}), true),
        (json!({}), true),
    ];
    assert_accepted(&app, rows).await;
}

#[actix_web::test]
async fn every_server_refuses_revoked_tokens_within_a_second() {
    let app = TestApp::new().await;
    let other = Db::open(&app.database.url(), 2).expect("the same database");
    let token = app.jwt_of_user("bob", Role::Admin, Some(&app.org_id.to_string()));
    let path = app.missed_call_path();
    assert_eq!(app.get(&path, &token).await.status, 200);
    let first = app.state.clone();
    let app = TestApp {
        state: state_of(other),
        ..app
    };
    assert_eq!(app.get(&path, &token).await.status, 200);
    let mut session = session_on(first.db.clone(), &first);
    session.clock = Clock::Fixed(now() + TimeDelta::seconds(1));
    operator::token::revoke(&session, subject("bob", None), None)
        .await
        .expect("revoked");
    actix_web::rt::time::sleep(Duration::from_secs(1)).await;
    assert_unauthorized(&app.get(&path, &token).await, "the other server");
    let app = TestApp {
        state: first,
        ..app
    };
    assert_unauthorized(&app.get(&path, &token).await, "the first server");
}

#[actix_web::test]
async fn a_server_that_cannot_read_the_revocations_accepts_no_token() {
    let app = TestApp::new().await;
    app.database.execute("DROP TABLE token_revocations");
    let response = app
        .get(&app.missed_call_path(), &app.jwt(Role::Admin))
        .await;
    assert_eq!(response.status, 500, "{response:?}");
}
