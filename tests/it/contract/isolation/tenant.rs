//! An organization, its credentials, and all that its own callers know of it. What its answers say
//! and what its rows hold is held against this.

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

/// How many organizations there are.
pub const ORGANIZATIONS: usize = 10;

/// The first part of every organization's marker.
pub const MARK: &str = "quartz";

/// Longer than any run's clocks get.
const TOKEN_LIFETIME: Duration = Duration::from_secs(1_000 * 24 * 60 * 60);

/// The text that stands in all that an organization stores, and nowhere else.
pub fn marker(number: usize) -> String {
    format!("{MARK}{number:02}")
}

/// An API key, alive or not.
pub struct Key {
    pub id: String,
    pub plaintext: String,
    pub scopes: Vec<String>,
    pub is_revoked: bool,
    /// Whether a request with it was let in.
    pub is_used: bool,
}

/// A user with a token.
pub struct User {
    pub identity: String,
    pub token: String,
}

/// A page that a cursor leads to: the operation, its other parameters, and the cursor.
#[derive(Clone)]
pub struct NextPage {
    pub operation: &'static str,
    pub query: String,
    pub cursor: String,
}

/// A request that was answered with success and may have changed something.
pub struct Request {
    pub identity: String,
    pub has_changed: bool,
}

pub struct Tenant {
    pub number: usize,
    pub id: String,
    pub external_id: String,
    /// Every key that it ever had. The first one is never deleted, so that there is always one.
    pub keys: Vec<Key>,
    pub users: Vec<User>,
    /// What PATCH /v1/organization was last acknowledged to have made of it.
    pub settings: Value,
    /// What the Tether dialect was.
    pub missed_call: Value,
    pub version: i64,
    /// The UUIDs that its callers may read.
    pub ids: HashSet<String>,
    /// By request id.
    pub requests: HashMap<String, Request>,
    /// Answers that may be given again, by identity and `Idempotency-Key`.
    pub answers: HashMap<(String, String), Value>,
    pub pages: Vec<NextPage>,
}

/// What callers of other organizations have found out, or guessed.
#[derive(Default)]
pub struct Known {
    pub key_ids: Vec<String>,
    pub pages: Vec<NextPage>,
}

/// Every organization as others see it.
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
        let (db, clock) = (&app.state.db, &app.state.clock);
        let organization = quietline::operator::organization::create(db, clock, new).await;
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
            answers: HashMap::new(),
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
            plaintext,
        };
        let (db, clock) = (&app.state.db, &app.state.clock);
        let key = quietline::operator::api_key::create(db, clock, *org_id, new).await;
        self.has_key(Key {
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

    /// Learns of a key.
    pub fn has_key(&mut self, key: Key) {
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

/// Three keys: one that may do all, one for the settings, one for keys and the log; which of them
/// lacks what differs from organization to organization.
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

/// Two users. Every organization has users of the same names: who issues tokens need not number
/// the users of all of them in one sequence.
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
            identity: format!("user:{subject}"),
            token: signed.expect("a token"),
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
