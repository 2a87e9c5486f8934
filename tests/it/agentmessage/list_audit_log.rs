//! GET /v1/audit-log: complete pages, newest first, of one organization's entries only.

use chrono::{SubsecRound, TimeDelta};
use quietline::domain::actor::Role;
use quietline::domain::organization::OrganizationKind;
use quietline::domain::scope::Scope;
use quietline_api_runtime::Timestamp;
use serde_json::{Value, json};

use super::admin::{assert_error, assert_invalid};
use super::api_key::{INVALID_IDS, Keys};
use crate::support::TestApp;
use crate::support::app::now;
use crate::support::response::Response;

const PATH: &str = "/v1/audit-log";

const SCOPES: [Scope; 5] = [
    Scope::OrgRead,
    Scope::OrgAdminWrite,
    Scope::ApiKeysRead,
    Scope::ApiKeysWrite,
    Scope::AuditRead,
];

/// Organization with one change per second, and a key with all scopes.
struct Log {
    keys: Keys,
    key_id: String,
}

impl Log {
    /// Makes these changes. 0 s: the command line creates the organization and the key. 1 s:
    /// retention. 2 s: name and reseller mode in one request. 3 s: an administrator changes the
    /// missed-call message. 4 s: platform staff does the same. 5 s: the key creates another key.
    async fn new() -> Self {
        let mut keys = Keys::with(&SCOPES).await;
        let key_id = keys.app.key_id(&keys.key).await.to_string();
        keys = later(keys, 1);
        change(&keys, json!({"message_retention_days": 90})).await;
        keys = later(keys, 2);
        change(&keys, json!({"name": "Other", "is_reseller": true})).await;
        keys = later(keys, 3);
        let admin = keys.app.jwt(Role::Admin);
        put(&keys.app, &admin, "One").await;
        keys = later(keys, 4);
        let staff = keys.app.jwt(Role::Superadmin);
        put(&keys.app, &staff, "Two").await;
        keys = later(keys, 5);
        keys.created("New").await;
        Self { keys, key_id }
    }

    async fn get(&self, query: &str) -> Response {
        self.keys
            .send(actix_web::http::Method::GET, &format!("{PATH}?{query}"))
            .await
    }

    /// Returns the actions on all pages.
    async fn actions(&self, query: &str) -> Vec<String> {
        let mut actions = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("{query}{cursor}")).await;
            assert_eq!(page.status, 200, "{query}{cursor}: {page:?}");
            let json = page.json();
            let data = json["data"].as_array().expect("a list").iter();
            actions.extend(data.map(|entry| entry["action"].as_str().expect("text").to_owned()));
            match json["meta"]["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return actions,
            }
        }
    }
}

fn later(keys: Keys, seconds: i64) -> Keys {
    Keys {
        app: keys.app.at(now() + TimeDelta::seconds(seconds)),
        ..keys
    }
}

async fn change(keys: &Keys, body: Value) {
    assert_eq!(keys.app.patch(&keys.key, body).await.status, 200);
}

async fn put(app: &TestApp, token: &str, message: &str) {
    let body = json!({ "missedCallMessage": message });
    assert_eq!(app.put(token, body).await.status, 200);
}

/// Actions of [`Log::new`], newest first.
const ALL: [&str; 8] = [
    "api_key.create",
    "missed_call_message.update",
    "missed_call_message.update",
    "reseller.update",
    "organization.update",
    "retention.update",
    "api_key.create",
    "organization.create",
];

/// Actions of [`Log::new`] on the organization, newest first.
const OF_ORGANIZATION: [&str; 6] = [ALL[1], ALL[2], ALL[3], ALL[4], ALL[5], ALL[7]];

#[actix_web::test]
async fn entries_are_listed_newest_first_and_without_their_payload() {
    let log = Log::new().await;
    let page = log.get("").await;
    let json = page.json();
    assert_eq!(json["meta"], json!({ "limit": 50, "next_cursor": null }));
    let data = json["data"].as_array().unwrap();
    let actions: Vec<&str> = data.iter().map(|e| e["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ALL);
    let stored = log.keys.app.whole_audit().await;
    for (shown, stored) in data.iter().rev().zip(&stored) {
        let expected = json!({
            "id": stored.id,
            "occurred_at": Timestamp(stored.occurred_at.and_utc()),
            "actor": { "kind": stored.actor.kind, "label": stored.actor.label },
            "action": stored.action,
            "resource": { "type": stored.resource_type, "id": stored.resource_id },
            "reason": null,
            "request_id": stored.request_id,
        });
        assert_eq!(*shown, expected);
    }
}

#[actix_web::test]
async fn keys_and_users_are_named_and_platform_staff_appears_as_the_platform() {
    let log = Log::new().await;
    let json = log.get("").await.json();
    let actors: Vec<&Value> = json["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["actor"])
        .collect();
    let label = format!("api_key:{} (test)", log.key_id);
    let key = json!({ "kind": "customer", "label": label });
    let admin = json!({ "kind": "customer", "label": "user:user-1 (ADMIN)" });
    let platform = json!({ "kind": "platform", "label": "platform" });
    assert_eq!(
        actors,
        [
            &key, &platform, &admin, &key, &key, &key, &platform, &platform
        ]
    );
    for identity in ["user:user-1\"", "command-line", "identity"] {
        assert!(!json.to_string().contains(identity), "{identity}");
    }
}

#[actix_web::test]
async fn the_payload_has_the_changed_fields_if_requested() {
    let log = Log::new().await;
    let json = log.get("include=payload").await.json();
    let payloads: Vec<&Value> = json["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["payload"])
        .collect();
    assert_eq!(payloads.len(), ALL.len());
    let expected = json!({
        "before": { "message_retention_days": 60 },
        "after": { "message_retention_days": 90 },
    });
    assert_eq!(*payloads[5], expected);
    let expected = json!({ "before": { "is_reseller": false }, "after": { "is_reseller": true } });
    assert_eq!(*payloads[3], expected);
    assert_eq!(payloads[0]["after"]["label"], "New");
    assert_eq!(payloads[0]["before"], json!({}));
}

#[actix_web::test]
async fn the_attestation_is_in_the_payload_of_its_change() {
    let keys = Keys::with(&SCOPES).await;
    let off = json!({"auto_replies": {"enabled": false, "attestation": "We answer 😀."}});
    change(&keys, off).await;
    let query = format!("{PATH}?include=payload&action=auto_replies.update");
    let page = keys.app.get(&query, &keys.key).await.json();
    let expected = json!({
        "before": { "enabled": true },
        "after": { "enabled": false, "attestation": "We answer 😀." },
    });
    assert_eq!(page["data"][0]["payload"], expected);
}

#[actix_web::test]
async fn each_filter_returns_exactly_the_matching_entries() {
    let log = Log::new().await;
    let org_id = log.keys.app.org_id.to_string();
    let rows: Vec<(String, &[&str])> = vec![
        ("action=retention.update".to_owned(), &ALL[5..6]),
        ("action=missed_call_message.update".to_owned(), &ALL[1..3]),
        ("action=retention".to_owned(), &[]),
        ("action=RETENTION.UPDATE".to_owned(), &[]),
        ("action=%25".to_owned(), &[]),
        ("resource_type=organization".to_owned(), &OF_ORGANIZATION),
        ("resource_type=user".to_owned(), &[]),
        (format!("resource_id={org_id}"), &OF_ORGANIZATION),
        (format!("resource_id={}", log.key_id), &ALL[6..7]),
        (format!("resource_id={}", &org_id[1..]), &[]),
        (
            "actor_kind=customer&limit=2".to_owned(),
            &[
                "api_key.create",
                "missed_call_message.update",
                "reseller.update",
                "organization.update",
                "retention.update",
            ],
        ),
        ("actor_kind=platform".to_owned(), &[ALL[2], ALL[6], ALL[7]]),
    ];
    for (query, actions) in rows {
        assert_eq!(log.actions(&query).await, actions, "{query}");
    }
}

#[actix_web::test]
async fn since_is_inclusive_and_until_is_exclusive() {
    let log = Log::new().await;
    let rows = [
        ("since=2026-01-04T12:00:00Z", 0, 8),
        ("since=2026-01-04T12:00:02Z", 0, 5),
        ("since=2026-01-04T12:00:02.000000001Z", 0, 3),
        ("since=2026-01-04T13:00:05%2B01:00", 0, 1),
        ("since=2026-01-04T12:00:05.001Z", 0, 0),
        ("until=2026-01-04T12:00:05Z", 1, 8),
        ("until=2026-01-04T12:00:05.000000001Z", 0, 8),
        ("until=2026-01-04t11:00:02-01:00", 5, 8),
        ("until=2026-01-04T12:00:00z", 8, 8),
        (
            "since=2026-01-04T12:00:02Z&until=2026-01-04T12:00:04Z",
            2,
            5,
        ),
        (
            "since=2026-01-04T12:00:04Z&until=2026-01-04T12:00:02Z",
            0,
            0,
        ),
        ("since=0000-01-01T00:00:00%2B23:59", 0, 8),
        ("until=0000-01-01T00:00:00%2B23:59", 0, 0),
        ("since=9999-12-31T23:59:59-23:59", 0, 0),
        ("until=9999-12-31T23:59:59.999999999-23:59", 0, 8),
        ("until=2026-01-04T23:59:60Z", 0, 8),
    ];
    for (query, from, to) in rows {
        assert_eq!(log.actions(query).await, ALL[from..to], "{query}");
    }
}

#[actix_web::test]
async fn filters_combine_and_apply_to_every_page() {
    let log = Log::new().await;
    let org_id = log.keys.app.org_id.to_string();
    let all = format!(
        "action=missed_call_message.update&resource_type=organization&resource_id={org_id}\
         &actor_kind=platform&since=2026-01-04T12:00:01Z&until=2026-01-04T12:00:05Z"
    );
    assert_eq!(log.actions(&all).await, ["missed_call_message.update"]);
    let none = all
        .replace("platform", "customer")
        .replace("12:00:01", "12:00:04");
    assert_eq!(log.actions(&none).await, Vec::<String>::new());
    let some = "actor_kind=customer&resource_type=organization&until=2026-01-04T12:00:03Z";
    for limit in 1..5 {
        let actions = log.actions(&format!("{some}&limit={limit}")).await;
        assert_eq!(actions, ALL[3..6], "{limit}");
    }
}

/// Copies the first entry to the end, one copy per second, until the log has `length` entries.
fn lengthen(log: &Log, length: i64) {
    log.keys.app.database.execute(&format!(
        "INSERT INTO audit_log (org_id, seq, id, occurred_at, actor_kind, actor_label, \
         actor_identity, action, resource_type, resource_id, reason, request_id, payload, \
         previous_hash, hash) \
         WITH RECURSIVE numbers(n) AS (SELECT {} UNION ALL SELECT n + 1 FROM numbers \
         WHERE n < {length}) \
         SELECT org_id, n, id, $time:1798761600000000, actor_kind, actor_label, actor_identity, \
         'filler', resource_type, resource_id, reason, request_id, payload, previous_hash, hash \
         FROM audit_log, numbers WHERE seq = 1",
        ALL.len() + 1
    ));
}

#[actix_web::test]
async fn a_page_scans_at_most_ten_thousand_entries_and_has_a_next_cursor() {
    let log = Log::new().await;
    lengthen(&log, 20_003);
    let page = log.get("action=retention.update").await.json();
    assert_eq!(page["data"], json!([]));
    assert!(page["meta"]["next_cursor"].is_string(), "{page}");
    assert_eq!(
        log.actions("action=retention.update").await,
        ["retention.update"]
    );
    let full = log.get("action=filler&limit=200").await.json();
    assert_eq!(full["data"].as_array().unwrap().len(), 200);
}

#[actix_web::test]
async fn a_time_filter_does_not_scan_a_long_log() {
    let log = Log::new().await;
    lengthen(&log, 30_000);
    let until = "until=2027-01-01T00:00:00Z";
    let old = log.get(until).await.json();
    assert_eq!(old["data"].as_array().unwrap().len(), ALL.len());
    assert_eq!(old["meta"]["next_cursor"], Value::Null);
    assert_eq!(log.actions(until).await, ALL);
    let none = log.get("since=2027-01-01T00:00:00.001Z").await.json();
    assert_eq!(none["data"], json!([]));
    assert_eq!(none["meta"]["next_cursor"], Value::Null);
    let newest = log.get("since=2027-01-01T00:00:00Z&limit=1").await.json();
    assert_eq!(newest["data"][0]["action"], "filler");
}

#[actix_web::test]
async fn concurrent_entries_do_not_shift_pages() {
    let log = Log::new().await;
    for limit in 1..9 {
        let first = log.get(&format!("limit={limit}")).await.json();
        let count = first["data"].as_array().unwrap().len();
        let Some(next) = first["meta"]["next_cursor"].as_str() else {
            continue;
        };
        let before = log.get(&format!("limit=200&cursor={next}")).await.json();
        let days = 100 + limit;
        change(&log.keys, json!({"message_retention_days": days})).await;
        let after = log.get(&format!("limit=200&cursor={next}")).await.json();
        assert_eq!(before["data"], after["data"], "{limit}");
        assert_eq!(count, limit);
    }
}

#[actix_web::test]
async fn all_invalid_parameters_are_reported_at_once() {
    let log = Log::new().await;
    let date = "must be an RFC 3339 date-time";
    let range = "must be between 1 and 200";
    let rows = [
        ("limit=0", json!({ "limit": range })),
        ("limit=201", json!({ "limit": range })),
        ("limit=ten", json!({ "limit": "must be an integer" })),
        (
            "include=all",
            json!({ "include": "must be one of: payload" }),
        ),
        ("include=", json!({ "include": "must be one of: payload" })),
        (
            "include=Payload",
            json!({ "include": "must be one of: payload" }),
        ),
        (
            "include=payload&include=payload",
            json!({ "include": "must not be given more than once" }),
        ),
        (
            "actor_kind=user",
            json!({ "actor_kind": "must be one of: customer, platform" }),
        ),
        (
            "action=",
            json!({ "action": "must be at least 1 character" }),
        ),
        ("action=a%00b", json!({ "action": "must not contain NUL" })),
        (
            "resource_type=%00",
            json!({ "resource_type": "must not contain NUL" }),
        ),
        (
            "resource_id=%00",
            json!({ "resource_id": "must not contain NUL" }),
        ),
        (
            "since=today&until=2026-01-04&limit=0",
            json!({ "since": date, "until": date, "limit": range }),
        ),
    ];
    for (query, details) in rows {
        assert_invalid(&log.get(query).await, &details, query);
    }
    for moment in [
        "2026-01-04T12:00:00",
        "2026-01-04%2012:00:00Z",
        "2026-01-04T12:00:00+01:00",
        "2026-02-30T12:00:00Z",
        "2026-01-04T24:00:00Z",
        "20260104T120000Z",
        "%2B12026-01-04T12:00:00Z",
        "-0001-01-04T12:00:00Z",
        "2026-01-04T12:00:00Z%0A",
        "",
    ] {
        let response = log.get(&format!("since={moment}")).await;
        assert_invalid(&response, &json!({ "since": date }), moment);
    }
    assert_eq!(log.get("unknown=1&Action=x").await.status, 200, "ignored");
}

#[actix_web::test]
async fn a_cursor_that_this_list_did_not_issue_is_refused() {
    let log = Log::new().await;
    let details = json!({ "cursor": "is not a cursor of this list with these filters" });
    let cursor = log.get("limit=2").await.text("/meta/next_cursor");
    for at in 0..cursor.len() {
        let other = if &cursor[at..=at] == "A" { "B" } else { "A" };
        let changed = format!("{}{other}{}", &cursor[..at], &cursor[at + 1..]);
        let response = log.get(&format!("cursor={changed}")).await;
        assert_invalid(&response, &details, &changed);
    }
    for filter in [
        "action=api_key.create",
        "resource_type=api_key",
        "resource_id=x",
        "actor_kind=customer",
        "since=2026-01-04T12:00:00Z",
        "until=2026-01-04T12:00:00Z",
    ] {
        let response = log.get(&format!("{filter}&cursor={cursor}")).await;
        assert_invalid(&response, &details, filter);
    }
    let of_keys = log.keys.list("limit=1").await.text("/meta/next_cursor");
    let response = log.get(&format!("cursor={of_keys}")).await;
    assert_invalid(&response, &details, "of the list of keys");
    for text in INVALID_IDS {
        let response = log.get(&format!("cursor={text}")).await;
        assert_invalid(&response, &details, text);
    }
    let query = format!("limit=3&include=payload&cursor={cursor}");
    assert_eq!(
        log.get(&query).await.status,
        200,
        "limit and include may differ"
    );
}

#[actix_web::test]
async fn a_cursor_accepts_its_time_bound_in_another_spelling() {
    let log = Log::new().await;
    let first = log.get("limit=1&until=2026-01-04T12:00:05Z").await;
    let cursor = first.text("/meta/next_cursor");
    let same = "until=2026-01-04T13:00:04.999999999%2B01:00";
    let page = log.get(&format!("limit=1&{same}&cursor={cursor}")).await;
    assert_eq!(page.text("/data/0/action"), ALL[2]);
}

#[actix_web::test]
async fn entries_of_other_organizations_are_never_listed() {
    let log = Log::new().await;
    let app = &log.keys.app;
    let other = app.organization(OrganizationKind::Commercial).await.id;
    let key = app.api_key_of(&other, &SCOPES).await;
    let cursor = log.get("limit=1").await.text("/meta/next_cursor");
    let page = app.get(PATH, &key).await.json();
    assert_eq!(page["data"].as_array().unwrap().len(), 2, "its own");
    for query in [
        format!("resource_id={}", app.org_id),
        format!("resource_id={}", log.key_id),
        "action=retention.update".to_owned(),
    ] {
        let page = app.get(&format!("{PATH}?{query}"), &key).await.json();
        assert_eq!(page["data"], json!([]), "{query}");
    }
    let page = app.get(&format!("{PATH}?cursor={cursor}"), &key).await;
    assert_error(&page, 422, "VALIDATION_FAILED", "another one's cursor");
}

#[actix_web::test]
async fn a_key_without_the_scope_gets_403_for_every_filter() {
    let keys = Keys::new().await;
    for query in ["", "limit=0", "cursor=x", "include=payload"] {
        let response = keys.app.get(&format!("{PATH}?{query}"), &keys.key).await;
        assert_error(&response, 403, "FORBIDDEN", query);
    }
}

#[actix_web::test]
async fn times_are_shown_to_the_millisecond() {
    let keys = Keys::with(&SCOPES).await;
    let moment = now() + TimeDelta::milliseconds(1_050);
    let keys = Keys {
        app: keys.app.at(moment),
        ..keys
    };
    change(&keys, json!({"message_retention_days": 90})).await;
    let page = keys.app.get(PATH, &keys.key).await;
    assert_eq!(page.text("/data/0/occurred_at"), "2026-01-04T12:00:01.050Z");
    assert_eq!(moment.trunc_subsecs(3), moment);
}
