//! Every kind of valid and invalid credential, by its name in the authorization table. The table
//! has the permissions of each.

use actix_web::web;
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use quietline::auth::jwt::{JwtKeys, JwtSettings, Secret};
use quietline::clock::Clock;
use quietline::domain::actor::Role;
use quietline::domain::api_key::PlaintextApiKey;
use quietline::domain::ids::{ExternalId, OrgId};
use quietline::domain::organization::{OrganizationKind, OrganizationName, Settings};
use quietline::domain::scope::Scope;
use quietline::limits::Limits;
use quietline::operator::organization::NewOrganization;
use quietline::state::AppState;
use serde_json::{Value, json};
use strum::VariantArray as _;

use crate::support::TestApp;
use crate::support::app::{EXTERNAL_ID, JWT_SECRET, now};

/// Public keys and tokens from another implementation.
const FIXTURES: &str = include_str!("../../../src/auth/jwt/fixtures.json");

/// Ten minutes into the hour in which the tokens of the fixtures are valid.
const FIXTURE_TIME: i64 = 1_770_000_600;

/// Organization in the tokens of the fixtures.
const FIXTURE_ORGANIZATION: &str = "org-1";

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "quietline";
const OTHER_EXTERNAL_ID: &str = "65f0c1d2e3a4b5c6d7e8f902";

/// Server that receives a credential.
#[derive(Debug, Clone, Copy)]
pub enum Server {
    /// Verifies tokens with a shared secret.
    Plain,
    /// Also requires an issuer and an audience.
    Strict,
    /// Verifies tokens with public keys only.
    PublicKeys,
}

/// Headers of a request, and the organization in its path if the path has one.
#[derive(Debug)]
pub struct Credential {
    pub name: String,
    pub server: Server,
    pub headers: Vec<String>,
    pub path_organization: String,
}

/// The three servers and their organizations.
pub struct World {
    plain: TestApp,
    strict: TestApp,
    public_keys: TestApp,
    other: OrgId,
    fixtures: Value,
}

impl World {
    pub async fn new() -> Self {
        let fixtures: Value = serde_json::from_str(FIXTURES).unwrap();
        let secret = || Some(Secret::new(JWT_SECRET.to_owned()));
        let strict = JwtSettings {
            secret: secret(),
            issuer: Some(ISSUER.to_owned()),
            audience: Some(AUDIENCE.to_owned()),
            ..JwtSettings::default()
        };
        let public_keys = JwtSettings {
            jwks_json: Some(fixtures["jwks"].to_string()),
            ..JwtSettings::default()
        };
        let at = DateTime::from_timestamp(FIXTURE_TIME, 0).unwrap();
        let plain = TestApp::new().await;
        let other = add_organization(&plain, OTHER_EXTERNAL_ID).await;
        let public_keys = with_keys(TestApp::new().await, &public_keys, at);
        add_organization(&public_keys, FIXTURE_ORGANIZATION).await;
        Self {
            plain,
            strict: with_keys(TestApp::new().await, &strict, now()),
            public_keys,
            other,
            fixtures,
        }
    }

    pub fn app(&self, server: Server) -> &TestApp {
        match server {
            Server::Plain => &self.plain,
            Server::Strict => &self.strict,
            Server::PublicKeys => &self.public_keys,
        }
    }

    /// Returns every kind of credential.
    pub async fn credentials(&self) -> Vec<Credential> {
        let mut all = self.unreadable().await;
        all.extend(self.keys().await);
        all.extend(self.roles());
        all.extend(self.tokens());
        all.extend(self.paths());
        all.extend(self.strict_tokens());
        all.extend(self.public_key_tokens());
        all
    }

    fn plain(&self, name: &str, headers: &[&str]) -> Credential {
        self.to_path(name, headers, &self.plain.org_id.to_string())
    }

    fn to_path(&self, name: &str, headers: &[&str], path_organization: &str) -> Credential {
        Credential {
            name: name.to_owned(),
            server: Server::Plain,
            headers: headers.iter().map(|header| (*header).to_owned()).collect(),
            path_organization: path_organization.to_owned(),
        }
    }

    async fn unreadable(&self) -> Vec<Credential> {
        let key = bearer(&self.plain.api_key(Scope::VARIANTS).await);
        let token = bearer(&self.plain.jwt(Role::Superadmin));
        vec![
            self.plain("no credential", &[]),
            self.plain("empty header", &[""]),
            self.plain("scheme without a credential", &["Bearer"]),
            self.plain("scheme and spaces", &["Bearer   "]),
            self.plain("another scheme", &["Basic dXNlcjpwYXNzd29yZA=="]),
            self.plain(
                "another scheme with a valid key",
                &[&key.replace("Bearer", "Token")],
            ),
            self.plain(
                "another scheme with a valid token",
                &[&token.replace("Bearer", "JWT")],
            ),
            self.plain("neither key nor token", &["Bearer garbage"]),
            self.plain("two valid keys", &[&key, &key]),
            self.plain("two valid tokens", &[&token, &token]),
            self.plain("valid key and valid token", &[&key, &token]),
        ]
    }

    async fn keys(&self) -> Vec<Credential> {
        let app = &self.plain;
        let good = app.api_key(Scope::VARIANTS).await;
        let unknown = PlaintextApiKey::generate().reveal().to_owned();
        let revoked = app.api_key(Scope::VARIANTS).await;
        revoke(app, &revoked).await;
        let of_other = app.api_key_of(&self.other, Scope::VARIANTS).await;
        let mut keys = vec![
            self.plain("every scope", &[&bearer(&good)]),
            self.plain("no scope", &[&bearer(&app.api_key(&[]).await)]),
            self.plain("every scope of another organization", &[&bearer(&of_other)]),
            self.plain("unknown key", &[&bearer(&unknown)]),
            self.plain("revoked key", &[&bearer(&revoked)]),
            self.plain("truncated key", &[&bearer(&good[..good.len() - 1])]),
            self.plain(
                "key with an extra character",
                &[&bearer(&format!("{good}0"))],
            ),
            self.plain(
                "key with a changed character",
                &[&bearer(&exchanged(&good))],
            ),
            self.plain(
                "key of another prefix",
                &[&bearer(&good.replace("live", "test"))],
            ),
            self.plain("key in capitals", &[&bearer(&good.to_uppercase())]),
        ];
        for scope in Scope::VARIANTS.iter().copied() {
            let only = app.api_key(&[scope]).await;
            keys.push(self.plain(scope.into_str(), &[&bearer(&only)]));
            let others = Scope::VARIANTS
                .iter()
                .copied()
                .filter(|other| *other != scope);
            let others = app.api_key(&others.collect::<Vec<_>>()).await;
            keys.push(self.plain(
                &format!("all but {}", scope.into_str()),
                &[&bearer(&others)],
            ));
        }
        keys
    }

    fn roles(&self) -> Vec<Credential> {
        let mut all = Vec::new();
        for role in Role::VARIANTS.iter().copied() {
            let token = self.plain.jwt(role);
            all.push(self.plain(role.into_str(), &[&bearer(&token)]));
        }
        for (name, role) in [("role in lower case", "admin"), ("unknown role", "OWNER")] {
            let token = hs256(&self.claims(&[("accessRole", json!(role))]));
            all.push(self.plain(name, &[&bearer(&token)]));
        }
        all
    }

    /// Returns the claims of a valid ADMIN token, with some of them replaced.
    fn claims(&self, replaced: &[(&str, Value)]) -> Value {
        let mut claims = json!({
            "sub": "user-1",
            "organizationId": self.plain.org_id.to_string(),
            "accessRole": "ADMIN",
            "exp": now().timestamp() + 3600,
        });
        for (name, value) in replaced {
            claims[*name] = value.clone();
        }
        claims
    }

    fn without(&self, name: &str) -> Value {
        let mut claims = self.claims(&[]);
        claims.as_object_mut().unwrap().remove(name).unwrap();
        claims
    }

    fn tokens(&self) -> Vec<Credential> {
        let good = self.claims(&[]);
        let at = |seconds: i64| json!(now().timestamp() + seconds);
        let timed = |name: &str, seconds| hs256(&self.claims(&[(name, at(seconds))]));
        let by = |algorithm| signed(algorithm, JWT_SECRET.as_bytes(), &good);
        let weak = hs256(&self.claims(&[("accessRole", json!("SALES_REP"))]));
        let edited = splice(&hs256(&good), &weak);
        let other_secret = JWT_SECRET.to_uppercase();
        let wrong_key = signed(Algorithm::HS256, other_secret.as_bytes(), &good);
        let table = [
            ("valid token", hs256(&good)),
            ("expired", timed("exp", -31)),
            ("expired within the leeway", timed("exp", -29)),
            ("expired long ago", timed("exp", -1_000_000)),
            ("not yet valid", timed("nbf", 31)),
            ("not yet valid within the leeway", timed("nbf", 29)),
            ("without exp", hs256(&self.without("exp"))),
            (
                "exp as text",
                hs256(&self.claims(&[("exp", json!("tomorrow"))])),
            ),
            ("without sub", hs256(&self.without("sub"))),
            ("HS384", by(Algorithm::HS384)),
            ("HS512", by(Algorithm::HS512)),
            ("none", unsigned("none", &good)),
            ("none in mixed case", unsigned("nOnE", &good)),
            ("HS256 without a signature", unsigned("HS256", &good)),
            ("wrong key", wrong_key),
            ("another token's signature", edited),
            (
                "two of three parts",
                hs256(&good).rsplit_once('.').unwrap().0.to_owned(),
            ),
        ];
        table
            .iter()
            .map(|(name, token)| self.plain(name, &[&bearer(token)]))
            .collect()
    }

    fn paths(&self) -> Vec<Credential> {
        let unknown = OrgId::generate().to_string();
        let (own, other) = (self.plain.org_id.to_string(), self.other.to_string());
        let paths = [
            ("own id", own.as_str()),
            ("own external id", EXTERNAL_ID),
            ("another organization", other.as_str()),
            ("another organization's external id", OTHER_EXTERNAL_ID),
            ("an unknown id", unknown.as_str()),
            ("an unknown external id", "65f0c1d2e3a4b5c6d7e8f9ff"),
            ("an impossible id", "a%20b"),
        ];
        let mut all = Vec::new();
        for (place, path) in paths {
            for role in Role::VARIANTS.iter().copied() {
                let token = bearer(&self.plain.jwt(role));
                let name = format!("{} on {place}", role.into_str());
                all.push(self.to_path(&name, &[&token], path));
            }
        }
        let claims = [
            ("ADMIN by external id", Some(EXTERNAL_ID)),
            ("ADMIN of another organization", Some(&other)),
            ("ADMIN of an unknown organization", Some(unknown.as_str())),
            ("ADMIN of no organization", None),
        ];
        for (name, organization) in claims {
            let token = self.plain.jwt_of(Role::Admin, organization);
            all.push(self.plain(name, &[&bearer(&token)]));
        }
        let nowhere = self.plain.jwt_of(Role::Superadmin, None);
        all.push(self.plain("SUPERADMIN of no organization", &[&bearer(&nowhere)]));
        all
    }

    fn strict_tokens(&self) -> Vec<Credential> {
        let table = [
            ("right issuer and audience", json!(ISSUER), json!(AUDIENCE)),
            (
                "audience in a list",
                json!(ISSUER),
                json!(["other", AUDIENCE]),
            ),
            (
                "wrong issuer",
                json!("https://other.example"),
                json!(AUDIENCE),
            ),
            ("without issuer", Value::Null, json!(AUDIENCE)),
            ("wrong audience", json!(ISSUER), json!("other")),
            ("without audience", json!(ISSUER), Value::Null),
        ];
        let own = self.strict.org_id.to_string();
        let tokens = table.into_iter().map(|(name, issuer, audience)| {
            let mut claims = self.claims(&[("organizationId", json!(own))]);
            let given = [("iss", issuer), ("aud", audience)];
            for (claim, value) in given.into_iter().filter(|(_, value)| !value.is_null()) {
                claims[claim] = value;
            }
            let credential = self.to_path(name, &[&bearer(&hs256(&claims))], &own);
            Credential {
                server: Server::Strict,
                ..credential
            }
        });
        tokens.collect()
    }

    fn public_key_tokens(&self) -> Vec<Credential> {
        let text = |pointer: &str| self.fixtures.pointer(pointer).unwrap().as_str().unwrap();
        let claims = json!({
            "sub": "user-1",
            "organizationId": FIXTURE_ORGANIZATION,
            "accessRole": "ADMIN",
            "exp": FIXTURE_TIME + 3600,
        });
        let by_hmac = |key: &str| signed(Algorithm::HS256, key.as_bytes(), &claims);
        let pem = text("/rsa_public_pem");
        let table = [
            ("RS256", text("/tokens/RS256/with_kid").to_owned()),
            ("ES256", text("/tokens/ES256/with_kid").to_owned()),
            ("EdDSA", text("/tokens/EdDSA/with_kid").to_owned()),
            (
                "RS256 of an unknown key",
                text("/tokens/RS256/unknown_kid").to_owned(),
            ),
            (
                "RS256 naming a key of another kind",
                text("/tokens/RS256_naming_ec").to_owned(),
            ),
            ("RS384 by a key for RS256", text("/tokens/RS384").to_owned()),
            ("PS256 by a key for RS256", text("/tokens/PS256").to_owned()),
            (
                "token with an embedded key",
                text("/tokens/embedded_jwk").to_owned(),
            ),
            ("HS256 with the RSA public key", by_hmac(pem)),
            ("HS256 with the trimmed RSA public key", by_hmac(pem.trim())),
            (
                "HS256 with the RSA modulus",
                by_hmac(text("/jwks/keys/0/n")),
            ),
            (
                "HS256 with the secret of another server",
                by_hmac(JWT_SECRET),
            ),
            (
                "none on the server with public keys",
                unsigned("none", &claims),
            ),
        ];
        let credential = |(name, token): &(&str, String)| Credential {
            server: Server::PublicKeys,
            ..self.to_path(name, &[&bearer(token)], FIXTURE_ORGANIZATION)
        };
        table.iter().map(credential).collect()
    }
}

async fn add_organization(app: &TestApp, external_id: &str) -> OrgId {
    let new = NewOrganization {
        kind: OrganizationKind::Commercial,
        external_id: ExternalId::parse(external_id),
        settings: Settings::new(OrganizationName::parse("Other, Inc.").unwrap(), None),
    };
    quietline::operator::organization::create(&app.session(), new)
        .await
        .unwrap()
        .id
}

fn with_keys(app: TestApp, settings: &JwtSettings, at: DateTime<Utc>) -> TestApp {
    let keys = JwtKeys::new(settings).unwrap();
    let state = AppState::new(
        app.state.db.clone(),
        Clock::Fixed(at),
        keys,
        Limits::default(),
    );
    TestApp {
        state: web::Data::new(state),
        ..app
    }
}

async fn revoke(app: &TestApp, key: &str) {
    app.revoke_key(app.key_id(key).await).await;
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn exchanged(key: &str) -> String {
    let last = if key.ends_with('0') { '1' } else { '0' };
    format!("{}{last}", &key[..key.len() - 1])
}

fn hs256(claims: &Value) -> String {
    signed(Algorithm::HS256, JWT_SECRET.as_bytes(), claims)
}

fn signed(algorithm: Algorithm, secret: &[u8], claims: &Value) -> String {
    let key = EncodingKey::from_secret(secret);
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).unwrap()
}

/// Returns a token with this algorithm in its header and an empty signature.
fn unsigned(algorithm: &str, claims: &Value) -> String {
    let header = json!({"alg": algorithm, "typ": "JWT"}).to_string();
    format!(
        "{}.{}.",
        base64url(header.as_bytes()),
        base64url(claims.to_string().as_bytes())
    )
}

/// Joins the header and claims of one token to the signature of another.
fn splice(claims: &str, signature: &str) -> String {
    let (unsigned, _) = claims.rsplit_once('.').unwrap();
    let (_, signature) = signature.rsplit_once('.').unwrap();
    format!("{unsigned}.{signature}")
}

fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk
            .iter()
            .fold(0, |bits, byte| bits << 8 | usize::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        text.extend((0..=chunk.len()).map(|i| char::from(DIGITS[bits >> (18 - 6 * i) & 63])));
    }
    text
}
