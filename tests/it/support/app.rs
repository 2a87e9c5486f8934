//! The application under test, with one organization in it, and the callers of that organization.

use std::time::Duration;

use actix_web::http::Method;
use actix_web::web;
use chrono::{DateTime, TimeZone, Utc};
use quietline::app::api_key::NewApiKey;
use quietline::app::organization::NewOrganization;
use quietline::auth::jwt::{Claims, JwtKeys, JwtSettings, Secret};
use quietline::clock::Clock;
use quietline::db::Db;
use quietline::domain::access::{OrgAccess, Role, Scope};
use quietline::domain::api_key::{ApiKey, PlaintextApiKey};
use quietline::domain::audit::AuditEntry;
use quietline::domain::billing_email::BillingEmail;
use quietline::domain::ids::{ApiKeyId, ExternalId, OrgId, OrganizationRef};
use quietline::domain::organization::{Organization, OrganizationKind, OrganizationName, Settings};
use quietline::domain::registry::{Brand, RegistrationStatus};
use quietline::domain::text_enum::TextEnum;
use quietline::http::Options;
use quietline::limits::Limits;
use quietline::state::AppState;
use serde_json::Value;

use super::database::TestDatabase;
use super::request::TestRequest;
use super::response::Response;

/// The secret that the tests' tokens are signed with.
pub const JWT_SECRET: &str = "a secret of the tests, 32 bytes long or more";

/// The external id of the tests' organization.
pub const EXTERNAL_ID: &str = "65f0c1d2e3a4b5c6d7e8f901";

/// When every test happens.
pub fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 4, 12, 0, 0).unwrap()
}

/// The real application on a database of its own, and one commercial organization.
pub struct TestApp {
    pub state: web::Data<AppState>,
    pub options: Options,
    pub org_id: OrgId,
    // Dropped last: nothing may hold a connection when the data goes.
    pub database: TestDatabase,
}

impl TestApp {
    pub async fn new() -> Self {
        Self::on(TestDatabase::create()).await
    }

    /// On a database of the caller's choice.
    pub async fn on(database: TestDatabase) -> Self {
        Self::start(database, |_| {}).await
    }

    /// Configured by `change`, before anybody has asked for anything.
    pub async fn with(change: impl FnOnce(&mut AppState)) -> Self {
        Self::start(TestDatabase::create(), change).await
    }

    async fn start(database: TestDatabase, change: impl FnOnce(&mut AppState)) -> Self {
        let db = Db::open(&database.url(), 4).expect("a new database");
        let mut state = AppState::new(db, Clock::Fixed(now()), jwt_keys(), Limits::default());
        change(&mut state);
        let state = web::Data::new(state);
        let org_id = create(&state, OrganizationKind::Commercial, Some(EXTERNAL_ID))
            .await
            .id;
        Self {
            state,
            options: Options::default(),
            org_id,
            database,
        }
    }

    /// The same server at another time.
    pub fn at(self, moment: DateTime<Utc>) -> Self {
        Self {
            state: state(self.state.db.clone(), moment),
            ..self
        }
    }

    /// Another organization on the same server.
    pub async fn organization(&self, kind: OrganizationKind) -> Organization {
        create(&self.state, kind, None).await
    }

    /// A new API key of the tests' organization.
    pub async fn api_key(&self, scopes: &[Scope]) -> String {
        self.api_key_of(&self.org_id, scopes).await
    }

    /// A new API key of any organization.
    pub async fn api_key_of(&self, org_id: &OrgId, scopes: &[Scope]) -> String {
        let plaintext = PlaintextApiKey::generate();
        let shown = plaintext.reveal().to_owned();
        let access = OrgAccess::command_line(org_id.clone());
        let scopes = scopes.iter().copied().collect();
        let new = NewApiKey {
            label: "test".to_owned(),
            scopes,
            plaintext,
        };
        quietline::app::api_key::create(&self.state.db, &self.state.clock, access, new)
            .await
            .expect("a key");
        shown
    }

    /// The id of an API key that was made here, of whichever organization.
    pub async fn key_id(&self, key: &str) -> ApiKeyId {
        let hash = PlaintextApiKey::parse(key).expect("a key").hash();
        let find = move |conn: &mut _| quietline::db::api_key::find_by_hash(conn, &hash);
        let found = self.state.db.read(find).await.expect("an answer");
        found.expect("it is there").id
    }

    /// Makes the keys that were issued so far count no more for the limit of keys per minute.
    pub fn forget_issued_keys(&self) {
        let sql = "UPDATE api_keys SET created_by = 'command-line'";
        self.database.execute(sql);
    }

    /// A token of a user of the tests' organization.
    pub fn jwt(&self, role: Role) -> String {
        self.jwt_of(role, Some(self.org_id.as_str()))
    }

    /// A token of a user of any organization, or of none.
    pub fn jwt_of(&self, role: Role, organization: Option<&str>) -> String {
        self.jwt_of_user("user-1", role, organization)
    }

    /// A token of a certain user.
    pub fn jwt_of_user(&self, subject: &str, role: Role, organization: Option<&str>) -> String {
        let claims = Claims {
            subject: subject.to_owned(),
            organization: organization.map(str::to_owned),
            role: role.as_str().to_owned(),
        };
        self.state
            .jwt_keys
            .sign(&claims, None, now(), Duration::from_secs(3600))
            .expect("a token")
    }

    /// Adds a live brand to the tests' organization.
    pub async fn brand(&self) -> Brand {
        let (db, clock) = (&self.state.db, &self.state.clock);
        let (name, status) = ("Brand".to_owned(), RegistrationStatus::Active);
        quietline::operator::registry::add_brand(db, clock, self.org_id.clone(), name, status)
            .await
            .expect("a brand")
    }

    /// The tests' organization as it is stored.
    pub async fn stored(&self) -> Organization {
        let name = OrganizationRef::Id(self.org_id.clone());
        quietline::app::organization::find(&self.state.db, name)
            .await
            .expect("it is there")
    }

    /// The audit entries of the tests' organization, oldest first, without those of its API keys.
    pub async fn audit(&self) -> Vec<AuditEntry> {
        let mut entries = self.whole_audit().await;
        entries.retain(|entry| entry.resource_type != "api_key");
        entries
    }

    /// All audit entries of the tests' organization, oldest first.
    pub async fn whole_audit(&self) -> Vec<AuditEntry> {
        let org_id = self.org_id.clone();
        let newest = quietline::app::audit_log::newest(&self.state.db, org_id, None, 10_000);
        let mut entries = newest.await.expect("entries");
        entries.reverse();
        entries
    }

    /// The API keys of the tests' organization, newest first.
    pub async fn stored_keys(&self) -> Vec<ApiKey> {
        let org_id = self.org_id.clone();
        let keys = quietline::app::api_key::list(&self.state.db, org_id, None, 10_000);
        keys.await.expect("keys")
    }

    /// The path of the tests' organization in the Tether dialect.
    pub fn missed_call_path(&self) -> String {
        format!("/api/organizations/{}/missed-call-message", self.org_id)
    }

    /// A request that is sent with [`TestRequest::send`].
    pub fn request(&self, method: Method, path: &str) -> TestRequest<'_> {
        TestRequest::new(self, method, path)
    }

    /// GET of `path` with a bearer token.
    pub async fn get(&self, path: &str, token: &str) -> Response {
        self.request(Method::GET, path).bearer(token).send().await
    }

    /// PATCH of the organization with an API key.
    pub async fn patch(&self, key: &str, body: Value) -> Response {
        self.request(Method::PATCH, "/v1/organization")
            .bearer(key)
            .json(&body)
            .send()
            .await
    }

    /// PUT of the tests' organization's missed-call message with a token.
    pub async fn put(&self, token: &str, body: Value) -> Response {
        self.request(Method::PUT, &self.missed_call_path())
            .bearer(token)
            .json(&body)
            .send()
            .await
    }
}

/// The state of one more server on a database that is open.
pub fn state_of(db: Db) -> web::Data<AppState> {
    state(db, now())
}

/// The state of a server whose time stands still.
fn state(db: Db, moment: DateTime<Utc>) -> web::Data<AppState> {
    state_with_clock(db, Clock::Fixed(moment))
}

/// The state of one more server, with a time of its own.
pub fn state_with_clock(db: Db, clock: Clock) -> web::Data<AppState> {
    web::Data::new(AppState::new(db, clock, jwt_keys(), Limits::default()))
}

/// The keys of a server that signs its own tokens.
fn jwt_keys() -> JwtKeys {
    let settings = JwtSettings {
        secret: Some(Secret::new(JWT_SECRET.to_owned())),
        ..JwtSettings::default()
    };
    JwtKeys::new(&settings).expect("a good secret")
}

async fn create(
    state: &AppState,
    kind: OrganizationKind,
    external_id: Option<&str>,
) -> Organization {
    let name = OrganizationName::parse("Acme Health, Inc.").expect("a name");
    let email = BillingEmail::parse("ap@acme.example").expect("an address");
    let new = NewOrganization {
        kind,
        external_id: external_id.and_then(ExternalId::parse),
        settings: Settings::new(name, Some(email)),
    };
    quietline::app::organization::create(&state.db, &state.clock, new)
        .await
        .expect("created")
}
