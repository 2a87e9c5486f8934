//! PostgreSQL servers that the program must refuse, and tables that are altered under it. These
//! tests do nothing on SQLite.

use actix_web::http::Method;
use diesel::connection::SimpleConnection;
use futures_util::future::join_all;
use quietline::db::{Db, Lane};
use quietline::domain::actor::Role;
use quietline::domain::scope::Scope;
use quietline::error::{Error, Result};
use serde_json::json;
use url::Url;

use crate::support::TestApp;
use crate::support::database::TestDatabase;
use crate::support::pooler;

/// Returns a new database and the URL of its server, if the tests run on PostgreSQL.
fn on_postgres() -> Option<(TestDatabase, Url)> {
    let database = TestDatabase::create();
    let TestDatabase::Postgres { server, .. } = &database else {
        return None;
    };
    let server = server.parse().expect("a URL");
    Some((database, server))
}

fn refusal(opened: Result<Db>) -> String {
    match opened {
        Err(Error::Unavailable(cause)) => cause.to_string(),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was opened"),
    }
}

#[test]
fn a_database_with_another_encoding_than_utf8_is_refused() {
    let Some((database, mut server)) = on_postgres() else {
        return;
    };
    let TestDatabase::Postgres { schema, .. } = &database else {
        return;
    };
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let name = format!("{schema}_{}", encoding.to_lowercase());
        database.execute(&format!(
            "CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' \
             TEMPLATE template0"
        ));
        server.set_path(&name);
        let opened = Db::open(&server.as_str().parse().unwrap(), 1);
        database.execute(&format!("DROP DATABASE {name} WITH (FORCE)"));
        let refused = refusal(opened);
        let expected = format!("its encoding must be UTF8, not {encoding}");
        assert!(refused.starts_with(&expected), "{refused}");
    }
}

#[test]
fn a_pooler_of_transactions_is_refused() {
    let Some((database, server)) = on_postgres() else {
        return;
    };
    let host = server.host_str().unwrap_or("127.0.0.1");
    let target = format!("{host}:{}", server.port().unwrap_or(5432));
    let pooler = pooler::start(&target).to_string();
    let url = database.url_text().replace(&target, &pooler);
    let refused = refusal(Db::open(&url.parse().unwrap(), 1));
    assert!(
        refused.contains("must pool sessions, not transactions"),
        "{refused}"
    );
}

#[actix_web::test]
async fn messages_are_english_if_the_role_may_choose_their_language() {
    let Some((database, _)) = on_postgres() else {
        return;
    };
    let url = format!("{}%20-clc_messages%3DC.UTF-8", database.url_text());
    let db = Db::open(&url.parse().unwrap(), 1).unwrap();
    let check = "DO $$ BEGIN ASSERT current_setting('lc_messages') = 'C'; END $$";
    db.read(Lane::OPERATOR, move |conn| Ok(conn.batch_execute(check)?))
        .await
        .expect("English messages");
}

/// Goal: an altered table costs no 500. Method: every session has prepared its statements when the
/// type of a column changes. A read succeeds at once. A change may be refused once (503).
#[actix_web::test]
async fn a_changed_type_of_a_column_costs_no_500() {
    let app = TestApp::new().await;
    if matches!(app.database, TestDatabase::Sqlite(_)) {
        return;
    }
    let scopes = [
        Scope::OrgRead,
        Scope::OrgAdminWrite,
        Scope::ApiKeysRead,
        Scope::ApiKeysWrite,
        Scope::AuditRead,
    ];
    let key = app.api_key(&scopes).await;
    let admin = app.jwt(Role::Admin);
    let missed_call = app.missed_call_path();
    let reads = [
        ("/v1/organization", &key),
        ("/v1/api-keys", &key),
        ("/v1/audit-log", &key),
        (missed_call.as_str(), &admin),
    ];
    let alter = [
        "ALTER TABLE organizations ALTER COLUMN name TYPE varchar(300)",
        "ALTER TABLE api_keys ALTER COLUMN last_used_at TYPE timestamptz(3)",
        "ALTER TABLE audit_log ALTER COLUMN action TYPE varchar(300)",
    ];
    let mut name = 0;
    for statement in [None].into_iter().chain(alter.map(Some)) {
        if let Some(statement) = statement {
            app.database.execute(statement);
        }
        for (path, credential) in reads {
            // More than there are sessions.
            let responses = join_all((0..8).map(|_| app.get(path, credential))).await;
            for response in responses {
                assert_eq!(response.status, 200, "{statement:?} {path}");
            }
        }
        assert_eq!(app.get("/readyz", &key).await.status, 200, "{statement:?}");
        for _ in 0..2 {
            name += 1;
            let patch = app.request(Method::PATCH, "/v1/organization").bearer(&key);
            let patch = patch.header("Idempotency-Key", &name.to_string());
            let patched = patch.json(&json!({"name": name.to_string()})).send().await;
            assert_eq!(patched.status, 200, "{statement:?}");
        }
    }
}

/// The counterpart: the first request after the change is a write, on a session that has read the
/// table before.
#[actix_web::test]
async fn a_write_on_an_outdated_session_is_repeated_or_refused_with_nothing_stored() {
    let app = TestApp::new().await;
    if matches!(app.database, TestDatabase::Sqlite(_)) {
        return;
    }
    let key = app
        .api_key(&[Scope::OrgAdminWrite, Scope::ApiKeysWrite])
        .await;
    let create = async || {
        let body = json!({"label": "New", "scopes": ["org:admin:write"]});
        let post = app.request(Method::POST, "/v1/api-keys").bearer(&key);
        post.json(&body).send().await.status
    };
    let patch = async |number: i32| {
        let patch = app.request(Method::PATCH, "/v1/organization").bearer(&key);
        let patch = patch.header("Idempotency-Key", &number.to_string());
        let body = json!({"name": number.to_string()});
        patch.json(&body).send().await.status
    };
    assert_eq!((create().await, patch(1).await), (201, 200));
    app.database
        .execute("ALTER TABLE organizations ALTER COLUMN name TYPE varchar(300)");
    assert_eq!(patch(2).await, 200, "it is repeated");
    app.database
        .execute("ALTER TABLE organizations ALTER COLUMN name TYPE varchar(301)");
    let keys = app.stored_keys().await.len();
    // `stored_keys` has replaced one session only if it read organizations.
    let status = create().await;
    let stored = app.stored_keys().await.len() - keys;
    assert!(
        matches!((status, stored), (503, 0) | (201, 1)),
        "{status}, {stored}"
    );
    assert_eq!(create().await, 201);
}
