//! Permissions of every kind of credential on every operation of both specs, as one table. Goal:
//! every response is written down here. Method: each credential of `credentials` calls each
//! operation. A refusal must have its exact envelope and change nothing.

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

/// Columns of the table.
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

const DENIED: Row = [401; 10];
/// Valid key without permissions.
const KEY: Row = [403, 403, 403, 403, 403, 403, 403, 403, 401, 401];
/// Valid token without permissions.
const TOKEN: Row = [401, 401, 401, 401, 401, 401, 401, 401, 403, 403];
/// Valid token that permits the Tether operations.
const USER: Row = [401, 401, 401, 401, 401, 401, 401, 401, 200, 200];
/// Valid token of a superadmin, for an unknown organization.
const NOWHERE: Row = [401, 401, 401, 401, 401, 401, 401, 401, 404, 404];
/// Valid key that permits the AgentMessage operations.
const ALL: Row = [200, 200, 200, 200, 201, 201, 204, 200, 401, 401];
/// Valid key of another organization, which does not have the key in the path.
const ELSEWHERE: Row = [200, 200, 200, 404, 201, 404, 404, 200, 401, 401];

const TABLE: &[(&str, Row)] = &[
    ("no credential", DENIED),
    ("empty header", DENIED),
    ("scheme without a credential", DENIED),
    ("scheme and spaces", DENIED),
    ("another scheme", DENIED),
    ("another scheme with a valid key", DENIED),
    ("another scheme with a valid token", DENIED),
    ("neither key nor token", DENIED),
    ("two valid keys", DENIED),
    ("two valid tokens", DENIED),
    ("valid key and valid token", DENIED),
    ("unknown key", DENIED),
    ("revoked key", DENIED),
    ("truncated key", DENIED),
    ("key with an extra character", DENIED),
    ("key with a changed character", DENIED),
    ("key of another prefix", DENIED),
    ("key in capitals", DENIED),
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
    ("role in lower case", TOKEN),
    ("unknown role", TOKEN),
    ("valid token", USER),
    ("expired", DENIED),
    ("expired within the leeway", USER),
    ("expired long ago", DENIED),
    ("not yet valid", DENIED),
    ("not yet valid within the leeway", USER),
    ("without exp", DENIED),
    ("exp as text", DENIED),
    ("without sub", DENIED),
    ("HS384", DENIED),
    ("HS512", DENIED),
    ("none", DENIED),
    ("none in mixed case", DENIED),
    ("HS256 without a signature", DENIED),
    ("wrong key", DENIED),
    ("another token's signature", DENIED),
    ("two of three parts", DENIED),
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
    ("wrong issuer", DENIED),
    ("without issuer", DENIED),
    ("wrong audience", DENIED),
    ("without audience", DENIED),
    ("RS256", USER),
    ("ES256", USER),
    ("EdDSA", USER),
    ("RS256 of an unknown key", DENIED),
    ("RS256 naming a key of another kind", DENIED),
    ("RS384 by a key for RS256", DENIED),
    ("PS256 by a key for RS256", DENIED),
    ("token with an embedded key", DENIED),
    ("HS256 with the RSA public key", DENIED),
    ("HS256 with the trimmed RSA public key", DENIED),
    ("HS256 with the RSA modulus", DENIED),
    ("HS256 with the secret of another server", DENIED),
    ("none on the server with public keys", DENIED),
];

fn operations() -> impl Iterator<Item = &'static Operation> {
    let all = [
        agentmessage::api::operations::ALL,
        tether_relay::api::operations::ALL,
    ];
    all.into_iter().flatten().copied()
}

#[actix_web::test]
async fn every_operation_responds_to_every_credential_as_in_the_table() {
    let world = World::new().await;
    let credentials = world.credentials().await;
    let names: BTreeSet<&str> = credentials.iter().map(|one| one.name.as_str()).collect();
    let rows: BTreeSet<&str> = TABLE.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names.len(),
        credentials.len(),
        "each credential has its own name"
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
                UNKNOWN_KEY_ID.to_owned()
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

/// Creates a key of the test organization, for operations on one key. Returns its id.
async fn target(app: &TestApp) -> String {
    let key = app.api_key(&[Scope::ApiKeysWrite]).await;
    app.key_id(&key).await.to_string()
}

/// Returns everything that a request could change.
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
fn spec_and_program_have_the_same_scopes_and_operations_require_no_others() {
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
            "{} requires no credential",
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
fn the_program_requires_the_scopes_and_roles_of_the_spec() {
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
async fn the_credential_is_checked_before_the_body() {
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
            // An unknown organization is found only after the body was read.
            if ![401, 403].contains(&row[column]) {
                continue;
            }
            for body in bodies {
                let called = (operation, UNKNOWN_KEY_ID);
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
async fn a_key_of_another_organization_reads_and_changes_only_its_own() {
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

/// Id without a key.
const UNKNOWN_KEY_ID: &str = "0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3";

fn takes_body(operation: &Operation) -> bool {
    matches!(operation.method, "PATCH" | "PUT" | "POST")
}

/// Returns a body that would change something, if the operation reads one.
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
        "{path} has an unknown parameter: add it here"
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
        status => panic!("unexpected status {status} for a refused credential"),
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
        status => panic!("unexpected status {status} for a refused credential"),
    }
}
