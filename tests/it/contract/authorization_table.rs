//! Who may do what: every operation of both specs against every kind of credential, as one table.
//! Goal: an answer that is not written down here is a defect. Method: each credential of
//! `credentials` is shown to each operation, and a refusal must have its exact envelope and
//! change nothing.

use std::collections::BTreeSet;

use actix_web::http::Method;
use quietline::domain::actor::Role;
use quietline::domain::api_key::ApiKey;
use quietline::domain::audit::entry::AuditEntry;
use quietline::domain::organization::Organization;
use quietline::domain::scope::Scope;
use quietline_api::{agentmessage, tether_relay};
use quietline_api_runtime::Operation;
use serde_json::{Value, json};
use strum::VariantArray as _;

use super::credentials::{Credential, Server, World};
use crate::support::TestApp;
use crate::support::response::Response;
use crate::support::spec;

/// The columns of the table.
const OPERATIONS: [&str; 10] = [
    "getOrganization",
    "patchOrganization",
    "listApiKeys",
    "getApiKey",
    "createApiKey",
    "rotateApiKey",
    "deleteApiKey",
    "listAuditLog",
    "get_organizations_organizationId_missed_call_message",
    "put_organizations_organizationId_missed_call_message",
];

type Row = [u16; 10];

const NOBODY: Row = [401; 10];
/// A good key that allows nothing.
const KEY: Row = [403, 403, 403, 403, 403, 403, 403, 403, 401, 401];
/// A good token that allows nothing.
const TOKEN: Row = [401, 401, 401, 401, 401, 401, 401, 401, 403, 403];
/// A good token that allows the Tether operations.
const USER: Row = [401, 401, 401, 401, 401, 401, 401, 401, 200, 200];
/// A good token that may know that there is no such organization.
const NOWHERE: Row = [401, 401, 401, 401, 401, 401, 401, 401, 404, 404];
/// A good key that allows the AgentMessage operations.
const ALL: Row = [200, 200, 200, 200, 201, 201, 204, 200, 401, 401];
/// The same of another organization: it has no such key.
const ELSEWHERE: Row = [200, 200, 200, 404, 201, 404, 404, 200, 401, 401];

const TABLE: &[(&str, Row)] = &[
    ("no credential", NOBODY),
    ("empty header", NOBODY),
    ("scheme without a credential", NOBODY),
    ("scheme and spaces", NOBODY),
    ("another scheme", NOBODY),
    ("another scheme with a good key", NOBODY),
    ("another scheme with a good token", NOBODY),
    ("neither key nor token", NOBODY),
    ("two good keys", NOBODY),
    ("two good tokens", NOBODY),
    ("good key and good token", NOBODY),
    ("unknown key", NOBODY),
    ("revoked key", NOBODY),
    ("key cut short", NOBODY),
    ("key with a character more", NOBODY),
    ("key with a character exchanged", NOBODY),
    ("key of another prefix", NOBODY),
    ("key in capitals", NOBODY),
    ("every scope", ALL),
    ("every scope of another organization", ELSEWHERE),
    ("no scope", KEY),
    (
        "org:read",
        [200, 403, 403, 403, 403, 403, 403, 403, 401, 401],
    ),
    (
        "org:admin:write",
        [403, 200, 403, 403, 403, 403, 403, 403, 401, 401],
    ),
    (
        "apikeys:read",
        [403, 403, 200, 200, 403, 403, 403, 403, 401, 401],
    ),
    (
        "apikeys:write",
        [403, 403, 403, 403, 201, 201, 204, 403, 401, 401],
    ),
    (
        "audit:read",
        [403, 403, 403, 403, 403, 403, 403, 200, 401, 401],
    ),
    ("messages:send", KEY),
    ("messages:read", KEY),
    ("messages:erase", KEY),
    ("consent:read", KEY),
    ("consent:write", KEY),
    ("brands:read", KEY),
    ("brands:write", KEY),
    ("campaigns:read", KEY),
    ("campaigns:write", KEY),
    ("numbers:read", KEY),
    ("numbers:write", KEY),
    ("billing:read", KEY),
    ("billing:write", KEY),
    ("webhooks:read", KEY),
    ("webhooks:write", KEY),
    (
        "all but org:read",
        [403, 200, 200, 200, 201, 201, 204, 200, 401, 401],
    ),
    (
        "all but org:admin:write",
        [200, 403, 200, 200, 201, 201, 204, 200, 401, 401],
    ),
    (
        "all but apikeys:read",
        [200, 200, 403, 403, 201, 201, 204, 200, 401, 401],
    ),
    (
        "all but apikeys:write",
        [200, 200, 200, 200, 403, 403, 403, 200, 401, 401],
    ),
    (
        "all but audit:read",
        [200, 200, 200, 200, 201, 201, 204, 403, 401, 401],
    ),
    ("all but messages:send", ALL),
    ("all but messages:read", ALL),
    ("all but messages:erase", ALL),
    ("all but consent:read", ALL),
    ("all but consent:write", ALL),
    ("all but brands:read", ALL),
    ("all but brands:write", ALL),
    ("all but campaigns:read", ALL),
    ("all but campaigns:write", ALL),
    ("all but numbers:read", ALL),
    ("all but numbers:write", ALL),
    ("all but billing:read", ALL),
    ("all but billing:write", ALL),
    ("all but webhooks:read", ALL),
    ("all but webhooks:write", ALL),
    ("SALES_REP", TOKEN),
    ("DEPARTMENT_HEAD", TOKEN),
    ("ADMIN", USER),
    ("SUPERADMIN", USER),
    ("role in small letters", TOKEN),
    ("unknown role", TOKEN),
    ("good token", USER),
    ("expired", NOBODY),
    ("expired within the leeway", USER),
    ("expired long ago", NOBODY),
    ("not yet valid", NOBODY),
    ("not yet valid within the leeway", USER),
    ("without exp", NOBODY),
    ("exp in words", NOBODY),
    ("without sub", NOBODY),
    ("HS384", NOBODY),
    ("HS512", NOBODY),
    ("none", NOBODY),
    ("none in other letters", NOBODY),
    ("HS256 without a signature", NOBODY),
    ("wrong key", NOBODY),
    ("another token's signature", NOBODY),
    ("two of three parts", NOBODY),
    ("SALES_REP on own id", TOKEN),
    ("DEPARTMENT_HEAD on own id", TOKEN),
    ("ADMIN on own id", USER),
    ("SUPERADMIN on own id", USER),
    ("SALES_REP on own external id", TOKEN),
    ("DEPARTMENT_HEAD on own external id", TOKEN),
    ("ADMIN on own external id", USER),
    ("SUPERADMIN on own external id", USER),
    ("SALES_REP on another organization", TOKEN),
    ("DEPARTMENT_HEAD on another organization", TOKEN),
    ("ADMIN on another organization", TOKEN),
    ("SUPERADMIN on another organization", USER),
    ("SALES_REP on another organization's external id", TOKEN),
    (
        "DEPARTMENT_HEAD on another organization's external id",
        TOKEN,
    ),
    ("ADMIN on another organization's external id", TOKEN),
    ("SUPERADMIN on another organization's external id", USER),
    ("SALES_REP on an unknown id", TOKEN),
    ("DEPARTMENT_HEAD on an unknown id", TOKEN),
    ("ADMIN on an unknown id", TOKEN),
    ("SUPERADMIN on an unknown id", NOWHERE),
    ("SALES_REP on an unknown external id", TOKEN),
    ("DEPARTMENT_HEAD on an unknown external id", TOKEN),
    ("ADMIN on an unknown external id", TOKEN),
    ("SUPERADMIN on an unknown external id", NOWHERE),
    ("SALES_REP on an impossible id", TOKEN),
    ("DEPARTMENT_HEAD on an impossible id", TOKEN),
    ("ADMIN on an impossible id", TOKEN),
    ("SUPERADMIN on an impossible id", NOWHERE),
    ("ADMIN by external id", USER),
    ("ADMIN of another organization", TOKEN),
    ("ADMIN of an unknown organization", TOKEN),
    ("ADMIN of no organization", TOKEN),
    ("SUPERADMIN of no organization", USER),
    ("right issuer and audience", USER),
    ("audience in a list", USER),
    ("wrong issuer", NOBODY),
    ("without issuer", NOBODY),
    ("wrong audience", NOBODY),
    ("without audience", NOBODY),
    ("RS256", USER),
    ("ES256", USER),
    ("EdDSA", USER),
    ("RS256 of an unknown key", NOBODY),
    ("RS256 naming a key of another kind", NOBODY),
    ("RS384 by a key for RS256", NOBODY),
    ("PS256 by a key for RS256", NOBODY),
    ("a token that brings its own key", NOBODY),
    ("HS256 with the RSA public key", NOBODY),
    ("HS256 with the trimmed RSA public key", NOBODY),
    ("HS256 with the RSA modulus", NOBODY),
    ("HS256 with the secret of another server", NOBODY),
    ("none where public keys are wanted", NOBODY),
];

fn operations() -> impl Iterator<Item = &'static Operation> {
    let all = [
        agentmessage::api::operations::ALL,
        tether_relay::api::operations::ALL,
    ];
    all.into_iter().flatten().copied()
}

#[actix_web::test]
async fn every_operation_answers_every_credential_as_the_table_says() {
    let world = World::new().await;
    let credentials = world.credentials().await;
    let names: BTreeSet<&str> = credentials.iter().map(|one| one.name.as_str()).collect();
    let rows: BTreeSet<&str> = TABLE.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names.len(),
        credentials.len(),
        "each credential has a name of its own"
    );
    assert_eq!(rows.len(), TABLE.len(), "each credential has one row");
    assert_eq!(names, rows);
    let mut wrong = Vec::new();
    for credential in &credentials {
        let (_, row) = TABLE
            .iter()
            .find(|(name, _)| *name == credential.name)
            .unwrap();
        let app = world.app(credential.server);
        app.forget_issued_keys();
        for operation in operations() {
            let target = if operation.path.contains("{id}") {
                target(app).await
            } else {
                NO_KEY.to_owned()
            };
            let response = call(&world, credential, (operation, &target), None).await;
            if response.status != row[column(operation)] {
                wrong.push((credential.name.as_str(), operation.id, response.status));
            } else if response.status >= 400 {
                assert_envelope(operation, &response);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn column(operation: &Operation) -> usize {
    OPERATIONS
        .iter()
        .position(|id| *id == operation.id)
        .unwrap()
}

/// The id of a new key of the tests' organization, for the operations on one.
async fn target(app: &TestApp) -> String {
    let key = app.api_key(&[Scope::ApiKeysWrite]).await;
    app.key_id(&key).await.to_string()
}

/// All that a request could change.
async fn everything(app: &TestApp) -> (Organization, Vec<AuditEntry>, Vec<ApiKey>) {
    (
        app.stored().await,
        app.whole_audit().await,
        app.stored_keys().await,
    )
}

#[actix_web::test]
async fn a_refused_request_changes_nothing() {
    let world = World::new().await;
    let credentials = world.credentials().await;
    for (name, row) in TABLE {
        let credential = credentials.iter().find(|one| one.name == *name).unwrap();
        let app = world.app(credential.server);
        let target = target(app).await;
        let before = everything(app).await;
        for operation in operations() {
            if row[column(operation)] >= 400 {
                call(&world, credential, (operation, &target), None).await;
            }
        }
        assert_eq!(everything(app).await, before, "{name}");
    }
}

#[test]
fn the_table_has_a_column_for_every_operation_of_both_specs() {
    let ids: BTreeSet<&str> = operations().map(|operation| operation.id).collect();
    assert_eq!(ids, BTreeSet::from(OPERATIONS));
    let mut in_specs = BTreeSet::new();
    for spec in [&*spec::AGENT_MESSAGE, &*spec::TETHER] {
        let items = spec["paths"].as_object().unwrap().values();
        let found = items.flat_map(|item| item.as_object().unwrap().values());
        in_specs.extend(found.filter_map(|operation| operation["operationId"].as_str()));
    }
    assert_eq!(in_specs, ids);
}

#[test]
fn scopes_of_spec_and_program_are_the_same_and_every_demand_is_among_them() {
    let known: BTreeSet<&str> = Scope::VARIANTS
        .iter()
        .map(|scope| scope.into_str())
        .collect();
    let scheme = &spec::AGENT_MESSAGE["components"]["securitySchemes"]["bearerAuth"];
    let described = scheme["x-scopes"].as_object().unwrap();
    assert_eq!(
        described
            .keys()
            .map(String::as_str)
            .collect::<BTreeSet<_>>(),
        known
    );
    let roles: BTreeSet<&str> = Role::VARIANTS.iter().map(|role| role.into_str()).collect();
    for operation in operations() {
        assert_eq!(
            operation.scheme,
            Some("bearerAuth"),
            "{} asks for nothing",
            operation.id
        );
        assert!(
            operation.scopes.iter().all(|scope| known.contains(scope)),
            "{}",
            operation.id
        );
        let is_agent_message = operation.path.starts_with("/v1/");
        assert_eq!(
            is_agent_message,
            !operation.scopes.is_empty(),
            "{}",
            operation.id
        );
        let has_role = operation
            .minimum_role
            .is_some_and(|role| roles.contains(role));
        assert_eq!(is_agent_message, !has_role, "{}", operation.id);
    }
}

#[test]
fn what_the_program_demands_is_what_the_spec_says() {
    for operation in operations() {
        let spec = if operation.path.starts_with("/v1/") {
            &*spec::AGENT_MESSAGE
        } else {
            &*spec::TETHER
        };
        let method = operation.method.to_ascii_lowercase();
        let object = &spec["paths"][operation.path][method];
        let security = json!([{ "bearerAuth": operation.scopes }]);
        assert_eq!(object["security"], security, "{}", operation.id);
        assert_eq!(
            object["x-minimum-role"].as_str(),
            operation.minimum_role,
            "{}",
            operation.id
        );
    }
}

#[actix_web::test]
async fn the_credential_is_judged_before_the_body_is_looked_at() {
    let world = World::new().await;
    let credentials = world.credentials().await;
    let bodies = [
        ("application/json", "{"),
        ("application/json", "[]"),
        ("text/plain", "{}"),
    ];
    for (name, row) in TABLE {
        let credential = credentials.iter().find(|one| one.name == *name).unwrap();
        for operation in operations().filter(|operation| takes_body(operation)) {
            let column = column(operation);
            // An unknown organization is found out only after the body was read.
            if ![401, 403].contains(&row[column]) {
                continue;
            }
            for body in bodies {
                let called = (operation, NO_KEY);
                let response = call(&world, credential, called, Some(body)).await;
                assert_eq!(
                    response.status, row[column],
                    "{name}: {}: {body:?}",
                    operation.id
                );
            }
        }
    }
}

#[actix_web::test]
async fn a_key_of_another_organization_reads_and_changes_its_own_only() {
    let world = World::new().await;
    let credentials = world.credentials().await;
    let wanted = "every scope of another organization";
    let credential = credentials.iter().find(|one| one.name == wanted).unwrap();
    let app = world.app(Server::Plain);
    let target = target(app).await;
    let before = everything(app).await;
    for operation in agentmessage::api::operations::ALL {
        let response = call(&world, credential, (operation, &target), None).await;
        assert_eq!(response.status, ELSEWHERE[column(operation)]);
        let text = String::from_utf8(response.bytes.to_vec()).unwrap();
        assert!(!text.contains(&app.org_id.to_string()), "{text}");
    }
    assert_eq!(everything(app).await, before);
}

/// The id of a key that nobody has.
const NO_KEY: &str = "0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3";

fn takes_body(operation: &Operation) -> bool {
    matches!(operation.method, "PATCH" | "PUT" | "POST")
}

/// A body that would change something, if the operation reads one.
fn body_of(operation: &Operation) -> &'static str {
    match (operation.path.starts_with("/v1/"), operation.method) {
        (true, "POST") => r#"{"label": "New", "scopes": ["apikeys:write"]}"#,
        (true, _) => r#"{"message_retention_days": 90}"#,
        (false, _) => r#"{"missedCallMessage": "We will call you back."}"#,
    }
}

async fn call(
    world: &World,
    credential: &Credential,
    (operation, target): (&Operation, &str),
    body: Option<(&str, &str)>,
) -> Response {
    let path = operation
        .path
        .replace("{organizationId}", &credential.path_organization)
        .replace("{id}", target);
    assert!(
        !path.contains('{'),
        "{path} has a parameter that this table does not know"
    );
    let method: Method = operation.method.parse().unwrap();
    let mut request = world.app(credential.server).request(method, &path);
    for header in &credential.headers {
        request = request.header("Authorization", header);
    }
    if takes_body(operation) {
        let (content_type, body) = body.unwrap_or(("application/json", body_of(operation)));
        request = request.body(content_type, body.to_owned());
    }
    request.send().await
}

fn assert_envelope(operation: &Operation, response: &Response) {
    let expected = if operation.path.starts_with("/v1/") {
        agent_message_error(response)
    } else {
        tether_error(response.status)
    };
    assert_eq!(response.json(), expected, "{}", operation.id);
    let challenge = response
        .headers
        .get("www-authenticate")
        .map(|value| value.as_bytes());
    let expected = (response.status == 401).then_some(b"Bearer".as_slice());
    assert_eq!(challenge, expected, "{}", operation.id);
}

fn agent_message_error(response: &Response) -> Value {
    let (code, message) = match response.status {
        401 => ("UNAUTHORIZED", "authentication failed"),
        403 => ("FORBIDDEN", "missing required scope"),
        404 => ("NOT_FOUND", "not found"),
        status => panic!("{status} is no refusal of a credential"),
    };
    let request_id = response.header("x-request-id");
    json!({
        "success": false,
        "error": { "code": code, "message": message, "request_id": request_id },
    })
}

fn tether_error(status: u16) -> Value {
    match status {
        401 => json!({ "error": "Invalid or expired token" }),
        403 => json!({
            "error": "Forbidden",
            "details": "Requires the role ADMIN in this organization, or SUPERADMIN",
        }),
        404 => json!({
            "error": "Organization not found",
            "details": "No organization exists with the provided id",
        }),
        status => panic!("{status} is no refusal of a credential"),
    }
}
