//! Organization with a key that may read and change settings, and helpers for both. Each test
//! checks the effect itself.

use actix_web::http::Method;
use actix_web::web::Bytes;
use quietline::domain::audit::entry::AuditEntry;
use quietline::domain::ids::{ApiKeyId, BrandId, OrgId, OrganizationRef};
use quietline::domain::organization::{Organization, OrganizationKind};
use quietline::domain::registry::RegistrationStatus;
use quietline::domain::scope::Scope;
use quietline::operator;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::request::TestRequest;
use crate::support::response::Response;

/// Path of the settings.
pub const PATH: &str = "/v1/organization";

/// Client with the settings key of an organization.
pub struct Admin {
    pub app: TestApp,
    pub org_id: OrgId,
    pub key: String,
}

impl Admin {
    /// Uses the test organization, which is a company.
    pub async fn new() -> Self {
        let app = TestApp::new().await;
        let org_id = app.org_id;
        Self::of(app, org_id).await
    }

    /// Uses an organization of a person.
    pub async fn personal() -> Self {
        let app = TestApp::new().await;
        let org_id = app.organization(OrganizationKind::Personal).await.id;
        Self::of(app, org_id).await
    }

    async fn of(app: TestApp, org_id: OrgId) -> Self {
        let scopes = [Scope::OrgRead, Scope::OrgAdminWrite];
        let key = app.api_key_of(&org_id, &scopes).await;
        Self { app, org_id, key }
    }

    /// Starts a PATCH with this key. The body is still missing.
    pub fn patching(&self) -> TestRequest<'_> {
        self.app.request(Method::PATCH, PATH).bearer(&self.key)
    }

    pub async fn patch(&self, body: &Value) -> Response {
        self.patching().json(body).send().await
    }

    /// Sends PATCH with a body that may be other than JSON.
    pub async fn patch_text(&self, body: impl Into<Bytes>) -> Response {
        self.patching().body("application/json", body).send().await
    }

    pub async fn get(&self) -> Response {
        self.app.get(PATH, &self.key).await
    }

    /// Returns the organization as in the response to GET.
    pub async fn data(&self) -> Value {
        self.get().await.json()["data"].take()
    }

    /// Sends PATCH and asserts success. Asserts that GET then returns the same data, and returns
    /// it.
    pub async fn change(&self, body: Value) -> Value {
        let patched = self.patch(&body).await;
        assert_eq!(patched.status, 200, "{body}: {patched:?}");
        let shown = self.get().await;
        assert_eq!(patched.json(), shown.json(), "{body}");
        assert_eq!(patched.header("etag"), shown.header("etag"), "{body}");
        patched.json()["data"].take()
    }

    /// Sends PATCH and asserts that `details` are all the errors and that nothing has changed.
    pub async fn refused(&self, body: Value, details: Value) {
        let before = self.stored().await;
        let response = self.patch(&body).await;
        assert_invalid(&response, &details, &body.to_string());
        assert_eq!(self.stored().await, before, "{body}");
    }

    /// Calls [`Admin::refused`] for each value of one field, with its error.
    pub async fn each_refused(&self, path: &str, rows: impl IntoIterator<Item = (Value, &str)>) {
        for (value, words) in rows {
            self.refused(nested(path, value), json!({ path: words }))
                .await;
        }
    }

    /// Returns the stored organization, version and audit head included.
    pub async fn stored(&self) -> Organization {
        let name = OrganizationRef::Id(self.org_id);
        operator::organization::find(&self.app.state.db, name)
            .await
            .expect("the organization exists")
    }

    /// Returns the audit entries of changed settings, oldest first.
    pub async fn audit(&self) -> Vec<AuditEntry> {
        let newest = operator::audit::list::newest(&self.app.state.db, self.org_id, None, 10_000);
        let mut entries = newest.await.expect("entries");
        entries.retain(|entry| entry.resource_type == "organization" && entry.seq > 1);
        entries.reverse();
        entries
    }

    /// Returns the id of the key.
    pub async fn key_id(&self) -> ApiKeyId {
        let prefix = &self.key[..12];
        let keys = operator::api_key::list(&self.app.state.db, self.org_id, None, 10).await;
        let mut keys = keys.expect("keys").into_iter();
        keys.find(|key| key.prefix == prefix)
            .expect("the key exists")
            .id
    }

    pub async fn add_brand(&self, status: RegistrationStatus) -> BrandId {
        let (session, name) = (self.app.session(), "Brand".to_owned());
        let added = operator::registry::add_brand(&session, self.org_id, name, status);
        added.await.expect("a brand").id
    }

    pub async fn delete_brand(&self, id: BrandId) {
        operator::registry::delete_brand(&self.app.session(), id)
            .await
            .expect("the organization exists");
    }
}

/// Returns `{"a": {"b": value}}` for the path `a.b`.
pub fn nested(path: &str, value: Value) -> Value {
    path.rsplit('.')
        .fold(value, |inner, name| json!({ name: inner }))
}

/// Returns the payload of the entry.
pub fn payload(entry: &AuditEntry) -> Value {
    serde_json::from_str(&entry.payload).expect("a payload is JSON")
}

/// Asserts status 422 with exactly these `details`.
pub fn assert_invalid(response: &Response, details: &Value, what: &str) {
    assert_eq!(response.status, 422, "{what}: {response:?}");
    assert_eq!(response.code(), "VALIDATION_FAILED", "{what}");
    assert_eq!(
        response.text("/error/message"),
        "validation failed",
        "{what}"
    );
    assert_eq!(response.details(), *details, "{what}");
}

/// Asserts an error with this status and code, and with the request id of the header.
pub fn assert_error(response: &Response, status: u16, code: &str, what: &str) {
    assert_eq!(response.status, status, "{what}: {response:?}");
    assert_eq!(response.code(), code, "{what}");
    assert_eq!(response.json()["success"], false, "{what}");
    assert_eq!(
        response.text("/error/request_id"),
        response.header("x-request-id"),
        "{what}"
    );
}
