//! Whoever holds the key that manages an organization's keys, and short ways to do it. What a
//! request has to mean is for the tests to say.

use actix_web::http::Method;
use quietline::domain::api_key::ApiKey;
use quietline::domain::audit::entry::AuditEntry;
use quietline::domain::scope::Scope;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::response::Response;

/// The one path of the list of keys.
pub const PATH: &str = "/v1/api-keys";

/// An id that no key has.
pub const UNKNOWN_ID: &str = "0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3";

/// Texts that are no UUID with hyphens, as they stand in a path.
pub const NO_IDS: [&str; 8] = [
    "x",
    "0",
    "%20",
    "%00",
    "0190a1b2c3d47e5fa6b7c8d9e0f1a2b3",
    "%7B0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3%7D",
    "0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3%0A",
    "am_live_4f7G",
];

/// An organization with a key that may read and write keys, and read the organization.
pub struct Keys {
    pub app: TestApp,
    pub key: String,
}

impl Keys {
    pub async fn new() -> Self {
        let scopes = [Scope::OrgRead, Scope::ApiKeysRead, Scope::ApiKeysWrite];
        Self::with(&scopes).await
    }

    pub async fn with(scopes: &[Scope]) -> Self {
        let app = TestApp::new().await;
        let key = app.api_key(scopes).await;
        Self { app, key }
    }

    pub async fn post(&self, body: &Value) -> Response {
        let request = self.app.request(Method::POST, PATH).bearer(&self.key);
        request.json(body).send().await
    }

    /// Creates a key with success; the `data` of the answer.
    pub async fn created(&self, label: &str) -> Value {
        let body = json!({ "label": label, "scopes": ["org:read"] });
        let answer = self.post(&body).await;
        assert_eq!(answer.status, 201, "{body}: {answer:?}");
        answer.json()["data"].take()
    }

    pub async fn send(&self, method: Method, path: &str) -> Response {
        let request = self.app.request(method, path).bearer(&self.key);
        request.send().await
    }

    pub async fn get(&self, id: &str) -> Response {
        self.send(Method::GET, &format!("{PATH}/{id}")).await
    }

    pub async fn rotate(&self, id: &str) -> Response {
        let path = format!("{PATH}/{id}/rotate");
        self.send(Method::POST, &path).await
    }

    pub async fn delete(&self, id: &str) -> Response {
        self.send(Method::DELETE, &format!("{PATH}/{id}")).await
    }

    /// A page of the list of keys; `query` is written as in a URL.
    pub async fn list(&self, query: &str) -> Response {
        self.send(Method::GET, &format!("{PATH}?{query}")).await
    }

    /// The id of a new key of the organization, which the command line made.
    pub async fn other(&self, scopes: &[Scope]) -> (String, String) {
        let key = self.app.api_key(scopes).await;
        let id = self.app.key_id(&key).await.to_string();
        (id, key)
    }

    /// Everything that a request about keys could change.
    pub async fn stored(&self) -> (Vec<ApiKey>, Vec<AuditEntry>) {
        (self.app.stored_keys().await, self.app.whole_audit().await)
    }

    /// Whether a key is let in.
    pub async fn opens(&self, key: &str) -> bool {
        match self.app.get("/v1/organization", key).await.status {
            200 | 403 => true,
            401 => false,
            status => panic!("{status}"),
        }
    }
}
