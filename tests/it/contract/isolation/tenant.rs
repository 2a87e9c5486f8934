//! Model of an organization, its credentials, and all that its own callers know. Responses and rows
//! are checked against it.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;

use quietline::auth::jwt::Claims;
use quietline::domain::actor::Role;
use quietline::domain::api_key::NewApiKey;
use quietline::domain::api_key::PlaintextApiKey;
use quietline::domain::billing_email::BillingEmail;
use quietline::domain::ids::{ExternalId, OrgId};
use quietline::domain::organization::{OrganizationKind, OrganizationName, Settings};
use quietline::domain::scope::Scope;
use quietline::operator::organization::NewOrganization;
use serde_json::{Value, json};
use strum::VariantArray as _;

use crate::support::TestApp;
use crate::support::app::now;

/// Number of organizations.
pub const ORGANIZATIONS: usize = 10;

/// Common prefix of all markers.
pub const MARK: &str = "quartz";

/// Longer than the clocks of any run advance.
const TOKEN_LIFETIME: Duration = Duration::from_secs(1_000 * 24 * 60 * 60);

/// Returns the text that all data of an organization contains, and no other data.
pub fn marker(number: usize) -> String {
    format!("{MARK}{number:02}")
}

/// API key, valid or revoked.
pub struct Key {
    pub id: String,
    pub plaintext: String,
    pub scopes: Vec<String>,
    pub is_revoked: bool,
    /// True after a request with this key was accepted.
    pub is_used: bool,
}

/// User with a token.
pub struct User {
    pub identity: String,
    pub token: String,
}

/// Next page of a list: the operation, its other parameters, and the cursor.
#[derive(Clone)]
pub struct NextPage {
    pub operation: &'static str,
    pub query: String,
    pub cursor: String,
}

/// Successful request that may have changed something.
pub struct Request {
    pub identity: String,
    pub has_changed: bool,
}

pub struct Tenant {
    pub number: usize,
    pub id: String,
    pub external_id: String,
    /// Every key of the organization so far. The first key is never deleted, so a valid key always
    /// exists.
    pub keys: Vec<Key>,
    pub users: Vec<User>,
    /// Settings after the last acknowledged PATCH /v1/organization.
    pub settings: Value,
    /// Settings after the last acknowledged PUT of the Tether dialect.
    pub missed_call: Value,
    pub version: i64,
    /// UUIDs that its callers may read.
    pub ids: HashSet<String>,
    /// Requests by request id.
    pub requests: HashMap<String, Request>,
    /// Replayable responses by identity and `Idempotency-Key`. `None` for a request that changed
    /// nothing.
    pub responses: HashMap<(String, String), Option<Value>>,
    pub pages: Vec<NextPage>,
}

/// Knowledge that callers of other organizations have found or guessed.
#[derive(Default)]
pub struct Known {
    pub key_ids: Vec<String>,
    pub pages: Vec<NextPage>,
}

/// Public data of every organization, as others see it.
pub struct Names {
    pub id: String,
    pub external_id: String,
    pub known: Mutex<Known>,
}

impl Tenant {
    pub async fn create(app: &TestApp, number: usize) -> Self {
        let marker = marker(number);
        let external_id = format!("{marker}external");
        let email = BillingEmail::parse(&format!("{marker}@{marker}.example")).unwrap();
        let new = NewOrganization {
            kind: OrganizationKind::Commercial,
            external_id: ExternalId::parse(&external_id),
            settings: Settings::new(OrganizationName::parse(&marker).unwrap(), Some(email)),
        };
        let organization = quietline::operator::organization::create(&app.session(), new).await;
        let id = organization.expect("an organization").id;
        let mut tenant = Self {
            number,
            ids: HashSet::from([id.to_string()]),
            users: users(app, number, [&id.to_string(), &external_id]),
            settings: settings_of_a_new_one(&marker),
            missed_call: json!({"missedCallMessage": null, "missedCallAutoMessageEnabled": false}),
            version: 1,
            id: id.to_string(),
            external_id,
            keys: Vec::new(),
            requests: HashMap::new(),
            responses: HashMap::new(),
            pages: Vec::new(),
        };
        for scopes in scopes_of_keys(number) {
            tenant.add_key(app, &id, scopes).await;
        }
        tenant
    }

    async fn add_key(&mut self, app: &TestApp, org_id: &OrgId, scopes: Vec<Scope>) {
        let plaintext = PlaintextApiKey::generate();
        let shown = plaintext.reveal().to_owned();
        let new = NewApiKey {
            label: format!("{} key", marker(self.number)),
            scopes: scopes.iter().copied().collect(),
            expires_at: None,
            plaintext,
        };
        let key = quietline::operator::api_key::create(&app.session(), *org_id, new).await;
        self.record_key(Key {
            id: key.expect("a key").id.to_string(),
            plaintext: shown,
            scopes: scopes
                .iter()
                .map(|scope| scope.into_str().to_owned())
                .collect(),
            is_revoked: false,
            is_used: false,
        });
    }

    /// Adds a key to the model.
    pub fn record_key(&mut self, key: Key) {
        self.ids.insert(key.id.clone());
        self.keys.push(key);
    }

    pub fn names(&self) -> Names {
        let key_ids = self.keys.iter().map(|key| key.id.clone()).collect();
        let known = Known {
            key_ids,
            pages: Vec::new(),
        };
        Names {
            id: self.id.clone(),
            external_id: self.external_id.clone(),
            known: Mutex::new(known),
        }
    }
}

/// Returns the scopes of three keys: one for everything, one for settings, one for keys and the
/// log. The missing scopes differ between organizations.
fn scopes_of_keys(number: usize) -> [Vec<Scope>; 3] {
    let for_settings = [
        vec![Scope::OrgRead, Scope::OrgAdminWrite],
        vec![Scope::OrgRead],
        vec![Scope::OrgAdminWrite],
    ];
    let for_keys = [
        vec![Scope::ApiKeysRead, Scope::ApiKeysWrite, Scope::AuditRead],
        vec![Scope::AuditRead, Scope::OrgRead],
        vec![Scope::ApiKeysWrite, Scope::OrgRead],
        vec![Scope::ApiKeysRead],
    ];
    [
        Scope::VARIANTS.to_vec(),
        for_settings[number % 3].clone(),
        for_keys[number % 4].clone(),
    ]
}

/// Returns two users. The users of all organizations have the same names, because each token issuer
/// numbers only its own users.
fn users(app: &TestApp, number: usize, names: [&str; 2]) -> Vec<User> {
    let second = [Role::Admin, Role::DepartmentHead, Role::SalesRep];
    let roles = [Role::Admin, second[number % 3]];
    let mut users = Vec::new();
    for (place, role) in roles.into_iter().enumerate() {
        let subject = format!("user-{place}");
        let claims = Claims {
            subject: subject.clone(),
            organization: Some(names[(number + place) % 2].to_owned()),
            role: role.into_str().to_owned(),
        };
        let signed = app
            .state
            .jwt_keys
            .sign(&claims, None, now(), TOKEN_LIFETIME);
        users.push(User {
            identity: format!("user:[null,\"{subject}\",\"{}\"]", role.into_str()),
            token: signed.expect("a token").text,
        });
    }
    users
}

fn settings_of_a_new_one(marker: &str) -> Value {
    json!({
        "name": marker,
        "billing_email": format!("{marker}@{marker}.example"),
        "message_retention_days": 60,
        "mms_retention_days": 30,
        "is_reseller": false,
        "quiet_hours": {"enabled": false, "start": "21:00", "end": "08:00", "mode": "reject"},
        "auto_replies":
            {"enabled": true, "stop_text": null, "help_text": null, "start_text": null},
    })
}
