//! Behaviour outside the operations of the specs: probes, unknown paths, common headers, and
//! internal errors of the server.

use actix_web::http::Method;
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};
use quietline::db::DatabaseUrl;
use quietline::domain::actor::Role;
use quietline::domain::scope::Scope;
use serde_json::{Value, json};
use ulid::Ulid;

use crate::support::TestApp;
use crate::support::response::Response;

const ORGANIZATION: &str = "/v1/organization";

async fn send(app: &TestApp, method: &Method, path: &str) -> Response {
    app.request(method.clone(), path).send().await
}

fn assert_agent_message(response: &Response, status: u16, code: &str, message: &str) {
    let request_id = response.header("x-request-id");
    let expected = json!({
        "success": false,
        "error": { "code": code, "message": message, "request_id": request_id },
    });
    assert_eq!((response.status, response.json()), (status, expected));
}

#[actix_web::test]
async fn the_probes_respond_without_a_credential() {
    let app = TestApp::new().await;
    for path in ["/healthz", "/readyz"] {
        let response = send(&app, &Method::GET, path).await;
        assert_eq!(response.status, 200, "{path}");
        assert!(response.json()["status"].is_string(), "{path}");
        let head = send(&app, &Method::HEAD, path).await;
        assert_eq!(head.status, 200, "{path}");
        let refused = send(&app, &Method::POST, path).await;
        assert_eq!(
            (refused.status, refused.header("allow")),
            (405, "GET, HEAD"),
            "{path}"
        );
        assert_eq!(refused.code(), "METHOD_NOT_ALLOWED");
    }
}

#[actix_web::test]
async fn a_draining_server_is_alive_but_not_ready() {
    let app = TestApp::new().await;
    let key = app.api_key(&[Scope::OrgRead]).await;
    app.state.begin_draining();
    assert_eq!(send(&app, &Method::GET, "/healthz").await.status, 200);
    let response = send(&app, &Method::GET, "/readyz").await;
    assert_agent_message(
        &response,
        503,
        "UNAVAILABLE",
        "service temporarily unavailable",
    );
    assert!(response.header("retry-after").parse::<u32>().unwrap() >= 1);
    assert_eq!(
        app.get(ORGANIZATION, &key).await.status,
        200,
        "requests are still served"
    );
}

#[actix_web::test]
async fn an_unknown_path_is_not_found_in_the_envelope_of_its_dialect() {
    let app = TestApp::new().await;
    let agent_message = [
        "//",
        "/v1",
        "/v1/",
        "/v1/no-such-thing",
        "/v1/organization/",
        "/v1/organization/x",
        "/v1//organization",
        "//v1/organization",
        "/V1/organization",
        "/v2/organization",
        "/apis",
        "/favicon.ico",
        "/%F0%9F%98%80",
        "/v1/organization%00",
        "/v1/%2e%2e/healthz",
    ];
    let tether = [
        "/api",
        "/api/",
        "/api/x",
        "/api/organizations",
        "/api/organizations/x",
    ];
    for method in [Method::GET, Method::POST, Method::DELETE] {
        for path in agent_message {
            let response = send(&app, &method, path).await;
            assert_agent_message(&response, 404, "NOT_FOUND", "not found");
        }
        for path in tether {
            let response = send(&app, &method, path).await;
            assert_eq!(response.status, 404, "{path}");
            assert!(response.json()["error"].is_string(), "{path}: {response:?}");
            assert!(
                response.json().get("success").is_none(),
                "{path}: {response:?}"
            );
        }
    }
}

/// Returns responses of all kinds: successful, refused and not found.
async fn all_kinds(app: &TestApp) -> Vec<Response> {
    let key = app.api_key(&[Scope::OrgRead, Scope::OrgAdminWrite]).await;
    let token = app.jwt(Role::Admin);
    let etag = app.get(ORGANIZATION, &key).await.header("etag").to_owned();
    let conditional = app.request(Method::GET, ORGANIZATION).bearer(&key);
    let text = app
        .request(Method::PATCH, ORGANIZATION)
        .bearer(&key)
        .body("text/plain", "{}");
    let broken = app
        .request(Method::PATCH, ORGANIZATION)
        .bearer(&key)
        .body("application/json", "{");
    let large = "x".repeat(70_000);
    let large = app
        .request(Method::PATCH, ORGANIZATION)
        .bearer(&key)
        .body("application/json", large);
    let other = app
        .missed_call_path()
        .replace(&app.org_id.to_string(), "no-such-organization");
    vec![
        send(app, &Method::GET, "/healthz").await,
        send(app, &Method::GET, "/readyz").await,
        send(app, &Method::GET, "/").await,
        send(app, &Method::GET, "/api/x").await,
        send(app, &Method::GET, ORGANIZATION).await,
        send(app, &Method::TRACE, ORGANIZATION).await,
        send(app, &Method::DELETE, &app.missed_call_path()).await,
        send(app, &Method::PUT, &app.missed_call_path()).await,
        app.get(ORGANIZATION, &key).await,
        conditional.header("If-None-Match", &etag).send().await,
        app.patch(&key, json!({"name": "New"})).await,
        app.patch(&key, json!({"name": null})).await,
        app.get(&app.missed_call_path(), &token).await,
        app.put(&token, json!({"missedCallMessage": null})).await,
        app.get(&other, &token).await,
        text.send().await,
        broken.send().await,
        large.send().await,
    ]
}

#[actix_web::test]
async fn every_response_has_its_own_request_id_and_an_error_repeats_it() {
    let app = TestApp::new().await;
    let mut ids = Vec::new();
    for response in all_kinds(&app).await {
        let id = response.header("x-request-id").to_owned();
        assert!(
            Ulid::from_string(&id).is_ok_and(|ulid| ulid.to_string() == id),
            "{id}"
        );
        assert_eq!(response.headers.get_all("x-request-id").count(), 1);
        let body: Value = serde_json::from_slice(&response.bytes).unwrap_or_default();
        if let Some(repeated) = body.pointer("/error/request_id") {
            assert_eq!(repeated, &id);
        }
        ids.push(id);
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[actix_web::test]
async fn no_response_may_be_cached_and_every_body_is_json() {
    let app = TestApp::new().await;
    for response in all_kinds(&app).await {
        assert_eq!(response.header("cache-control"), "no-store", "{response:?}");
        if response.bytes.is_empty() {
            assert_eq!(response.status, 304);
        } else {
            assert_eq!(response.header("content-type"), "application/json");
        }
    }
}

#[actix_web::test]
async fn every_response_has_strict_browser_security_headers() {
    let app = TestApp::new().await;
    let mut responses = all_kinds(&app).await;
    responses.push(send(&app, &Method::GET, "/docs").await);
    responses.push(send(&app, &Method::OPTIONS, ORGANIZATION).await);
    responses.push(send(&app, &Method::POST, "/docs/").await);
    app.database.execute_unchecked("DROP TABLE api_keys");
    let key = "am_live_0123456789abcdefghijABCDEFGHIJ0123";
    responses.push(app.get(ORGANIZATION, key).await);
    for response in responses {
        let expected = [
            ("x-content-type-options", "nosniff"),
            (
                "content-security-policy",
                "default-src 'none'; frame-ancestors 'none'",
            ),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
        ];
        for (name, value) in expected {
            assert_eq!(response.headers.get_all(name).count(), 1, "{response:?}");
            assert_eq!(response.header(name), value, "{response:?}");
        }
        assert!(!response.headers.contains_key("server"), "{response:?}");
    }
    let page = send(&app, &Method::GET, "/docs/").await;
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert_eq!(page.header("cross-origin-resource-policy"), "same-origin");
    assert_eq!(page.headers.get_all("content-security-policy").count(), 1);
}

#[actix_web::test]
async fn a_request_id_of_the_client_is_ignored() {
    let app = TestApp::new().await;
    let theirs = "01JTBQH2FZ8K1RXC0WJ4Z9P3VM";
    for path in ["/healthz", ORGANIZATION, "/api/x"] {
        let request = app
            .request(Method::GET, path)
            .header("X-Request-Id", theirs);
        assert_ne!(request.send().await.header("x-request-id"), theirs);
    }
}

#[actix_web::test]
async fn an_internal_error_is_500_without_internal_details() {
    let app = TestApp::new().await;
    let key = app.api_key(&[Scope::OrgRead, Scope::OrgAdminWrite]).await;
    let token = app.jwt(Role::Admin);
    app.database
        .execute("ALTER TABLE organizations RENAME TO hidden");
    let responses = [
        (app.get(ORGANIZATION, &key).await, None),
        (app.patch(&key, json!({"name": "New"})).await, None),
        (
            app.get(&app.missed_call_path(), &token).await,
            Some("Failed to read configuration"),
        ),
        (
            app.put(&token, json!({"missedCallMessage": "x"})).await,
            Some("Failed to update configuration"),
        ),
    ];
    for (response, tether) in responses {
        match tether {
            None => assert_agent_message(&response, 500, "INTERNAL", "internal error"),
            Some(error) => {
                let expected = json!({ "error": error, "details": "Internal error" });
                assert_eq!((response.status, response.json()), (500, expected));
            }
        }
        let whole = format!("{response:?}").to_lowercase();
        for word in [
            "select", "table", "relation", "sqlite", "postgres", "hidden",
        ] {
            assert!(!whole.contains(word), "{word}: {whole}");
        }
    }
    app.database
        .execute("ALTER TABLE hidden RENAME TO organizations");
    assert_eq!(
        app.get(ORGANIZATION, &key).await.status,
        200,
        "reads succeed afterwards"
    );
    assert_eq!(app.patch(&key, json!({"name": "New"})).await.status, 200);
}

/// Lock that blocks every write to organizations until it is released.
enum Lock {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Lock {
    fn take(url: &DatabaseUrl) -> Self {
        match url {
            DatabaseUrl::Sqlite(path) => {
                let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
                conn.batch_execute("BEGIN IMMEDIATE").unwrap();
                Self::Sqlite(conn)
            }
            DatabaseUrl::Postgres(url) => {
                let mut conn = PgConnection::establish(&url.connection_string(&[])).unwrap();
                conn.batch_execute("BEGIN; SELECT 1 FROM organizations FOR UPDATE")
                    .unwrap();
                Self::Postgres(conn)
            }
        }
    }

    fn release(self) {
        match self {
            Self::Sqlite(mut conn) => conn.batch_execute("ROLLBACK").unwrap(),
            Self::Postgres(mut conn) => conn.batch_execute("ROLLBACK").unwrap(),
        }
    }
}

#[actix_web::test]
async fn a_blocked_write_is_503_with_retry_after_and_reads_continue() {
    let app = TestApp::new().await;
    let key = app.api_key(&[Scope::OrgRead, Scope::OrgAdminWrite]).await;
    let token = app.jwt(Role::Admin);
    let before = app.stored().await;
    let lock = Lock::take(&app.database.url());
    let (patched, put) = futures_util::join!(
        app.patch(&key, json!({"name": "New"})),
        app.put(&token, json!({"missedCallMessage": "x"})),
    );
    assert_agent_message(
        &patched,
        503,
        "UNAVAILABLE",
        "service temporarily unavailable",
    );
    assert_eq!(
        (put.status, &put.json()["error"]),
        (503, &json!("Service unavailable"))
    );
    for response in [&patched, &put] {
        assert!(response.header("retry-after").parse::<u32>().unwrap() >= 1);
    }
    assert_eq!(app.get(ORGANIZATION, &key).await.status, 200);
    let ready = send(&app, &Method::GET, "/readyz").await;
    let failing = json!({"status": "ready", "writes": "failing"});
    assert_eq!((ready.status, ready.json()), (200, failing));
    lock.release();
    assert_eq!(
        app.stored().await,
        before,
        "the refused write changed nothing"
    );
    assert_eq!(app.patch(&key, json!({"name": "New"})).await.status, 200);
    assert_eq!(app.audit().await.len(), 1);
    let ready = send(&app, &Method::GET, "/readyz").await;
    assert_eq!(ready.json()["writes"], "ok");
}

#[actix_web::test]
async fn a_server_whose_statements_do_not_fit_the_schema_is_not_ready() {
    for column in [
        "organizations RENAME COLUMN stop_text",
        "api_keys RENAME COLUMN label",
    ] {
        let app = TestApp::new().await;
        app.database
            .execute(&format!("ALTER TABLE {column} TO renamed"));
        let response = send(&app, &Method::GET, "/readyz").await;
        assert_eq!(response.status, 503);
    }
}
