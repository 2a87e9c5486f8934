//! The same requests on SQLite and PostgreSQL. Goal: clients cannot tell the databases apart.
//! Method: a fixed list of requests, sent to both. Statuses, headers and bodies must be equal byte
//! for byte, except for random values: ids, keys and cursors.

use actix_web::http::Method;
use quietline::domain::actor::Role;
use quietline::domain::organization::OrganizationKind;
use quietline::domain::scope::Scope;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::database::TestDatabase;
use crate::support::response::Response;

/// Sender of a request.
#[derive(Debug, Clone, Copy)]
enum Caller {
    Key,
    Reader,
    Personal,
    Admin,
    Superadmin,
    Nobody,
}

/// Request with its caller, headers and body.
struct Request {
    method: Method,
    path: String,
    caller: Caller,
    headers: Vec<(&'static str, String)>,
    body: Option<Vec<u8>>,
}

const ORGANIZATION: &str = "/v1/organization";
const MESSAGE: &str = "/api/organizations/ORG/missed-call-message";

fn get(path: &str, caller: Caller) -> Request {
    Request {
        method: Method::GET,
        path: path.to_owned(),
        caller,
        headers: Vec::new(),
        body: None,
    }
}

fn raw(path: &str, caller: Caller, body: impl Into<Vec<u8>>) -> Request {
    let method = if path == ORGANIZATION {
        Method::PATCH
    } else {
        Method::PUT
    };
    let headers = vec![("Content-Type", "application/json".to_owned())];
    Request {
        method,
        path: path.to_owned(),
        caller,
        headers,
        body: Some(body.into()),
    }
}

fn patch(body: Value) -> Request {
    raw(ORGANIZATION, Caller::Key, body.to_string())
}

fn put(body: Value) -> Request {
    raw(MESSAGE, Caller::Admin, body.to_string())
}

fn with(mut request: Request, name: &'static str, value: &str) -> Request {
    request.headers.push((name, value.to_owned()));
    request
}

/// Texts that databases are known to treat differently.
fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "plain",
        "'; DROP TABLE organizations; --",
        "\\x00 \\ \\\\ %s $1 ?1 :name",
        "e\u{301} \u{e9} ǅ ß ﬁ İ ı",
        "\u{1F600}\u{200D}\u{1F525} \u{1F1E9}\u{1F1EA}",
        "\u{10FFFF}\u{FFFD}\u{FFFF}\u{E000}\u{FEFF}",
        "\u{200E}drow\u{FEFF}line\u{200F}",
        "שלום عالم 你好 こんにちは",
        " \u{a0}surrounded\u{3000} ",
        "0",
        "null",
        "1e3",
        "2026-01-04 12:00:00",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("\u{10FFFD}".repeat(200));
    texts
}

fn reads_and_refusals() -> Vec<Request> {
    vec![
        get("/healthz", Caller::Nobody),
        get("/readyz", Caller::Nobody),
        get("/", Caller::Nobody),
        get("/api/nothing", Caller::Admin),
        get(ORGANIZATION, Caller::Nobody),
        get(ORGANIZATION, Caller::Admin),
        get(ORGANIZATION, Caller::Key),
        get(ORGANIZATION, Caller::Personal),
        with(
            get(ORGANIZATION, Caller::Key),
            "If-None-Match",
            "\"2-TAIL\"",
        ),
        with(get(ORGANIZATION, Caller::Key), "If-None-Match", "*"),
        get(MESSAGE, Caller::Key),
        get(MESSAGE, Caller::Admin),
        get(MESSAGE, Caller::Superadmin),
        get(
            "/api/organizations/65f0c1d2e3a4b5c6d7e8f901/missed-call-message",
            Caller::Admin,
        ),
        get(
            "/api/organizations/65F0C1D2E3A4B5C6D7E8F901/missed-call-message",
            Caller::Admin,
        ),
        get(
            "/api/organizations/%F0%9F%98%80/missed-call-message",
            Caller::Superadmin,
        ),
        get(
            "/api/organizations/a%00b/missed-call-message",
            Caller::Superadmin,
        ),
        get(
            "/api/organizations/unknown/missed-call-message",
            Caller::Superadmin,
        ),
        raw(ORGANIZATION, Caller::Reader, "{}"),
        raw(MESSAGE, Caller::Nobody, "{}"),
    ]
}

fn structures() -> Vec<Request> {
    let bodies: [&[u8]; 12] = [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\"\xF0\x9F\x98\x80\"",
        b"{\"name\":\"\xFF\"}",
        b"{\"name\":\"\\ud800\"}",
        b"{\"name\":\"a\",\"name\":\"b\"}",
        b"{\"name\":\"a\\u0000b\",\"missedCallMessage\":\"a\\u0000b\"}",
        b"{\"message_retention_days\":1e400,\"missedCallMessage\":1e400}",
        b"{\"message_retention_days\":18446744073709551616,\"missedCallMessage\":{}}",
        b"{} x",
    ];
    let both = |body: &[u8]| {
        [
            raw(ORGANIZATION, Caller::Key, body),
            raw(MESSAGE, Caller::Admin, body),
        ]
    };
    let mut requests: Vec<Request> = bodies.into_iter().flat_map(both).collect();
    requests.extend(both("[".repeat(100).as_bytes()));
    requests.extend(both(&vec![b' '; 70_000]));
    requests
}

fn changes() -> Vec<Request> {
    let mut requests = vec![
        patch(json!({})),
        patch(json!({"message_retention_days": 365, "mms_retention_days": 30.0})),
        patch(json!({"message_retention_days": 366, "plan": "x", "nothing": 1, "name": null})),
        patch(json!({"billing_email": null})),
        patch(json!({"billing_email": "ünï@acme.example"})),
        patch(json!({"quiet_hours": {"enabled": true, "start": "00:00", "end": "23:59"}})),
        patch(json!({"quiet_hours": {"end": "00:00"}})),
        patch(json!({"is_reseller": true})),
        patch(json!({"is_reseller": false})),
        patch(json!({"auto_replies": {"enabled": false}})),
        patch(json!({"auto_replies": {"enabled": false, "attestation": "\u{10FFFF} we do"}})),
        patch(json!({"auto_replies": {"help_text": "😀".repeat(320)}})),
        patch(json!({"auto_replies": {"help_text": "😀".repeat(321), "stop_text": "\u{3000}"}})),
        raw(ORGANIZATION, Caller::Personal, r#"{"is_reseller":true}"#),
        with(
            patch(json!({"name": "Conditional"})),
            "If-Match",
            "\"1-TAIL\"",
        ),
        with(patch(json!({"name": "Conditional"})), "If-Match", "*"),
        put(json!({})),
        put(json!({"missedCallMessage": "\u{10FFFF}".repeat(500)})),
        put(json!({"missedCallMessage": "\u{10FFFF}".repeat(501)})),
        put(json!({"missedCallMessage": "a\0b", "missedCallAutoMessageEnabled": "true"})),
        put(json!({"missedCallMessage": "", "missedCallAutoMessageEnabled": true})),
    ];
    for text in texts() {
        requests.push(patch(
            json!({"name": text, "auto_replies": {"stop_text": text}}),
        ));
        requests.push(put(json!({"missedCallMessage": text})));
    }
    requests.push(get(ORGANIZATION, Caller::Key));
    requests.push(get(MESSAGE, Caller::Admin));
    requests
}

const KEYS: &str = "/v1/api-keys";
const LOG: &str = "/v1/audit-log";

fn post(body: Value) -> Request {
    Request {
        method: Method::POST,
        ..raw(KEYS, Caller::Key, body.to_string())
    }
}

/// Returns requests to send after [`changes`], so that the log has entries.
fn keys_and_log() -> Vec<Request> {
    let mut requests: Vec<Request> = texts()
        .into_iter()
        .take(8)
        .map(|text| post(json!({ "label": text, "scopes": ["org:read", "audit:read"] })))
        .collect();
    requests.extend([
        post(json!({"label": "\u{10FFFF}".repeat(100), "scopes": ["webhooks:write"]})),
        post(json!({"label": "\u{10FFFF}".repeat(101), "scopes": "x", "nothing": null})),
        post(json!({"label": "A", "scopes": ["org:read", "\u{10FFFF}"]})),
        post(json!({"label": "A", "scopes": ["org:admin:write"]})),
        get(KEYS, Caller::Reader),
    ]);
    for query in [
        "",
        "?limit=3",
        "?include_revoked=false",
        "?limit=0&include_revoked=1",
    ] {
        requests.push(get(&format!("{KEYS}{query}"), Caller::Key));
    }
    for query in [
        "?limit=200&include=payload",
        "?limit=200&action=organization.update",
        "?limit=200&actor_kind=platform",
        "?resource_type=organization&since=2026-01-04T12:00:00Z",
        "?resource_type=api_key&until=2026-01-04T12:00:00.000000001Z",
        "?until=2026-01-04T12:00:00Z",
        "?since=2026-01-04T12:00:00.0000001Z",
        "?since=0000-01-01T00:00:00%2B23:59&until=9999-12-31T23:59:59-23:59",
        "?action=%25&resource_id=%27%20OR%201=1",
        "?action=%F4%8F%BF%BF",
        "?action=%00&resource_id=%ff&limit=0&cursor=x",
        "?cursor=%F4%8F%BF%BF",
    ] {
        requests.push(get(&format!("{LOG}{query}"), Caller::Key));
    }
    for id in ["x", "0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3", "%00"] {
        requests.push(get(&format!("{KEYS}/{id}"), Caller::Key));
    }
    requests
}

/// Replaces the random values in `json`.
fn masked(json: &mut Value) {
    const BY_CHANCE: [&str; 7] = [
        "id",
        "prefix",
        "plaintext",
        "next_cursor",
        "request_id",
        "created_by",
        "hash_commitment",
    ];
    match json {
        Value::Object(fields) => {
            for (name, value) in fields {
                if BY_CHANCE.contains(&name.as_str()) && value.is_string() {
                    *value = json!("CHANCE");
                } else {
                    masked(value);
                }
                let actor = value
                    .as_str()
                    .and_then(|text| text.strip_prefix("api_key:"));
                if let Some((_id, label)) = actor.and_then(|text| text.split_once(' ')) {
                    *value = json!(label);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(masked),
        _ => {}
    }
}

/// Server on one database, with the credentials of every caller.
struct Side {
    app: TestApp,
    personal: String,
    tokens: [String; 5],
}

impl Side {
    async fn new(database: TestDatabase) -> Self {
        let app = TestApp::on(database).await;
        app.brand().await;
        let personal = app.organization(OrganizationKind::Personal).await.id;
        let all = [Scope::OrgRead, Scope::OrgAdminWrite];
        let tokens = [
            app.api_key(&[
                Scope::OrgRead,
                Scope::OrgAdminWrite,
                Scope::ApiKeysRead,
                Scope::ApiKeysWrite,
                Scope::AuditRead,
                Scope::WebhooksWrite,
            ])
            .await,
            app.api_key(&[Scope::OrgRead]).await,
            app.api_key_of(&personal, &all).await,
            app.jwt(Role::Admin),
            app.jwt_of(Role::Superadmin, None),
        ];
        Self {
            app,
            personal: personal.to_string(),
            tokens,
        }
    }

    async fn send(&self, request: &Request) -> Response {
        let path = request.path.replace("ORG", &self.app.org_id.to_string());
        let mut sent = self.app.request(request.method.clone(), &path);
        let caller = match request.caller {
            Caller::Key => Some(0),
            Caller::Reader => Some(1),
            Caller::Personal => Some(2),
            Caller::Admin => Some(3),
            Caller::Superadmin => Some(4),
            Caller::Nobody => None,
        };
        if let Some(caller) = caller {
            sent = sent.bearer(&self.tokens[caller]);
        }
        for (name, value) in &request.headers {
            sent = sent.header(
                name,
                &value.replace("TAIL", &self.app.org_id.tail().to_string()),
            );
        }
        if let Some(body) = &request.body {
            sent = sent.payload(body.clone());
        }
        sent.send().await
    }

    /// Returns a response without the ids of organizations and of the request.
    fn comparable(
        &self,
        request: &Request,
        response: &Response,
    ) -> (u16, Vec<(String, String)>, String) {
        let id = response.header("x-request-id");
        let neutral = |text: &str| {
            let (_, personal_tail) = self.personal.rsplit_once('-').unwrap();
            let text = text.replace(&self.app.org_id.to_string(), "ORG");
            text.replace(&self.personal, "PERSONAL")
                .replace(id, "REQUEST")
                .replace(&self.app.org_id.tail().to_string(), "TAIL")
                .replace(personal_tail, "PERSONAL-TAIL")
        };
        let text = |value: &[u8]| neutral(std::str::from_utf8(value).unwrap());
        let headers = response.headers.iter();
        let mut headers: Vec<(String, String)> = headers
            .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
            .collect();
        headers.sort();
        let mut body = text(&response.bytes);
        if request.path.starts_with(KEYS) || request.path.starts_with(LOG) {
            let mut json = serde_json::from_str(&body).unwrap();
            masked(&mut json);
            body = json.to_string();
        }
        (response.status, headers, body)
    }

    /// Returns the actions in the log, without ids.
    async fn recorded(&self) -> Vec<String> {
        let entries = self.app.audit().await;
        entries
            .into_iter()
            .map(|entry| format!("{} {}", entry.action, entry.payload))
            .collect()
    }
}

#[actix_web::test]
async fn the_same_requests_have_the_same_responses_on_both_databases() {
    let one = Side::new(TestDatabase::sqlite()).await;
    let other = Side::new(TestDatabase::create()).await;
    let requests = [
        reads_and_refusals(),
        structures(),
        changes(),
        keys_and_log(),
    ]
    .into_iter()
    .flatten();
    let mut statuses = Vec::new();
    for request in requests {
        let (of_one, of_other) = (one.send(&request).await, other.send(&request).await);
        let body = request
            .body
            .as_deref()
            .map(String::from_utf8_lossy)
            .unwrap_or_default();
        let body: String = body.chars().take(200).collect();
        let name = format!(
            "{} {} {:?} {body}",
            request.method, request.path, request.caller
        );
        assert_eq!(
            one.comparable(&request, &of_one),
            other.comparable(&request, &of_other),
            "{name}"
        );
        assert!(of_one.status < 500, "{name}: {of_one:?}");
        statuses.push(of_one.status);
    }
    statuses.sort_unstable();
    statuses.dedup();
    assert_eq!(
        statuses,
        [200, 201, 304, 400, 401, 403, 404, 412, 413, 422],
        "all kinds of responses occurred"
    );
    assert_eq!(one.recorded().await, other.recorded().await);
    assert_eq!(
        one.app.stored().await.settings,
        other.app.stored().await.settings
    );
}

#[actix_web::test]
async fn every_accepted_text_is_returned_unchanged() {
    for database in [TestDatabase::sqlite(), TestDatabase::create()] {
        let side = Side::new(database).await;
        let (key, token) = (&side.tokens[0], &side.tokens[3]);
        for text in texts() {
            let body = json!({"name": text, "auto_replies": {"stop_text": text}});
            let patched = side.app.patch(key, body).await;
            match patched.status {
                200 => {
                    assert_eq!(patched.text("/data/name"), text.trim());
                    assert_eq!(patched.text("/data/auto_replies/stop_text"), text);
                    let read = side.app.get(ORGANIZATION, key).await;
                    assert_eq!(read.json(), patched.json());
                }
                status => panic!("{text:?}: {status}"),
            }
            let put = side
                .app
                .put(token, json!({ "missedCallMessage": text }))
                .await;
            assert_eq!(put.text("/missedCallMessage"), text);
        }
    }
}
