//! Checks of responses, and updates of the model from them. Every response is checked against
//! everything that the organization's own callers have received before.

use quietline_api_runtime::Operation;
use serde_json::{Value, json};

use super::calls::{Call, Target};
use super::tenant::{Key, MARK, NextPage, Request, Tenant, marker};
use crate::support::response::Response;
use crate::support::spec;

/// Number of cursors kept for an organization.
const PAGES: usize = 40;

/// Panics if the response reveals or did something that it must not.
pub fn check(own: &mut Tenant, call: &Call, response: &Response) {
    assert!(response.status < 500, "the server failed: {response:?}");
    if call.caller.is_revoked {
        assert_eq!(response.status, 401, "a revoked key was accepted");
    }
    if call.target == Target::Foreign {
        assert!(response.status >= 400, "not refused: {response:?}");
    }
    // The calls of an organization are sequential, so none of its own keys can be in use.
    assert_ne!(
        response.status, 409,
        "in use by another organization: {response:?}"
    );
    check_reuse(own, call, response);
    if response.status != 401 {
        use_key(own, call);
    }
    match (response.status, call.operation.id) {
        (400.., _) => {}
        (_, "createApiKey" | "rotateApiKey") => learn_of_key(own, call, response),
        (_, "deleteApiKey") => learn_of_deletion(own, call, response),
        (_, "patchOrganization") => learn_of_settings(own, call, response),
        (_, "put_organizations_organizationId_missed_call_message") => {
            learn_of_missed_call(own, call, response);
        }
        (_, "getOrganization") => compare_settings(own, response),
        (_, "get_organizations_organizationId_missed_call_message") => {
            assert_eq!(response.json(), own.missed_call);
        }
        (_, "getApiKey") => assert_eq!(response.text("/data/id"), call.key_id),
        (_, "listApiKeys") => check_keys(own, call, response),
        (_, "listAuditLog") => check_log(own, call, response),
        (_, unknown) => panic!("{unknown} has no check: add one"),
    }
    let headers = response.headers.iter();
    let headers = headers.map(|(_, value)| String::from_utf8_lossy(value.as_bytes()));
    let mut texts: Vec<_> = headers.collect();
    texts.push(String::from_utf8_lossy(&response.bytes));
    for text in texts {
        assert_eq!(of_others(own, &text), None, "{text}");
    }
}

/// Returns the first text in `text` that belongs to another organization: a marker, or an unknown
/// UUID.
pub fn of_others<'a>(own: &Tenant, text: &'a str) -> Option<&'a str> {
    let marker = marker(own.number);
    let mut marks = text
        .match_indices(MARK)
        .map(|(at, found)| text.get(at..at + found.len() + 2).unwrap_or(found));
    let foreign = marks.find(|found| !found.starts_with(&marker));
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let mut words = text.split(|letter| !is_part(letter));
    foreign.or_else(|| words.find(|word| is_uuid(word) && !own.ids.contains(*word)))
}

fn is_uuid(word: &str) -> bool {
    let has_hyphen = |place: &usize| word.as_bytes()[*place] == b'-';
    word.len() == 36 && [8, 13, 18, 23].iter().all(has_hyphen)
}

fn use_key(own: &mut Tenant, call: &Call) {
    let is_agent_message = call.operation.minimum_role.is_none();
    if let Some(key) = call.caller.key.filter(|_| is_agent_message) {
        own.keys[key].is_used = true;
    }
}

/// Asserts that a reused `Idempotency-Key` was used by this caller before.
fn check_reuse(own: &Tenant, call: &Call, response: &Response) {
    let text = String::from_utf8_lossy(&response.bytes);
    if response.status >= 400 && text.contains("was used with another request") {
        let key = call.header("Idempotency-Key").unwrap_or_default();
        let name = (call.caller.identity.clone(), key.to_owned());
        assert!(
            own.responses.contains_key(&name),
            "used by another caller: {text}"
        );
    }
}

/// Returns whether the response is replayed. Asserts that it is the response that this caller
/// received before, or shows the present organization if nothing was changed then.
fn is_replayed(own: &mut Tenant, call: &Call, response: &Response) -> bool {
    let is_replayed = response.headers.contains_key("idempotent-replayed");
    let Some(key) = call
        .header("Idempotency-Key")
        .filter(|_| is_replayable(call.operation))
    else {
        assert!(!is_replayed, "no key was sent: {response:?}");
        return false;
    };
    let mut body = response.json();
    if let Some(plaintext) = body.pointer_mut("/data/plaintext") {
        *plaintext = Value::Null;
    }
    let name = (call.caller.identity.clone(), key.to_owned());
    if !is_replayed {
        own.responses.insert(name, Some(body));
        return false;
    }
    match own.responses.get(&name) {
        Some(Some(first)) => assert_eq!(first, &body, "response of another caller"),
        Some(None) if call.operation.minimum_role.is_some() => assert_eq!(body, own.missed_call),
        Some(None) => compare_settings(own, response),
        None => panic!("response of another caller: {body}"),
    }
    true
}

fn is_replayable(operation: &Operation) -> bool {
    let spec = match operation.minimum_role {
        None => &spec::AGENT_MESSAGE,
        Some(_) => &spec::TETHER,
    };
    spec["paths"][operation.path][operation.method.to_ascii_lowercase()]["x-replayable"] == true
}

fn learn_of_request(own: &mut Tenant, call: &Call, response: &Response, has_changed: bool) {
    let request = Request {
        identity: call.caller.identity.clone(),
        has_changed,
    };
    let id = response.header("x-request-id").to_owned();
    own.requests.insert(id, request);
    if let Some(key) = call
        .header("Idempotency-Key")
        .filter(|_| !has_changed && is_replayable(call.operation))
    {
        let name = (call.caller.identity.clone(), key.to_owned());
        own.responses.insert(name, None);
    }
}

fn learn_of_key(own: &mut Tenant, call: &Call, response: &Response) {
    if is_replayed(own, call, response) {
        return;
    }
    let data = response.json()["data"].take();
    let scopes = data["scopes"].as_array().unwrap().iter();
    let key = Key {
        id: response.text("/data/id"),
        plaintext: response.text("/data/plaintext"),
        scopes: scopes
            .map(|scope| scope.as_str().unwrap().to_owned())
            .collect(),
        is_revoked: false,
        is_used: false,
    };
    assert!(!own.ids.contains(&key.id), "not a new key: {data}");
    own.record_key(key);
    if call.operation.id == "rotateApiKey" {
        let old = position_of(own, &call.key_id);
        own.keys[old].is_revoked = true;
        // The first key stays valid.
        let new = own.keys.len() - 1;
        own.keys.swap(old, new);
    }
    learn_of_request(own, call, response, true);
}

fn learn_of_deletion(own: &mut Tenant, call: &Call, response: &Response) {
    let key = position_of(own, &call.key_id);
    let has_changed = !own.keys[key].is_revoked;
    own.keys[key].is_revoked = true;
    learn_of_request(own, call, response, has_changed);
}

fn position_of(own: &Tenant, key_id: &str) -> usize {
    let place = own.keys.iter().position(|key| key.id == key_id);
    place.expect("a key of this organization")
}

fn learn_of_settings(own: &mut Tenant, call: &Call, response: &Response) {
    if is_replayed(own, call, response) {
        return;
    }
    let mut after = own.settings.clone();
    merge(&mut after, &sent(call));
    let has_changed = after != own.settings;
    own.settings = after;
    own.version += i64::from(has_changed);
    compare_settings(own, response);
    learn_of_request(own, call, response, has_changed);
}

fn learn_of_missed_call(own: &mut Tenant, call: &Call, response: &Response) {
    if is_replayed(own, call, response) {
        return;
    }
    let mut after = own.missed_call.clone();
    let sent = sent(call);
    for (name, value) in after.as_object_mut().unwrap() {
        match sent.get(name) {
            Some(text) if text == "" => *value = Value::Null,
            Some(sent) => *value = sent.clone(),
            None => {}
        }
    }
    let has_changed = after != own.missed_call;
    own.missed_call = after;
    own.version += i64::from(has_changed);
    assert_eq!(response.json(), own.missed_call);
    learn_of_request(own, call, response, has_changed);
}

fn sent(call: &Call) -> Value {
    let body = call.body.as_deref().expect("an update has a body");
    serde_json::from_str(body).expect("what was accepted is JSON")
}

fn merge(settings: &mut Value, changes: &Value) {
    for (name, change) in changes.as_object().expect("what was accepted is an object") {
        match change {
            _ if name == "attestation" => {}
            Value::Object(_) => merge(&mut settings[name], change),
            _ => settings[name] = change.clone(),
        }
    }
}

fn compare_settings(own: &Tenant, response: &Response) {
    let (_, tail) = own.id.rsplit_once('-').expect("a UUID");
    assert_eq!(
        response.header("etag"),
        format!("\"{}-{tail}\"", own.version)
    );
    if response.status == 304 {
        return;
    }
    let data = response.json()["data"].take();
    assert_eq!(data["id"], json!(own.id));
    for (name, expected) in own.settings.as_object().unwrap() {
        assert_eq!(&data[name], expected, "{name}");
    }
}

fn check_keys(own: &mut Tenant, call: &Call, response: &Response) {
    let has_revoked = !call.query.contains("include_revoked=false");
    let listed = own.keys.iter().filter(|key| has_revoked || !key.is_revoked);
    assert_eq!(response.json()["meta"]["total"], json!(listed.count()));
    remember_page(own, call, response);
}

fn check_log(own: &mut Tenant, call: &Call, response: &Response) {
    let body = response.json();
    let entries = body["data"].as_array().unwrap();
    if call.target == Target::ForeignFilter {
        assert!(entries.is_empty(), "{body}");
    }
    for entry in entries {
        let is_of_platform = entry["actor"]["kind"] == "platform";
        let request = entry["request_id"].as_str().unwrap();
        let is_known = is_of_platform || own.requests.contains_key(request);
        assert!(is_known, "not done by this organization: {entry}");
    }
    remember_page(own, call, response);
}

fn remember_page(own: &mut Tenant, call: &Call, response: &Response) {
    let next = response.json()["meta"]["next_cursor"].take();
    let Some(cursor) = next.as_str() else {
        return;
    };
    if own.pages.len() == PAGES {
        own.pages.remove(0);
    }
    own.pages.push(NextPage {
        operation: call.operation.id,
        query: call.query.clone(),
        cursor: cursor.to_owned(),
    });
}
