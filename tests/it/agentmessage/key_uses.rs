//! `last_used_at`: accurate to the minute, and stored in the background rather than on each
//! request.

use chrono::TimeDelta;
use futures_util::future::join_all;
use quietline::db::Db;
use quietline::domain::scope::Scope;
use serde_json::{Value, json};

use super::api_key::Keys;
use crate::support::app::now;

async fn store(keys: &Keys) -> usize {
    let api_keys = &keys.app.state.keys;
    let mut changed = 0;
    while api_keys.has_uses() {
        changed += api_keys.store_uses().await.expect("stored");
    }
    changed
}

async fn last_used(keys: &Keys, id: &str) -> Value {
    keys.get(id).await.json()["data"]["last_used_at"].take()
}

fn at(keys: Keys, seconds: i64) -> Keys {
    Keys {
        app: keys.app.at(now() + TimeDelta::seconds(seconds)),
        ..keys
    }
}

#[actix_web::test]
async fn an_unused_key_has_no_time_and_a_used_key_has_its_minute() {
    let keys = at(Keys::new().await, 90);
    let (id, key) = keys.other(&[Scope::OrgRead]).await;
    assert_eq!(store(&keys).await, 0);
    assert_eq!(last_used(&keys, &id).await, Value::Null);
    assert!(keys.accepts(&key).await);
    assert_eq!(last_used(&keys, &id).await, Value::Null, "not stored yet");
    assert_eq!(store(&keys).await, 2, "this key and the calling key");
    assert_eq!(last_used(&keys, &id).await, "2026-01-04T12:01:00.000Z");
}

#[actix_web::test]
async fn many_uses_in_a_minute_are_one_write_and_the_next_minute_needs_another() {
    let mut keys = Keys::new().await;
    let id = keys.app.key_id(&keys.key).await.to_string();
    for second in [0, 1, 30, 59] {
        keys = at(keys, second);
        join_all((0..5).map(|_| keys.get(&id))).await;
        assert_eq!(store(&keys).await, usize::from(second == 0), "{second}");
    }
    keys = at(keys, 60);
    assert_eq!(last_used(&keys, &id).await, "2026-01-04T12:00:00.000Z");
    assert_eq!(store(&keys).await, 1);
    assert_eq!(last_used(&keys, &id).await, "2026-01-04T12:01:00.000Z");
}

#[actix_web::test]
async fn uses_of_several_minutes_are_stored_and_the_last_counts() {
    let mut keys = Keys::new().await;
    let id = keys.app.key_id(&keys.key).await.to_string();
    let (other, other_key) = keys.other(&[Scope::OrgRead]).await;
    assert!(keys.accepts(&other_key).await);
    for minute in 0..4 {
        keys = at(keys, minute * 60);
        keys.get(&id).await;
    }
    store(&keys).await;
    assert_eq!(last_used(&keys, &id).await, "2026-01-04T12:03:00.000Z");
    assert_eq!(last_used(&keys, &other).await, "2026-01-04T12:00:00.000Z");
}

#[actix_web::test]
async fn the_time_never_goes_back_even_if_the_clock_of_a_server_does() {
    let keys = at(Keys::new().await, 600);
    let id = keys.app.key_id(&keys.key).await.to_string();
    keys.get(&id).await;
    assert_eq!(store(&keys).await, 1);
    // The second server has its own clock and its own list of uses.
    let behind = quietline::db::Db::open(&keys.app.database.url(), 2).expect("the same");
    let state = crate::support::app::state_of(behind);
    let request = keys
        .app
        .request(actix_web::http::Method::GET, "/v1/api-keys");
    let response = request.bearer(&keys.key).on(state.clone()).send().await;
    assert_eq!(response.status, 200);
    assert_eq!(state.keys.store_uses().await.expect("stored"), 0);
    assert_eq!(last_used(&keys, &id).await, "2026-01-04T12:10:00.000Z");
}

#[actix_web::test]
async fn a_request_without_the_scope_is_a_use_but_a_request_with_a_revoked_key_is_not() {
    let keys = Keys::new().await;
    let (poor, poor_key) = keys.other(&[Scope::BillingRead]).await;
    let (dead, dead_key) = keys.other(&[Scope::OrgRead]).await;
    assert_eq!(keys.delete(&dead).await.status, 204);
    assert!(keys.accepts(&poor_key).await);
    assert!(!keys.accepts(&dead_key).await);
    store(&keys).await;
    assert_eq!(last_used(&keys, &poor).await, "2026-01-04T12:00:00.000Z");
    assert_eq!(last_used(&keys, &dead).await, Value::Null);
}

#[actix_web::test]
async fn storing_uses_leaves_the_organization_and_its_log_unchanged() {
    let keys = Keys::new().await;
    let before = (keys.app.stored().await, keys.app.whole_audit().await);
    assert!(keys.accepts(&keys.key).await);
    assert_eq!(store(&keys).await, 1);
    let after = (keys.app.stored().await, keys.app.whole_audit().await);
    assert_eq!(after, before);
}

#[actix_web::test]
async fn uses_that_fail_to_store_are_stored_the_next_time() {
    let keys = Keys::new().await;
    let id = keys.app.key_id(&keys.key).await.to_string();
    assert!(keys.accepts(&keys.key).await);
    keys.app
        .database
        .execute("ALTER TABLE api_keys RENAME COLUMN last_used_at TO hidden");
    assert!(keys.app.state.keys.store_uses().await.is_err());
    keys.app
        .database
        .execute("ALTER TABLE api_keys RENAME COLUMN hidden TO last_used_at");
    assert_eq!(store(&keys).await, 1);
    assert_eq!(last_used(&keys, &id).await, "2026-01-04T12:00:00.000Z");
}

#[actix_web::test]
async fn two_servers_store_the_uses_of_the_same_keys_without_conflict() {
    let keys = Keys::new().await;
    let second = crate::support::app::state_of(
        Db::open(&keys.app.database.url(), 2).expect("the same database"),
    );
    let mut ids = Vec::new();
    for _ in 0..30 {
        let (id, key) = keys.other(&[Scope::OrgRead]).await;
        assert!(keys.accepts(&key).await);
        let request = keys
            .app
            .request(actix_web::http::Method::GET, "/v1/organization");
        let response = request.bearer(&key).on(second.clone()).send().await;
        assert_eq!(response.status, 200);
        ids.push(id);
    }
    let (one, other) =
        futures_util::join!(keys.app.state.keys.store_uses(), second.keys.store_uses(),);
    assert_eq!(one.expect("stored") + other.expect("stored"), 30);
    for id in ids {
        assert_eq!(
            last_used(&keys, &id).await,
            json!("2026-01-04T12:00:00.000Z")
        );
    }
}
