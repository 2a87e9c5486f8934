//! The roles of `deploy/roles/postgres.sql`. Goal: each can do its work and nothing else. Method:
//! run the file with roles of the test's own, because roles belong to the whole server. The tests
//! do nothing on SQLite.

use actix_web::http::Method;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use quietline::db::{DatabaseUrl, Db};
use quietline::domain::actor::Role;
use quietline::domain::audit::chain::Anchors;
use quietline::domain::registry::RegistrationStatus;
use quietline::domain::scope::Scope;
use quietline::domain::token::RevokedTokens;
use quietline::error::Result;
use quietline::jobs;
use quietline::operator;
use quietline::operator::audit::export::export;
use quietline::operator::audit::verify::verify_all;
use serde_json::json;

use super::append_only::refusal_as;
use crate::support::TestApp;
use crate::support::app::{now, session_on, state_of};
use crate::support::database::TestDatabase;

const FILE: &str = include_str!("../../../deploy/roles/postgres.sql");

const SCOPES: [Scope; 5] = [
    Scope::OrgRead,
    Scope::OrgAdminWrite,
    Scope::ApiKeysRead,
    Scope::ApiKeysWrite,
    Scope::AuditRead,
];

/// Database that `quietline_migrator` has migrated. Dropping it drops the roles.
struct Roles {
    app: Option<TestApp>,
    prefix: String,
}

impl Roles {
    async fn new() -> Option<Self> {
        let database = TestDatabase::create();
        let TestDatabase::Postgres { schema, .. } = &database else {
            return None;
        };
        let prefix = schema.replace("test", "role");
        let file = FILE.replace("quietline_", &format!("{prefix}_"));
        let run_file = || {
            let mut conn = PgConnection::establish(&database.url_text()).unwrap();
            conn.batch_execute(&file).unwrap();
        };
        run_file();
        drop(open(&database, &format!("{prefix}_migrator")).expect("it may migrate"));
        run_file();
        run_file();
        let server = open(&database, &format!("{prefix}_server")).expect("it may serve");
        let app = TestApp::on(database).await;
        let app = TestApp {
            state: state_of(server),
            ..app
        };
        let app = Some(app);
        Some(Self { app, prefix })
    }

    fn app(&self) -> &TestApp {
        self.app.as_ref().expect("it is there until it is dropped")
    }

    fn refusal(&self, role: &str, sql: &str) -> Option<String> {
        refusal_as(
            &self.app().database,
            &format!("{}_{role}", self.prefix),
            sql,
        )
    }
}

impl Drop for Roles {
    fn drop(&mut self) {
        let Some(app) = self.app.take() else { return };
        // One after the other, because PostgreSQL fails on default privileges that roles share.
        for name in ["migrator", "server", "auditor"] {
            let role = format!("{}_{name}", self.prefix);
            app.database
                .execute(&format!("DROP OWNED BY {role} CASCADE"));
            app.database.execute(&format!("DROP ROLE {role}"));
        }
    }
}

fn open(database: &TestDatabase, role: &str) -> Result<Db> {
    let url = format!("{}%20-crole%3D{role}", database.url_text());
    let url: DatabaseUrl = url.parse().expect("a URL");
    Db::open(&url, 4)
}

async fn change_the_registry(app: &TestApp) {
    let session = app.session();
    let brand = app.brand().await.id;
    let (name, status) = ("Campaign".to_owned(), RegistrationStatus::Pending);
    let add = operator::registry::add_campaign(&session, brand, name, status);
    let campaign = add.await.unwrap().id;
    operator::registry::delete_campaign(&session, campaign)
        .await
        .unwrap();
    operator::registry::delete_brand(&session, brand)
        .await
        .unwrap();
}

async fn change_keys(app: &TestApp, key: &str) {
    let path = "/v1/api-keys";
    let body = json!({"label": "New", "scopes": ["org:read"]});
    let post = app.request(Method::POST, path).bearer(key).json(&body);
    let id = post.send().await.text("/data/id");
    let rotate = app.request(Method::POST, &format!("{path}/{id}/rotate"));
    let id = rotate.bearer(key).send().await.text("/data/id");
    let delete = app.request(Method::DELETE, &format!("{path}/{id}"));
    assert_eq!(delete.bearer(key).send().await.status, 204);
    assert_eq!(app.get(path, key).await.status, 200);
    app.state.keys.store_uses().await.expect("uses of keys");
}

#[actix_web::test]
async fn the_server_role_can_do_everything_that_operations_do() {
    let Some(roles) = Roles::new().await else {
        return;
    };
    let app = roles.app();
    let key = app.api_key(&SCOPES).await;
    let body = json!({"name": "Other", "auto_replies": {"enabled": false, "attestation": "Yes."}});
    assert_eq!(app.patch(&key, body.clone()).await.status, 200);
    let patch = app.request(Method::PATCH, "/v1/organization").bearer(&key);
    let patch = patch.header("Idempotency-Key", "one").json(&body);
    assert_eq!(patch.send().await.status, 200);
    let message = json!({"missedCallMessage": "Hi"});
    assert_eq!(app.put(&app.jwt(Role::Admin), message).await.status, 200);
    assert_eq!(app.get("/v1/audit-log", &key).await.status, 200);
    change_keys(app, &key).await;
    change_the_registry(app).await;
    let tomorrow = now() + chrono::TimeDelta::days(2);
    jobs::sweep_batch(&app.state.db, tomorrow)
        .await
        .expect("it may delete records");
    let tokens = RevokedTokens::OfOrganization(app.org_id);
    operator::token::revoke(&app.session(), tokens, None)
        .await
        .expect("it may revoke tokens");
    operator::api_key::revoke(&app.session(), app.key_id(&key).await)
        .await
        .expect("it may revoke keys");
}

#[actix_web::test]
async fn the_auditor_role_can_verify_list_and_export_what_it_cannot_change() {
    let Some(roles) = Roles::new().await else {
        return;
    };
    let auditor = format!("{}_auditor", roles.prefix);
    let db = open(&roles.app().database, &auditor).expect("it may read");
    assert_eq!(verify_all(&db, Anchors::default()).unwrap().faults, []);
    let mut file = Vec::new();
    export(&db, None, &mut file).await.unwrap();
    let org_id = roles.app().org_id;
    let newest = operator::audit::list::newest(&db, org_id, None, 10).await;
    assert_eq!(newest.unwrap().len(), 1);
    let create = operator::organization::create;
    let new = operator::organization::NewOrganization {
        kind: quietline::domain::organization::OrganizationKind::Personal,
        external_id: None,
        settings: roles.app().stored().await.settings,
    };
    let session = session_on(db, &roles.app().state);
    assert!(create(&session, new).await.is_err());
}

#[actix_web::test]
async fn the_server_role_cannot_delete_or_rewrite_what_proves_something() {
    let Some(roles) = Roles::new().await else {
        return;
    };
    let statements = [
        "DELETE FROM organizations",
        "DELETE FROM api_keys",
        "DELETE FROM audit_log",
        "DELETE FROM brands",
        "DELETE FROM campaigns",
        "DELETE FROM issued_tokens",
        "DELETE FROM token_revocations",
        "UPDATE token_revocations SET subject = 'other'",
        "UPDATE audit_log SET payload = '{}'",
        "UPDATE api_keys SET scopes = 'org:read'",
        "UPDATE brands SET name = 'Other'",
        "UPDATE campaigns SET brand_id = id",
        "UPDATE server_secrets SET secret = secret",
        "INSERT INTO server_secrets SELECT 'other', secret FROM server_secrets",
        "TRUNCATE idempotency_records",
        "DROP TRIGGER organizations_refuses_update ON organizations",
        "ALTER TABLE audit_log DISABLE TRIGGER ALL",
        "CREATE TABLE other (id INT4)",
    ];
    for sql in statements {
        let refusal = roles.refusal("server", sql);
        let refusal = refusal.unwrap_or_else(|| panic!("{sql} was not refused"));
        let is_privilege =
            refusal.contains("permission denied") || refusal.contains("must be owner");
        assert!(is_privilege, "{sql}: {refusal}");
    }
    for sql in [
        "INSERT INTO audit_log SELECT * FROM audit_log",
        "DELETE FROM idempotency_records",
    ] {
        let refusal = roles.refusal("auditor", sql).unwrap_or_default();
        assert!(refusal.contains("permission denied"), "{sql}: {refusal}");
    }
}
