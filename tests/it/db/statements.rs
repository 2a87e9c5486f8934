//! Statements stay prepared. Goal: in steady state no operation prepares a statement. Method:
//! Diesel reports every query that it runs and every query that it adds to a connection's cache. A
//! query that runs but never enters the cache is prepared again on each run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::http::Method;
use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};
use quietline::domain::actor::Role;
use quietline::domain::ids::OrgId;
use quietline::domain::organization::OrganizationKind;
use quietline::domain::scope::Scope;
use serde_json::json;
use strum::VariantArray as _;

use crate::support::TestApp;
use crate::support::database::TestDatabase;

/// Events of one connection to a watched database.
#[derive(Default)]
struct Seen {
    cached: BTreeSet<String>,
    /// Number of times that a cached statement was added again.
    again: usize,
    run: BTreeMap<String, usize>,
}

/// Events of connections to databases whose URL contains a watched name.
static SEEN: Mutex<BTreeMap<usize, Seen>> = Mutex::new(BTreeMap::new());
static WATCHED: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Watch {
    connection: Option<usize>,
}

impl Instrumentation for Watch {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartEstablishConnection { url, .. } => {
                static NEXT: AtomicUsize = AtomicUsize::new(0);
                let is_watched = WATCHED
                    .lock()
                    .unwrap()
                    .iter()
                    .any(|name| url.contains(name));
                self.connection = is_watched.then(|| NEXT.fetch_add(1, Ordering::Relaxed));
            }
            InstrumentationEvent::CacheQuery { sql, .. } => self.note(|seen| {
                seen.again += usize::from(!seen.cached.insert(sql.to_owned()));
            }),
            InstrumentationEvent::StartQuery { query, .. } => {
                let text = query.to_string();
                let sql = text.split(" -- binds").next().unwrap().to_owned();
                self.note(|seen| *seen.run.entry(sql).or_default() += 1);
            }
            _ => {}
        }
    }
}

impl Watch {
    fn note(&self, change: impl FnOnce(&mut Seen)) {
        if let Some(connection) = self.connection {
            change(SEEN.lock().unwrap().entry(connection).or_default());
        }
    }
}

/// Statements without parameters and results. They are sent as text and never prepared.
const SENT_AS_TEXT: [&str; 5] = ["BEGIN", "COMMIT", "ROLLBACK", "SELECT 1", "PRAGMA"];

async fn every_operation(app: &TestApp, turn: i32, with_keys: &OrgId) {
    let key = app.api_key(&[Scope::OrgRead, Scope::OrgAdminWrite]).await;
    let token = app.jwt(Role::Admin);
    let patch = json!({ "message_retention_days": 100 + turn, "name": format!("Name {turn}") });
    assert_eq!(app.patch(&key, patch).await.status, 200);
    assert_eq!(app.get("/v1/organization", &key).await.status, 200);
    assert_eq!(
        app.put(&token, json!({ "missedCallMessage": format!("{turn}") }))
            .await
            .status,
        200
    );
    assert_eq!(app.get(&app.missed_call_path(), &token).await.status, 200);
    keys_and_log(app, with_keys).await;
}

/// Uses its own organization, because the limit is ten new keys a minute.
async fn keys_and_log(app: &TestApp, org_id: &OrgId) {
    let key = app.api_key_of(org_id, Scope::VARIANTS).await;
    let send = async |method: Method, path: &str, status: u16| {
        let request = app.request(method.clone(), path).bearer(&key);
        let body = json!({ "label": "New", "scopes": ["org:read"] });
        let response = match method {
            Method::POST => request.json(&body).send().await,
            _ => request.send().await,
        };
        assert_eq!(response.status, status, "{method} {path}: {response:?}");
        response
    };
    let created = send(Method::POST, "/v1/api-keys", 201).await;
    let path = format!("/v1/api-keys/{}", created.text("/data/id"));
    let rotated = send(Method::POST, &format!("{path}/rotate"), 201).await;
    let path = format!("/v1/api-keys/{}", rotated.text("/data/id"));
    send(Method::GET, &path, 200).await;
    send(Method::DELETE, &path, 204).await;
    for list in ["/v1/api-keys?limit=1", "/v1/audit-log?limit=1"] {
        let page = send(Method::GET, list, 200).await;
        let next = format!("{list}&cursor={}", page.text("/meta/next_cursor"));
        send(Method::GET, &next, 200).await;
    }
}

#[actix_web::test]
async fn no_operation_prepares_a_statement_twice_on_one_connection() {
    set_default_instrumentation(|| Some(Box::new(Watch { connection: None }))).unwrap();
    let database = TestDatabase::create();
    let name = match &database {
        TestDatabase::Sqlite(folder) => folder.path().to_str().unwrap().to_owned(),
        TestDatabase::Postgres { schema, .. } => schema.clone(),
    };
    WATCHED.lock().unwrap().push(name);
    let app = TestApp::on(database).await;
    let mut organizations = Vec::new();
    for _ in 0..=5 {
        organizations.push(app.organization(OrganizationKind::Commercial).await.id);
    }
    // Ignore the first round and the migrations: they fill the caches.
    every_operation(&app, 0, &organizations[0]).await;
    SEEN.lock()
        .unwrap()
        .values_mut()
        .for_each(|seen| seen.run.clear());
    for (turn, org_id) in (1..).zip(&organizations[1..]) {
        every_operation(&app, turn, org_id).await;
    }
    let seen = SEEN.lock().unwrap();
    let runs: usize = seen.values().flat_map(|seen| seen.run.values()).sum();
    assert!(runs >= 20, "only {runs} statements in 20 requests");
    for seen in seen.values() {
        assert_eq!(seen.again, 0, "a statement was added to the cache twice");
        let is_text = |sql: &str| SENT_AS_TEXT.iter().any(|text| sql.starts_with(text));
        let uncached: Vec<&String> = seen
            .run
            .keys()
            .filter(|sql| !seen.cached.contains(*sql) && !is_text(sql))
            .collect();
        assert!(uncached.is_empty(), "prepared at every run: {uncached:#?}");
    }
}
