//! Concurrent requests about the API keys of one organization.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_web::http::Method;
use chrono::TimeDelta;
use quietline::app;
use quietline::db::Db;
use quietline::domain::access::{Authorized, Caller, Credential, Demand, Target};
use quietline::domain::api_key::{NewApiKey, PlaintextApiKey};
use quietline::domain::audit::chain::Anchors;
use quietline::domain::ids::RequestId;
use quietline::domain::organization::SettingsChanges;
use quietline::domain::scope::{Scope, ScopeSet};
use quietline::error::Error;
use quietline::operator;
use quietline_api_runtime::Timestamp;
use serde_json::json;

use super::parallel::in_parallel;
use crate::support::TestApp;
use crate::support::app::superadmin_of;
use crate::support::app::{now, session_on, state_of};
use crate::support::response::Response;

const PATH: &str = "/v1/api-keys";
const SCOPES: [Scope; 3] = [Scope::OrgRead, Scope::ApiKeysRead, Scope::ApiKeysWrite];

async fn create(app: &TestApp, key: &str) -> Response {
    let request = app.request(Method::POST, PATH).bearer(key);
    let body = json!({ "label": "New", "scopes": ["org:read"] });
    request.json(&body).send().await
}

async fn rotate(app: &TestApp, key: &str, id: &str) -> Response {
    let path = format!("{PATH}/{id}/rotate");
    app.request(Method::POST, &path).bearer(key).send().await
}

fn count(statuses: &[u16], status: u16) -> usize {
    statuses.iter().filter(|seen| **seen == status).count()
}

/// Asserts that the hash chain is intact and records `issued` keys.
async fn assert_log(app: &TestApp, issued: usize) {
    let org_id = app.org_id;
    let verified =
        operator::audit::verify::verify(&app.state.db, org_id, Anchors::default()).unwrap();
    assert_eq!(verified.faults, []);
    let entries = app.whole_audit().await.into_iter();
    let of_keys = entries.filter(|entry| entry.actor.kind == "customer");
    assert_eq!(of_keys.count(), issued);
}

/// Goal: the limit of ten keys a minute holds across servers. Method: twenty concurrent requests on
/// two servers.
#[actix_web::test]
async fn concurrent_creation_of_20_keys_on_two_servers_creates_10() {
    let app = TestApp::new().await;
    let key = app.api_key(&SCOPES).await;
    let second = state_of(Db::open(&app.database.url(), 4).unwrap());
    let statuses = in_parallel(20, async |number| {
        let request = match number % 2 {
            0 => app.request(Method::POST, PATH),
            _ => app.request(Method::POST, PATH).on(second.clone()),
        };
        let body = json!({ "label": format!("{number}"), "scopes": ["org:read"] });
        request.bearer(&key).json(&body).send().await.status
    });
    assert_eq!((count(&statuses, 201), count(&statuses, 429)), (10, 10));
    assert_eq!(app.stored_keys().await.len(), 11);
    assert_log(&app, 10).await;
    assert_eq!(create(&app, &key).await.status, 429);
}

#[actix_web::test]
async fn concurrent_rotations_of_a_key_create_one_key() {
    let app = TestApp::new().await;
    let key = app.api_key(&SCOPES).await;
    let old = app.api_key(&[Scope::OrgRead]).await;
    let id = app.key_id(&old).await.to_string();
    let statuses = in_parallel(12, async |_| rotate(&app, &key, &id).await.status);
    assert_eq!((count(&statuses, 201), count(&statuses, 422)), (1, 11));
    let valid = app.stored_keys().await.into_iter();
    let valid = valid.filter(|key| key.revoked_at.is_none());
    assert_eq!(valid.count(), 2, "the caller's and the new one");
    assert_log(&app, 1).await;
}

#[actix_web::test]
async fn concurrent_rotations_of_a_key_by_itself_create_one_key() {
    let app = TestApp::new().await;
    let key = app.api_key(&SCOPES).await;
    let id = app.key_id(&key).await.to_string();
    let statuses = in_parallel(12, async |_| rotate(&app, &key, &id).await.status);
    assert_eq!((count(&statuses, 201), count(&statuses, 401)), (1, 11));
    let valid = app.stored_keys().await.into_iter();
    assert_eq!(valid.filter(|key| key.revoked_at.is_none()).count(), 1);
    assert_log(&app, 1).await;
}

/// Goal: a revocation is final. Method: concurrent rotations and deletions of one key. In any order
/// at most one new key results, and the old key is revoked.
#[actix_web::test]
async fn a_key_that_is_rotated_and_deleted_concurrently_is_revoked() {
    for _ in 0..5 {
        let app = TestApp::new().await;
        let key = app.api_key(&SCOPES).await;
        let old = app.api_key(&[Scope::OrgRead]).await;
        let id = app.key_id(&old).await.to_string();
        let statuses = in_parallel(8, async |number| match number % 2 {
            0 => rotate(&app, &key, &id).await.status,
            _ => {
                let path = format!("{PATH}/{id}");
                let request = app.request(Method::DELETE, &path).bearer(&key);
                request.send().await.status
            }
        });
        assert_eq!(count(&statuses, 204), 4, "{statuses:?}");
        let issued = count(&statuses, 201);
        assert_eq!(count(&statuses, 422), 4 - issued, "{statuses:?}");
        assert!(issued <= 1, "{statuses:?}");
        assert_eq!(app.get("/v1/organization", &old).await.status, 401);
        assert_log(&app, 1).await;
    }
}

/// Goal: a revoked key changes nothing more, even in requests authenticated before the revocation.
/// Method: five clients change settings until they are refused, and one client revokes the key.
#[actix_web::test]
async fn no_change_of_a_key_is_recorded_after_its_revocation() {
    let app = TestApp::new().await;
    let admin = app.api_key(&SCOPES).await;
    for round in 0..10 {
        let key = app.api_key(&[Scope::OrgAdminWrite]).await;
        let id = app.key_id(&key).await;
        let changes = AtomicUsize::new(0);
        in_parallel(6, async |number| match number {
            0 => {
                // Let the others change something first.
                while changes.load(Ordering::Relaxed) < 20 {
                    std::thread::sleep(Duration::from_millis(1));
                }
                let path = format!("{PATH}/{id}");
                let request = app.request(Method::DELETE, &path).bearer(&admin);
                assert_eq!(request.send().await.status, 204);
            }
            _ => change_until_refused(&app, &key, &format!("{round}.{number}"), &changes).await,
        });
        let log = app.whole_audit().await;
        let mut since = log.iter().rev().take_while(|entry| {
            entry.action != "api_key.revoke" || entry.resource_id != id.to_string()
        });
        let identity = format!("api_key:{id}");
        assert!(
            since.all(|entry| entry.actor.identity != identity),
            "round {round}"
        );
    }
}

/// Changes the name until the key is refused, and counts the successful changes.
async fn change_until_refused(app: &TestApp, key: &str, client: &str, changes: &AtomicUsize) {
    for number in 0..10_000 {
        let request = app.request(Method::PATCH, "/v1/organization").bearer(key);
        let body = json!({ "name": format!("client {client}, change {number}") });
        match request.json(&body).send().await.status {
            200 => changes.fetch_add(1, Ordering::Relaxed),
            401 => return,
            status => panic!("{status}"),
        };
    }
    panic!("the key is never refused");
}

/// Goal: a stolen key cannot create another key after its revocation. Method: another server
/// revokes the key. A server with the key still cached gets a request for a new key.
#[actix_web::test]
async fn a_key_that_another_server_has_revoked_creates_no_new_key() {
    let app = TestApp::new().await;
    let key = app.api_key(&SCOPES).await;
    // Fill the cache, so that this server would still accept the key.
    assert_eq!(app.get(PATH, &key).await.status, 200);
    let id = app.key_id(&key).await;
    let elsewhere = Db::open(&app.database.url(), 1).unwrap();
    operator::api_key::revoke(&session_on(elsewhere, &app.state), id)
        .await
        .unwrap();
    let before = (app.stored_keys().await, app.whole_audit().await);
    assert_eq!(create(&app, &key).await.status, 401);
    assert_eq!(rotate(&app, &key, &id.to_string()).await.status, 401);
    assert_eq!((app.stored_keys().await, app.whole_audit().await), before);
}

/// Goal: a key that another server has revoked is refused within a second under constant load.
/// Method: keys that are used continuously for longer than they are cached.
#[actix_web::test]
async fn a_revoked_key_in_constant_use_is_refused_within_a_second() {
    let app = TestApp::new().await;
    let mut keys = Vec::new();
    for _ in 0..40 {
        keys.push(app.api_key(&[Scope::OrgRead]).await);
    }
    let id = app.key_id(&keys[17]).await;
    let use_for = async |time: Duration, may_be_refused: bool| {
        let started = Instant::now();
        while started.elapsed() < time {
            for (number, key) in keys.iter().enumerate() {
                match app.get("/v1/organization", key).await.status {
                    401 => assert!(number == 17 && may_be_refused),
                    status => assert_eq!(status, 200),
                }
            }
        }
    };
    // Almost as long as a key is cached, so that the cache must refresh while the keys are in use.
    use_for(Duration::from_millis(700), false).await;
    let elsewhere = Db::open(&app.database.url(), 1).unwrap();
    operator::api_key::revoke(&session_on(elsewhere, &app.state), id)
        .await
        .unwrap();
    use_for(Duration::from_secs(1), true).await;
    for (number, key) in keys.iter().enumerate() {
        let status = app.get("/v1/organization", key).await.status;
        assert_eq!(status, if number == 17 { 401 } else { 200 }, "{number}");
    }
}

/// Goal: a client that disconnects while it revokes a key has revoked it. Method: the request is
/// started and dropped. Once the revocation is stored, the key is refused long before its cache
/// entry expires.
#[actix_web::test]
async fn a_key_is_refused_although_the_revoking_client_disconnected() {
    let app = TestApp::new().await;
    let key = app.api_key(&[Scope::OrgRead]).await;
    let id = app.key_id(&key).await;
    assert_eq!(app.get("/v1/organization", &key).await.status, 200);
    let access = superadmin_of(&app.org_id).access;
    let (keys, clock) = (&app.state.keys, &app.state.clock);
    let mut revocation = Box::pin(app::api_key::delete(keys, clock, access, id));
    // Start the revocation and disconnect. It continues in its own task.
    assert!(futures_util::poll!(&mut revocation).is_pending());
    drop(revocation);
    for _ in 0..50_000 {
        if app.stored_keys().await[0].revoked_at.is_some() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let mut statuses = Vec::new();
    for _ in 0..50 {
        tokio::task::yield_now().await;
        statuses.push(app.get("/v1/organization", &key).await.status);
    }
    assert_eq!(statuses.last(), Some(&401), "{statuses:?}");
}

/// Authenticates a request with `key`, which must be a key of the test organization.
async fn authenticated(app: &TestApp, key: &str) -> Authorized {
    let id = app.key_id(key).await;
    let mut stored = app.stored_keys().await.into_iter();
    let stored = stored.find(|stored| stored.id == id).unwrap();
    let caller = Caller {
        credential: Credential::ApiKey {
            id: stored.id,
            label: stored.label,
            hash: PlaintextApiKey::parse(key).unwrap().hash(),
            org_id: stored.org_id,
            scopes: stored.scopes,
            expires_at: stored.expires_at,
        },
        request_id: RequestId::generate(),
        client_network: None,
        prefetched: None,
    };
    let demand = Demand {
        scopes: &["org:admin:write"],
        minimum_role: None,
    };
    caller.require(demand, Target::Own).unwrap()
}

/// Asserts that a request that is already authenticated cannot change the settings.
async fn assert_changes_nothing(app: &TestApp, access: Authorized) {
    let changes = SettingsChanges {
        is_reseller: Some(true),
        ..SettingsChanges::default()
    };
    let outcome = app::organization::update_settings(&app.state, access, changes, None).await;
    assert!(matches!(outcome, Err(Error::Unauthenticated(_))));
    assert!(app.audit().await.is_empty());
}

#[actix_web::test]
async fn a_request_authenticated_before_its_key_was_revoked_changes_nothing() {
    let app = TestApp::new().await;
    let key = app.api_key(&[Scope::OrgAdminWrite]).await;
    let access = authenticated(&app, &key).await;
    let admin = superadmin_of(&app.org_id).access;
    let id = app.key_id(&key).await;
    app::api_key::delete(&app.state.keys, &app.state.clock, admin, id)
        .await
        .unwrap();
    assert_changes_nothing(&app, access).await;
}

/// Goal: a key that expires while its request waits changes nothing. Method: the request is
/// authenticated in time, and decided when the clock of the server shows the expiry.
#[actix_web::test]
async fn a_request_authenticated_before_its_key_expired_changes_nothing() {
    let app = TestApp::new().await;
    let admin = app
        .api_key(&[Scope::OrgAdminWrite, Scope::ApiKeysWrite])
        .await;
    let scopes = ["org:admin:write", "apikeys:write"];
    let expiry = now() + TimeDelta::seconds(60);
    let body = json!({ "label": "New", "scopes": scopes, "expires_at": Timestamp(expiry) });
    let request = app.request(Method::POST, PATH).bearer(&admin);
    let key = request.json(&body).send().await.text("/data/plaintext");
    let access = authenticated(&app, &key).await;
    let app = app.at(expiry);
    assert_changes_nothing(&app, access.clone()).await;
    let new = NewApiKey {
        label: "New".to_owned(),
        scopes: ScopeSet::default(),
        expires_at: None,
        plaintext: PlaintextApiKey::generate(),
    };
    let created = app::api_key::create(&app.state, access.access.clone(), new, None).await;
    assert!(matches!(created, Err(Error::Unauthenticated(_))));
    let id = app.key_id(&admin).await;
    let (keys, clock) = (&app.state.keys, &app.state.clock);
    let revoked = app::api_key::delete(keys, clock, access.access, id).await;
    assert!(matches!(revoked, Err(Error::Unauthenticated(_))));
}
