//! Tokens in the Authorization header: accepted forms, and equal responses to all refusals.

use actix_web::http::Method;
use actix_web::web;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use quietline::auth::jwt::{JwtKeys, JwtSettings, Secret};
use quietline::clock::Clock;
use quietline::db::Db;
use quietline::domain::actor::Role;
use quietline::domain::scope::Scope;
use quietline::limits::Limits;
use quietline::state::AppState;
use serde_json::{Value, json};
use strum::VariantArray as _;

use super::users::{METHODS, assert_failure, assert_unauthorized, call};
use crate::support::TestApp;
use crate::support::app::{JWT_SECRET, now};
use crate::support::response::Response;

/// Returns valid claims with `changes`. Null removes a claim.
fn claims(app: &TestApp, changes: Value) -> Value {
    let mut claims = json!({
        "sub": "user-1", "organizationId": app.org_id.to_string(), "accessRole": "ADMIN",
        "exp": now().timestamp() + 3600,
    });
    for (name, value) in changes.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    let present = claims
        .as_object()
        .expect("an object")
        .iter()
        .filter(|(_, value)| !value.is_null());
    present
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn signed(claims: &Value, algorithm: Algorithm, secret: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).expect("a token")
}

fn token(app: &TestApp, changes: Value) -> String {
    signed(&claims(app, changes), Algorithm::HS256, JWT_SECRET)
}

async fn get(app: &TestApp, token: &str) -> Response {
    app.get(&app.missed_call_path(), token).await
}

/// Splits a token into its three parts.
fn parts(token: &str) -> [&str; 3] {
    let parts: Vec<&str> = token.split('.').collect();
    parts.try_into().expect("three parts")
}

/// Returns the same server with other token settings.
fn with_settings(mut app: TestApp, settings: JwtSettings) -> TestApp {
    let db = Db::open(&app.database.url(), 2).expect("the test's database");
    let keys = JwtKeys::new(&settings).expect("good settings");
    app.state = web::Data::new(AppState::new(
        db,
        Clock::Fixed(now()),
        keys,
        Limits::default(),
    ));
    app
}

fn with_secret() -> JwtSettings {
    JwtSettings {
        secret: Some(Secret::new(JWT_SECRET.to_owned())),
        ..JwtSettings::default()
    }
}

#[actix_web::test]
async fn a_valid_token_is_accepted_with_any_additional_claims() {
    let app = TestApp::new().await;
    for changes in [
        json!({}),
        json!({"fullName": "Ada 😀"}),
        json!({"fullName": ["no", "name"]}),
        json!({"iss": "anybody", "aud": ["anything"], "iat": 0, "jti": "1", "scope": "none"}),
        json!({"nbf": now().timestamp() - 1}),
        json!({"exp": 4_102_444_800_i64}),
        json!({"sub": "a".repeat(255)}),
    ] {
        for method in METHODS {
            let response = call(
                &app,
                &method,
                &app.org_id.to_string(),
                &token(&app, changes.clone()),
            )
            .await;
            assert_eq!(response.status, 200, "{method} {changes}");
        }
    }
}

/// RFC 7519, sections 4.1.4 and 4.1.5, allow a leeway for clock skew.
#[actix_web::test]
async fn exp_and_nbf_are_checked_with_a_leeway_of_30_seconds() {
    let app = TestApp::new().await;
    let now = now().timestamp();
    for (changes, status) in [
        (json!({"exp": now}), 200),
        (json!({"exp": now - 29}), 200),
        (json!({"exp": now - 30}), 401),
        (json!({"exp": now - 31}), 401),
        (json!({"exp": now - 3600}), 401),
        (json!({"exp": 0}), 401),
        (json!({"exp": -1}), 401),
        (json!({"nbf": now}), 200),
        (json!({"nbf": now + 30}), 200),
        (json!({"nbf": now + 31}), 401),
        (json!({"nbf": now + 3600}), 401),
        (json!({"nbf": now + 3600, "exp": now + 7200}), 401),
    ] {
        assert_eq!(
            get(&app, &token(&app, changes.clone())).await.status,
            status,
            "{changes}"
        );
    }
}

#[actix_web::test]
async fn a_required_claim_that_is_missing_or_of_another_type_is_refused() {
    let app = TestApp::new().await;
    let later = now().timestamp() + 3600;
    for changes in [
        json!({"exp": null}),
        json!({"sub": null}),
        json!({"exp": later.to_string()}),
        json!({"exp": true}),
        json!({"exp": [later]}),
        json!({"nbf": "0"}),
        json!({"sub": ""}),
        json!({"sub": 1}),
        json!({"sub": ["user-1"]}),
        json!({"sub": "a".repeat(256)}),
        json!({"sub": "a\u{0}b"}),
        json!({"sub": "a\nb"}),
    ] {
        assert_unauthorized(
            &get(&app, &token(&app, changes.clone())).await,
            &changes.to_string(),
        );
    }
}

/// RFC 8725, section 3.1: the server selects the algorithm, not the token.
#[actix_web::test]
async fn another_algorithm_or_another_key_is_refused() {
    let app = TestApp::new().await;
    let claims = claims(&app, json!({}));
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let token = signed(&claims, algorithm, JWT_SECRET);
        assert_unauthorized(&get(&app, &token).await, &format!("{algorithm:?}"));
    }
    let longer = format!("{JWT_SECRET} ");
    for secret in [
        "another secret of the tests, 32 bytes or more",
        "",
        "x",
        &longer,
        &JWT_SECRET[1..],
    ] {
        let token = signed(&claims, Algorithm::HS256, secret);
        assert_unauthorized(&get(&app, &token).await, &format!("{secret:?}"));
    }
}

/// RFC 8725, section 2.1: attackers set `alg` to `none`.
#[actix_web::test]
async fn a_token_without_a_signature_is_refused_whatever_its_header_says() {
    let app = TestApp::new().await;
    let good = token(&app, json!({}));
    let [header, payload, signature] = parts(&good);
    // {"alg":"none"}, {"alg":"None"}, {"alg":"NONE","typ":"JWT"}, {"alg":""}, {}
    let unsigned = [
        "eyJhbGciOiJub25lIn0",
        "eyJhbGciOiJOb25lIn0",
        "eyJhbGciOiJOT05FIiwidHlwIjoiSldUIn0",
        "eyJhbGciOiIifQ",
        "e30",
    ];
    for header in unsigned.into_iter().chain([header]) {
        for token in [
            format!("{header}.{payload}."),
            format!("{header}.{payload}"),
            format!("{header}.{payload}.AAAA"),
        ] {
            assert_unauthorized(&get(&app, &token).await, &token);
        }
    }
    for header in unsigned {
        let token = format!("{header}.{payload}.{signature}");
        assert_unauthorized(&get(&app, &token).await, &token);
    }
}

#[actix_web::test]
async fn a_modified_token_is_refused() {
    let app = TestApp::new().await;
    let weak = token(&app, json!({"accessRole": "SALES_REP"}));
    let strong = token(&app, json!({"accessRole": "SUPERADMIN"}));
    let [header, payload, signature] = parts(&weak);
    let [_, stolen, _] = parts(&strong);
    // Change the first character, because the last one has unused bits.
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    for token in [
        format!("{header}.{stolen}.{signature}"),
        format!("{header}.{payload}.{flipped}{}", &signature[1..]),
        format!("{header}.{payload}.{}", &signature[1..]),
        format!("{header}.{payload}.{signature}A"),
        format!("{header}.{payload}.{signature}="),
        format!("{header}.{payload}.{signature}.{signature}"),
        format!("{header}.{payload}A.{signature}"),
        format!(".{payload}.{signature}"),
        format!("{header}..{signature}"),
        format!("{payload}.{header}.{signature}"),
        "..".to_owned(),
        ".".to_owned(),
        "a.b.c".to_owned(),
        format!("{weak} x"),
        format!("{strong}{}", "A".repeat(10_000)),
    ] {
        assert_unauthorized(&get(&app, &token).await, &token[..token.len().min(200)]);
    }
}

#[actix_web::test]
async fn every_refusal_of_a_credential_is_the_same() {
    let app = TestApp::new().await;
    let good = app.jwt(Role::Superadmin);
    let bearer = format!("Bearer {good}");
    let rows: Vec<Vec<String>> = vec![
        vec![],
        vec![String::new()],
        vec!["Bearer".to_owned()],
        vec!["Bearer ".to_owned()],
        vec![good.clone()],
        vec![format!("Basic {good}")],
        vec![format!("JWT {good}")],
        vec![format!("Bearer{good}")],
        vec![format!("{bearer}, {bearer}")],
        vec![bearer.clone(), bearer.clone()],
        vec![bearer, "Basic eDp5".to_owned()],
        vec![format!("Bearer {}", app.api_key(Scope::VARIANTS).await)],
        vec![format!("Bearer {}", token(&app, json!({"exp": 0})))],
    ];
    for method in METHODS {
        for row in &rows {
            let request = app.request(method.clone(), &app.missed_call_path());
            let request = row.iter().fold(request, |request, value| {
                request.header("authorization", value)
            });
            let response = request
                .json(&json!({"missedCallMessage": "Hi"}))
                .send()
                .await;
            assert_unauthorized(&response, &format!("{method} {row:?}"));
        }
    }
    assert_eq!(app.stored().await.version, 1);
}

#[actix_web::test]
async fn a_refused_credential_learns_nothing_about_organizations() {
    let app = TestApp::new().await;
    for id in [
        &app.org_id.to_string(),
        "01900000-0000-7000-8000-000000000000",
        "x",
        "%00",
        "%ff",
        "..",
    ] {
        for method in METHODS {
            let response = call(&app, &method, id, "x").await;
            assert_unauthorized(&response, &format!("{method} {id}"));
        }
    }
}

/// RFC 9110, section 11.1: the scheme is case-insensitive.
#[actix_web::test]
async fn the_scheme_is_read_in_any_case() {
    let app = TestApp::new().await;
    let token = app.jwt(Role::Admin);
    for scheme in ["bearer", "BEARER", "bEARER"] {
        let request = app.request(Method::GET, &app.missed_call_path());
        let response = request
            .header("authorization", &format!("{scheme} {token}"))
            .send()
            .await;
        assert_eq!(response.status, 200, "{scheme}");
    }
}

#[actix_web::test]
async fn an_unknown_role_has_no_permissions() {
    let app = TestApp::new().await;
    let roles = [
        "admin",
        "Admin",
        "SUPERADMIN ",
        " ADMIN",
        "SUPER_ADMIN",
        "OWNER",
        "ADMIN,SUPERADMIN",
        "ADMIN\n",
        "ADMIN\0",
        "*",
        "",
    ];
    for role in roles {
        let token = token(&app, json!({ "accessRole": role }));
        for method in METHODS {
            let response = call(&app, &method, &app.org_id.to_string(), &token).await;
            assert_failure(&response, 403, "Forbidden", &format!("{method} {role:?}"));
        }
    }
    assert_eq!(app.stored().await.version, 1);
}

#[actix_web::test]
async fn iss_and_aud_are_checked_when_they_are_configured() {
    let settings = JwtSettings {
        issuer: Some("https://tether.example".to_owned()),
        audience: Some("quietline".to_owned()),
        ..with_secret()
    };
    let app = with_settings(TestApp::new().await, settings);
    let iss = json!("https://tether.example");
    for (changes, status) in [
        (json!({"iss": iss, "aud": "quietline"}), 200),
        (json!({"iss": iss, "aud": ["other", "quietline"]}), 200),
        (json!({}), 401),
        (json!({"iss": iss}), 401),
        (json!({"aud": "quietline"}), 401),
        (
            json!({"iss": "https://evil.example", "aud": "quietline"}),
            401,
        ),
        (
            json!({"iss": "https://tether.example/", "aud": "quietline"}),
            401,
        ),
        (
            json!({"iss": "HTTPS://TETHER.EXAMPLE", "aud": "quietline"}),
            401,
        ),
        (json!({"iss": iss, "aud": "other"}), 401),
        (json!({"iss": iss, "aud": "Quietline"}), 401),
        (json!({"iss": iss, "aud": []}), 401),
        (json!({"iss": iss, "aud": ["other"]}), 401),
        (json!({"iss": iss, "aud": ""}), 401),
    ] {
        let response = get(&app, &token(&app, changes.clone())).await;
        match status {
            401 => assert_unauthorized(&response, &changes.to_string()),
            _ => assert_eq!(response.status, status, "{changes}"),
        }
    }
}

#[actix_web::test]
async fn without_any_key_every_token_is_refused() {
    let app = TestApp::new().await;
    let good = app.jwt(Role::Superadmin);
    let app = with_settings(app, JwtSettings::default());
    let empty = signed(&claims(&app, json!({})), Algorithm::HS256, "");
    for token in [good, empty] {
        assert_unauthorized(&get(&app, &token).await, &token);
    }
}

/// RFC 8725, section 2.1: attackers sign with the public key as an HMAC secret.
#[actix_web::test]
async fn a_public_key_is_not_accepted_as_a_shared_secret() {
    let fixtures: Value =
        serde_json::from_str(include_str!("../../../src/auth/jwt/fixtures.json")).expect("JSON");
    let jwks = fixtures["jwks"].to_string();
    let settings = JwtSettings {
        jwks_json: Some(jwks.clone()),
        ..JwtSettings::default()
    };
    let app = with_settings(TestApp::new().await, settings);
    let claims = claims(&app, json!({}));
    let modulus = fixtures
        .pointer("/jwks/keys/0/n")
        .and_then(Value::as_str)
        .expect("a modulus");
    let pem = fixtures["rsa_public_pem"].as_str().expect("a PEM");
    for secret in [pem, pem.trim(), modulus, &jwks, JWT_SECRET] {
        let token = signed(&claims, Algorithm::HS256, secret);
        assert_unauthorized(&get(&app, &token).await, secret);
    }
}
