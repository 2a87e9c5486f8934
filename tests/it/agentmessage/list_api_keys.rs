//! GET /v1/api-keys: pages, newest first, without repeated or missing keys.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use quietline::domain::organization::OrganizationKind;
use quietline::domain::scope::Scope;
use serde_json::{Value, json};

use super::admin::{assert_error, assert_invalid};
use super::api_key::Keys;
use crate::support::app::now;
use crate::support::app::superadmin_of;
use crate::support::response::Response;

/// Returns the ids on a page.
fn ids(page: &Response) -> Vec<String> {
    let json = page.json();
    let data = json["data"].as_array().expect("a list").iter();
    data.map(|key| key["id"].as_str().expect("an id").to_owned())
        .collect()
}

/// Returns all pages, with the ids and `meta` of each.
async fn pages(keys: &Keys, query: &str) -> Vec<(Vec<String>, Value)> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = keys.list(&format!("{query}{cursor}")).await;
        assert_eq!(page.status, 200, "{query}{cursor}: {page:?}");
        let meta = page.json()["meta"].take();
        pages.push((ids(&page), meta.clone()));
        match meta["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return pages,
        }
    }
}

/// Creates seven keys, one per second. Returns their ids, oldest first.
async fn seven_keys() -> (Keys, Vec<String>) {
    let mut keys = Keys::new().await;
    let mut made = vec![keys.app.key_id(&keys.key).await.to_string()];
    for second in 1..7 {
        keys.app = keys.app.at(now() + TimeDelta::seconds(second));
        made.push(keys.other(&[Scope::OrgRead]).await.0);
    }
    (keys, made)
}

#[actix_web::test]
async fn keys_are_listed_newest_first_with_their_count() {
    let (keys, mut made) = seven_keys().await;
    made.reverse();
    let page = keys.list("").await;
    assert_eq!(ids(&page), made);
    let meta = json!({"total": 7, "limit": 50, "offset": 0, "next_cursor": null});
    assert_eq!(page.json()["meta"], meta);
    let shown = keys.get(&made[0]).await.json()["data"].take();
    assert_eq!(page.json()["data"][0], shown);
    assert!(shown.get("plaintext").is_none());
}

#[actix_web::test]
async fn pages_follow_each_other_to_the_end() {
    let (keys, mut made) = seven_keys().await;
    made.reverse();
    for limit in 1..9 {
        let pages = pages(&keys, &format!("limit={limit}")).await;
        let seen: Vec<String> = pages.iter().flat_map(|(ids, _)| ids.clone()).collect();
        assert_eq!(seen, made, "{limit}");
        let mut offset = 0;
        for (ids, meta) in &pages {
            assert_eq!((&meta["total"], &meta["limit"]), (&json!(7), &json!(limit)));
            assert_eq!(meta["offset"], offset, "{limit}");
            offset += ids.len();
        }
        assert_eq!(pages.len(), 7_usize.div_ceil(limit));
    }
}

#[actix_web::test]
async fn keys_created_at_the_same_time_have_a_fixed_order() {
    let keys = Keys::new().await;
    let mut made = BTreeSet::from([keys.app.key_id(&keys.key).await.to_string()]);
    for _ in 0..5 {
        made.insert(keys.other(&[Scope::OrgRead]).await.0);
    }
    let pages = pages(&keys, "limit=1").await;
    let seen: Vec<String> = pages.into_iter().flat_map(|(ids, _)| ids).collect();
    assert_eq!(seen, made.into_iter().rev().collect::<Vec<_>>());
}

#[actix_web::test]
async fn concurrent_creation_and_revocation_do_not_shift_pages() {
    let (keys, mut made) = seven_keys().await;
    made.reverse();
    let first = keys.list("limit=3").await;
    assert_eq!(ids(&first), made[..3]);
    for _ in 0..4 {
        keys.other(&[Scope::OrgRead]).await;
    }
    assert_eq!(keys.delete(&made[4]).await.status, 204);
    let next = first.text("/meta/next_cursor");
    let second = keys.list(&format!("limit=10&cursor={next}")).await;
    assert_eq!(ids(&second), made[3..]);
    let meta = json!({"total": 11, "limit": 10, "offset": 7, "next_cursor": null});
    assert_eq!(second.json()["meta"], meta);
}

#[actix_web::test]
async fn revoked_keys_are_listed_unless_the_filter_excludes_them() {
    let (keys, made) = seven_keys().await;
    for id in &made[1..4] {
        assert_eq!(keys.delete(id).await.status, 204);
    }
    let rows = [
        ("", 7),
        ("include_revoked=true", 7),
        ("include_revoked=false", 4),
    ];
    for (query, count) in rows {
        let page = keys.list(query).await;
        assert_eq!(ids(&page).len(), count, "{query}");
        assert_eq!(page.json()["meta"]["total"], count, "{query}");
    }
    let pages = pages(&keys, "include_revoked=false&limit=2").await;
    let seen: Vec<String> = pages.iter().flat_map(|(ids, _)| ids.clone()).collect();
    let valid = [&made[6], &made[5], &made[4], &made[0]].map(String::clone);
    assert_eq!(seen, valid);
    assert_eq!(pages[1].1["offset"], 2);
}

#[actix_web::test]
async fn keys_of_other_organizations_are_neither_listed_nor_counted() {
    let keys = Keys::new().await;
    let other = keys.app.organization(OrganizationKind::Commercial).await.id;
    for _ in 0..3 {
        keys.app.api_key_of(&other, &[Scope::OrgRead]).await;
    }
    let page = keys.list("").await;
    assert_eq!(ids(&page).len(), 1);
    assert_eq!(page.json()["meta"]["total"], 1);
}

#[actix_web::test]
async fn all_invalid_parameters_are_reported_at_once() {
    let keys = Keys::new().await;
    let range = "must be between 1 and 100";
    let rows = [
        ("limit=0", json!({ "limit": range })),
        ("limit=101", json!({ "limit": range })),
        ("limit=-1", json!({ "limit": range })),
        ("limit=99999999999999999999", json!({ "limit": range })),
        ("limit=", json!({ "limit": "must be an integer" })),
        ("limit=1.0", json!({ "limit": "must be an integer" })),
        (
            "limit=1&limit=1",
            json!({ "limit": "must not be given more than once" }),
        ),
        (
            "include_revoked=yes&limit=x",
            json!({ "include_revoked": "must be true or false", "limit": "must be an integer" }),
        ),
        (
            "cursor=",
            json!({ "cursor": "must be at least 1 character" }),
        ),
    ];
    for (query, details) in rows {
        assert_invalid(&keys.list(query).await, &details, query);
    }
    let long = format!("cursor={}", "A".repeat(513));
    let details = json!({ "cursor": "must be at most 512 characters" });
    assert_invalid(&keys.list(&long).await, &details, "long");
    for query in ["unknown=1", "Limit=0", "limit=1&x[]=%ff", "&&="] {
        assert_eq!(keys.list(query).await.status, 200, "{query} is ignored");
    }
}

/// Goal: the list refuses cursors that it did not issue. Method: change each character of a valid
/// cursor, and use cursors of other lists, filters and organizations.
#[actix_web::test]
async fn a_cursor_that_this_list_did_not_issue_is_refused() {
    let (keys, _) = seven_keys().await;
    let details = json!({ "cursor": "is not a cursor of this list with these filters" });
    let cursor = keys.list("limit=2").await.text("/meta/next_cursor");
    for at in 0..cursor.len() {
        let other = if &cursor[at..=at] == "A" { "B" } else { "A" };
        let changed = format!("{}{other}{}", &cursor[..at], &cursor[at + 1..]);
        let response = keys.list(&format!("cursor={changed}")).await;
        assert_invalid(&response, &details, &changed);
    }
    for wrong in [
        "x".to_owned(),
        "%00".to_owned(),
        "%F0%9F%98%80".to_owned(),
        cursor[1..].to_owned(),
        cursor[..cursor.len() - 1].to_owned(),
        format!("{cursor}="),
        format!("{cursor}%0A"),
        cursor.to_lowercase(),
    ] {
        let response = keys.list(&format!("cursor={wrong}")).await;
        assert_invalid(&response, &details, &wrong);
    }
    let filtered = format!("include_revoked=false&cursor={cursor}");
    assert_invalid(&keys.list(&filtered).await, &details, "another filter");
    let of_log = {
        let key = keys.app.api_key(&[Scope::AuditRead]).await;
        let page = keys.app.get("/v1/audit-log?limit=1", &key).await;
        page.text("/meta/next_cursor")
    };
    let response = keys.list(&format!("cursor={of_log}")).await;
    assert_invalid(&response, &details, "of the audit log");
    let other = keys.app.organization(OrganizationKind::Commercial).await.id;
    let key = keys.app.api_key_of(&other, &[Scope::ApiKeysRead]).await;
    let theirs = Keys { key, ..keys };
    let response = theirs.list(&format!("cursor={cursor}")).await;
    assert_invalid(&response, &details, "of another organization");
}

#[actix_web::test]
async fn a_cursor_is_valid_on_every_server_of_the_database_with_any_limit() {
    let (keys, mut made) = seven_keys().await;
    made.reverse();
    let cursor = keys.list("limit=2").await.text("/meta/next_cursor");
    let db = quietline::db::Db::open(&keys.app.database.url(), 1).expect("the same database");
    let Keys { app, key } = keys;
    let page = quietline::app::api_key::page(
        &db,
        superadmin_of(&app.org_id).access,
        quietline::app::api_key::KeyQuery {
            cursor: Some(cursor.clone()),
            limit: 3,
            include_revoked: true,
        },
    );
    let page = page.await.expect("a page");
    let seen: Vec<String> = page.keys.iter().map(|key| key.id.to_string()).collect();
    assert_eq!(seen, made[2..5]);
    let keys = Keys { app, key };
    let page = keys.list(&format!("limit=100&cursor={cursor}")).await;
    assert_eq!(ids(&page), made[2..]);
}

#[actix_web::test]
async fn a_key_without_the_scope_gets_403_for_every_query() {
    let keys = Keys::with(&[Scope::ApiKeysWrite, Scope::AuditRead]).await;
    for query in ["", "limit=0", "cursor=x"] {
        assert_error(&keys.list(query).await, 403, "FORBIDDEN", query);
    }
}

#[actix_web::test]
async fn a_list_counts_10_000_keys_at_most() {
    let keys = Keys::new().await;
    keys.add_unused(9_998);
    let total = async || keys.list("limit=1").await.json()["meta"]["total"].clone();
    assert_eq!(total().await, 9_999);
    keys.add_unused(2);
    assert_eq!(total().await, 10_000, "10,001 keys");
    let first = keys.list("limit=2").await.json();
    let cursor = first["meta"]["next_cursor"].as_str().unwrap();
    let second = keys.list(&format!("limit=2&cursor={cursor}")).await;
    assert_eq!(second.json()["meta"]["offset"], 2);
}
