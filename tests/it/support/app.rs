//! Application under test with one organization, and the callers of that organization.

use std::sync::LazyLock;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::web;
use chrono::{DateTime, TimeZone, Utc};
use quietline::auth::jwt::{Claims, JwtKeys, JwtSettings, Secret};
use quietline::clock::Clock;
use quietline::db::{Db, Lane};
use quietline::domain::access::{Authorized, Caller, Credential, Demand, Target};
use quietline::domain::actor::Role;
use quietline::domain::api_key::NewApiKey;
use quietline::domain::api_key::{ApiKey, PlaintextApiKey};
use quietline::domain::audit::entry::AuditEntry;
use quietline::domain::billing_email::BillingEmail;
use quietline::domain::ids::{ApiKeyId, ExternalId, OrgId, OrganizationRef, RequestId};
use quietline::domain::operator::Operator;
use quietline::domain::organization::{Organization, OrganizationKind, OrganizationName, Settings};
use quietline::domain::registry::{Brand, RegistrationStatus};
use quietline::domain::scope::Scope;
use quietline::http::Options;
use quietline::http::docs::Docs;
use quietline::limits::Limits;
use quietline::operator::organization::NewOrganization;
use quietline::operator::session::Session;
use quietline::state::AppState;
use serde_json::Value;

use super::database::TestDatabase;
use super::request::TestRequest;
use super::response::Response;

/// Secret that signs the tokens of the tests.
pub const JWT_SECRET: &str = "a secret of the tests, 32 bytes long or more";

/// External id of the test organization.
pub const EXTERNAL_ID: &str = "65f0c1d2e3a4b5c6d7e8f901";

/// Returns the fixed time of every test.
pub fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 4, 12, 0, 0).unwrap()
}

/// Application on its own database, with one commercial organization.
pub struct TestApp {
    pub state: web::Data<AppState>,
    pub options: Options,
    pub org_id: OrgId,
    // Last, because fields drop in order: every connection closes before the data is deleted.
    pub database: TestDatabase,
}

impl TestApp {
    pub async fn new() -> Self {
        Self::on(TestDatabase::create()).await
    }

    /// Starts the application on `database`.
    pub async fn on(database: TestDatabase) -> Self {
        Self::start(database, |_| {}).await
    }

    /// Starts the application with a state that `change` has adjusted before the first request.
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
            options: with_docs(),
            org_id,
            database,
        }
    }

    /// Moves the clock of this server to `moment`.
    pub fn at(self, moment: DateTime<Utc>) -> Self {
        let (db, clock) = (self.state.db.clone(), Clock::Fixed(moment));
        let mut state = AppState::new(db, clock, jwt_keys(), Limits::default());
        state.keys = self.state.keys.clone();
        Self {
            state: web::Data::new(state),
            ..self
        }
    }

    /// Returns the session of a command on the database of this server.
    pub fn session(&self) -> Session {
        session(&self.state)
    }

    /// Creates another organization on the same server.
    pub async fn organization(&self, kind: OrganizationKind) -> Organization {
        create(&self.state, kind, None).await
    }

    /// Creates an API key of the test organization.
    pub async fn api_key(&self, scopes: &[Scope]) -> String {
        self.api_key_of(&self.org_id, scopes).await
    }

    /// Creates an API key of any organization.
    pub async fn api_key_of(&self, org_id: &OrgId, scopes: &[Scope]) -> String {
        let plaintext = PlaintextApiKey::generate();
        let shown = plaintext.reveal().to_owned();
        let scopes = scopes.iter().copied().collect();
        let new = NewApiKey {
            label: "test".to_owned(),
            scopes,
            expires_at: None,
            plaintext,
        };
        quietline::operator::api_key::create(&self.session(), *org_id, new)
            .await
            .expect("a key");
        shown
    }

    /// Returns the id of an API key of any organization.
    pub async fn key_id(&self, key: &str) -> ApiKeyId {
        let hash = PlaintextApiKey::parse(key).expect("a key").hash();
        let find = move |conn: &mut _| quietline::db::api_key::find_by_hash(conn, &hash);
        let found = self.state.db.read(Lane::OPERATOR, find).await;
        let found = found.expect("a result");
        found.expect("it is there").id
    }

    /// Revokes a key of the test organization on this server, which refuses it at once.
    pub async fn revoke_key(&self, id: ApiKeyId) {
        let access = superadmin_of(&self.org_id).access;
        quietline::app::api_key::delete(&self.state.keys, &self.state.clock, access, id)
            .await
            .expect("revoked");
    }

    /// Takes the existing keys out of the limit of new keys per minute.
    pub fn forget_issued_keys(&self) {
        let sql = "UPDATE api_keys SET created_by = 'command-line'";
        self.database.drop_triggers();
        self.database.execute(sql);
    }

    /// Issues a token for a user of the test organization.
    pub fn jwt(&self, role: Role) -> String {
        self.jwt_of(role, Some(&self.org_id.to_string()))
    }

    /// Issues a token for a user of any organization, or of none.
    pub fn jwt_of(&self, role: Role, organization: Option<&str>) -> String {
        self.jwt_of_user("user-1", role, organization)
    }

    /// Issues a token for the user `subject`.
    pub fn jwt_of_user(&self, subject: &str, role: Role, organization: Option<&str>) -> String {
        let claims = Claims {
            subject: subject.to_owned(),
            organization: organization.map(str::to_owned),
            role: role.into_str().to_owned(),
        };
        self.state
            .jwt_keys
            .sign(&claims, None, now(), Duration::from_secs(3600))
            .expect("a token")
            .text
    }

    /// Adds an active brand to the test organization.
    pub async fn brand(&self) -> Brand {
        let (name, status) = ("Brand".to_owned(), RegistrationStatus::Active);
        quietline::operator::registry::add_brand(&self.session(), self.org_id, name, status)
            .await
            .expect("a brand")
    }

    /// Reads the stored test organization.
    pub async fn stored(&self) -> Organization {
        let name = OrganizationRef::Id(self.org_id);
        quietline::operator::organization::find(&self.state.db, name)
            .await
            .expect("it is there")
    }

    /// Returns the audit entries of the test organization, oldest first, without those of API keys
    /// and of the creation.
    pub async fn audit(&self) -> Vec<AuditEntry> {
        let mut entries = self.whole_audit().await;
        entries.retain(|entry| entry.resource_type != "api_key" && entry.seq > 1);
        entries
    }

    /// Returns all audit entries of the test organization, oldest first.
    pub async fn whole_audit(&self) -> Vec<AuditEntry> {
        let org_id = self.org_id;
        let newest = quietline::operator::audit::list::newest(&self.state.db, org_id, None, 10_000);
        let mut entries = newest.await.expect("entries");
        entries.reverse();
        entries
    }

    /// Returns the API keys of the test organization, newest first.
    pub async fn stored_keys(&self) -> Vec<ApiKey> {
        let org_id = self.org_id;
        let keys = quietline::operator::api_key::list(&self.state.db, org_id, None, 10_000);
        keys.await.expect("keys")
    }

    /// Returns the path of the test organization in the Tether dialect.
    pub fn missed_call_path(&self) -> String {
        format!("/api/organizations/{}/missed-call-message", self.org_id)
    }

    /// Starts a request. [`TestRequest::send`] sends it.
    pub fn request(&self, method: Method, path: &str) -> TestRequest<'_> {
        TestRequest::new(self, method, path)
    }

    /// Sends GET of `path` with a bearer token.
    pub async fn get(&self, path: &str, token: &str) -> Response {
        self.request(Method::GET, path).bearer(token).send().await
    }

    /// Sends PATCH of the organization with an API key.
    pub async fn patch(&self, key: &str, body: Value) -> Response {
        self.request(Method::PATCH, "/v1/organization")
            .bearer(key)
            .json(&body)
            .send()
            .await
    }

    /// Sends PUT of the missed-call message of the test organization with a token.
    pub async fn put(&self, token: &str, body: Value) -> Response {
        self.request(Method::PUT, &self.missed_call_path())
            .bearer(token)
            .json(&body)
            .send()
            .await
    }
}

/// Returns the operator of the tests, who gives no reason.
pub fn operator() -> Operator {
    Operator {
        name: "tester".to_owned(),
        reason: None,
    }
}

fn session(state: &AppState) -> Session {
    session_on(state.db.clone(), state)
}

/// Returns the session of a command on `db`, at the time of `state`.
pub fn session_on(db: Db, state: &AppState) -> Session {
    Session {
        db,
        clock: state.clock.clone(),
        operator: operator(),
    }
}

/// Returns options with the docs enabled and without CORS origins.
pub fn with_docs() -> Options {
    static DOCS: LazyLock<Docs> = LazyLock::new(|| Docs::load().expect("served documents"));
    Options {
        docs: Some(DOCS.clone()),
        cors_origins: Vec::new(),
    }
}

/// Returns the state of another server on an open database.
pub fn state_of(db: Db) -> web::Data<AppState> {
    state_with_clock(db, Clock::Fixed(now()))
}

/// Returns the state of another server with its own clock.
pub fn state_with_clock(db: Db, clock: Clock) -> web::Data<AppState> {
    web::Data::new(AppState::new(db, clock, jwt_keys(), Limits::default()))
}

/// Returns the keys of a server that signs its own tokens.
fn jwt_keys() -> JwtKeys {
    let settings = JwtSettings {
        secret: Some(Secret::new(JWT_SECRET.to_owned())),
        ..JwtSettings::default()
    };
    JwtKeys::new(&settings).expect("a good secret")
}

/// Returns the permission of a superadmin on an organization.
pub fn superadmin_of(org_id: &OrgId) -> Authorized {
    let credential = Credential::User {
        issuer: None,
        subject: "superadmin".to_owned(),
        role: Some(Role::Superadmin),
        issued_at: None,
        organization: None,
    };
    let caller = Caller {
        credential,
        request_id: RequestId::generate(),
        client_network: None,
        prefetched: None,
    };
    let demand = Demand {
        scopes: &[],
        minimum_role: Some("ADMIN"),
    };
    let named = OrganizationRef::Id(*org_id);
    let authorized = caller.require(demand, Target::Named(Some(&named)));
    authorized.expect("a superadmin may act on any organization")
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
    quietline::operator::organization::create(&session(state), new)
        .await
        .expect("created")
}
