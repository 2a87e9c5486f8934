//! Client with a key that manages the keys of its organization. Each test checks the effect itself.

use actix_web::http::Method;
use quietline::domain::api_key::ApiKey;
use quietline::domain::audit::entry::AuditEntry;
use quietline::domain::scope::Scope;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::app::now;
use crate::support::database::TestDatabase;
use crate::support::response::Response;

/// Path of the list of keys.
pub const PATH: &str = "/v1/api-keys";

/// Id without a key.
pub const UNKNOWN_ID: &str = "0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3";

/// Texts other than a hyphenated UUID, encoded for a path.
pub const INVALID_IDS: [&str; 8] = [
    "x",
    "0",
    "%20",
    "%00",
    "0190a1b2c3d47e5fa6b7c8d9e0f1a2b3",
    "%7B0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3%7D",
    "0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3%0A",
    "am_live_4f7G",
];

/// Organization with a key that may read and write keys, and read the organization.
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

    /// Creates a key and asserts success. Returns the `data` of the response.
    pub async fn created(&self, label: &str) -> Value {
        let body = json!({ "label": label, "scopes": ["org:read"] });
        let response = self.post(&body).await;
        assert_eq!(response.status, 201, "{body}: {response:?}");
        response.json()["data"].take()
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

    /// Requests a page of the list of keys. `query` is written as in a URL.
    pub async fn list(&self, query: &str) -> Response {
        self.send(Method::GET, &format!("{PATH}?{query}")).await
    }

    /// Creates another key of the organization by the command line. Returns its id and the key.
    pub async fn other(&self, scopes: &[Scope]) -> (String, String) {
        let key = self.app.api_key(scopes).await;
        let id = self.app.key_id(&key).await.to_string();
        (id, key)
    }

    /// Adds live keys whose plaintext is unknown.
    pub fn add_unused(&self, number: usize) {
        let (id, hash) = match self.app.database {
            TestDatabase::Sqlite(_) => ("randomblob(16)", "randomblob(32)"),
            TestDatabase::Postgres { .. } => (
                "gen_random_uuid()",
                "sha256(gen_random_uuid()::text::bytea)",
            ),
        };
        let (org_id, micros) = (self.app.org_id, now().timestamp_micros());
        self.app.database.execute(&format!(
            "WITH RECURSIVE numbers(n) AS
                 (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {number})
             INSERT INTO api_keys
                 (id, org_id, label, prefix, hash, scopes, created_by, created_at)
             SELECT {id}, $id:{org_id}, 'unused', 'am_live_0000', {hash}, 'org:read',
                 'command-line', $time:{micros}
             FROM numbers"
        ));
    }

    /// Returns everything that a request about keys can change.
    pub async fn stored(&self) -> (Vec<ApiKey>, Vec<AuditEntry>) {
        (self.app.stored_keys().await, self.app.whole_audit().await)
    }

    /// Returns whether the server accepts a key.
    pub async fn accepts(&self, key: &str) -> bool {
        match self.app.get("/v1/organization", key).await.status {
            200 | 403 => true,
            401 => false,
            status => panic!("{status}"),
        }
    }
}
