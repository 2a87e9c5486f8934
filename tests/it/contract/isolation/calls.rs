//! Random calls: any operation by any caller, on its own or another organization.

use quietline_api::{agentmessage, tether_relay};
use quietline_api_runtime::Operation;

use super::bodies::{self, Author};
use super::dice::Dice;
use super::tenant::{Names, NextPage, Tenant};

/// Number of idempotency keys, shared by all callers.
const IDEMPOTENCY_KEYS: usize = 12;

/// Unused UUID of version 7.
const NOTHING: &str = "0190a1b2-c3d4-7e5f-86a7-b8c9d0e1f2a3";

/// Caller of an operation.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Position of the caller's key in the organization. `None` for a user.
    pub key: Option<usize>,
    /// Name of the caller in the log and in idempotency records.
    pub identity: String,
    pub token: String,
    pub is_revoked: bool,
}

/// Organization that a call concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Uses only its own organization.
    Own,
    /// Names something of another organization and is refused.
    Foreign,
    /// Searches its own list for something of another organization and finds nothing.
    ForeignFilter,
}

#[derive(Debug)]
pub struct Call {
    pub operation: &'static Operation,
    pub caller: Caller,
    pub target: Target,
    pub path: String,
    /// Parameters of a list without its cursor.
    pub query: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<String>,
    /// Id of the API key in the path.
    pub key_id: String,
}

impl Call {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| *header == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Returns every operation of both specs.
pub fn operations() -> impl Iterator<Item = &'static Operation> {
    let all = [
        agentmessage::api::operations::ALL,
        tether_relay::api::operations::ALL,
    ];
    all.into_iter().flatten().copied()
}

/// Returns the next call of a caller of `own`. Panics on an unknown operation.
pub fn random(dice: &mut Dice, own: &Tenant, all: &[Names]) -> Call {
    let caller = caller(dice, own);
    let operation = operation(dice, caller.key.is_none());
    let other = &all[(own.number + 1 + dice.below(all.len() - 1)) % all.len()];
    let mut call = Call {
        operation,
        caller,
        target: Target::Own,
        path: operation.path.to_owned(),
        query: String::new(),
        headers: Vec::new(),
        body: None,
        key_id: String::new(),
    };
    let scopes = call.caller.key.map_or(&[][..], |key| &own.keys[key].scopes);
    let author = Author {
        number: own.number,
        scopes,
        other: &other.id,
    };
    match operation.id {
        "getOrganization" => version(dice, own, &mut call, "If-None-Match"),
        "patchOrganization" => {
            version(dice, own, &mut call, "If-Match");
            call.body = Some(bodies::settings(dice, &author));
        }
        "createApiKey" => call.body = Some(bodies::key(dice, &author)),
        "getApiKey" | "rotateApiKey" | "deleteApiKey" => name_key(dice, own, other, &mut call),
        "listApiKeys" => list_keys(dice, own, other, &mut call),
        "listAuditLog" => list_log(dice, own, other, &mut call),
        "get_organizations_organizationId_missed_call_message" => {
            name_organization(dice, own, other, &mut call);
        }
        "put_organizations_organizationId_missed_call_message" => {
            name_organization(dice, own, other, &mut call);
            call.body = Some(bodies::missed_call(dice, &author));
        }
        unknown => panic!("{unknown} has no calls: add them"),
    }
    idempotency_key(dice, &mut call);
    call
}

/// Picks a user in two of five cases. Otherwise picks a key, which is sometimes revoked.
fn caller(dice: &mut Dice, own: &Tenant) -> Caller {
    let wants_revoked = dice.percent(3);
    if dice.percent(40) {
        let user = dice.pick(&own.users);
        return Caller {
            key: None,
            identity: user.identity.clone(),
            token: user.token.clone(),
            is_revoked: false,
        };
    }
    let keys = own.keys.iter().enumerate();
    let alike = keys.filter(|(_, key)| key.is_revoked == wants_revoked);
    let alike: Vec<usize> = alike.map(|(place, _)| place).collect();
    let place = dice.find(&alike).copied().unwrap_or(0);
    let key = &own.keys[place];
    Caller {
        key: Some(place),
        identity: format!("api_key:{}", key.id),
        token: key.plaintext.clone(),
        is_revoked: key.is_revoked,
    }
}

/// Picks an operation, mostly of the caller's own dialect.
fn operation(dice: &mut Dice, is_user: bool) -> &'static Operation {
    let is_any = dice.percent(10);
    let fits = |operation: &&Operation| is_any || operation.minimum_role.is_some() == is_user;
    let all: Vec<&'static Operation> = operations().filter(fits).collect();
    all[dice.below(all.len())]
}

fn idempotency_key(dice: &mut Dice, call: &mut Call) {
    let key = format!("key {}", dice.below(IDEMPOTENCY_KEYS));
    if dice.percent(40) && call.operation.method != "GET" {
        call.headers.push(("Idempotency-Key", key));
    }
}

/// Adds a condition on the current version, an older version, or another organization's version.
fn version(dice: &mut Dice, own: &Tenant, call: &mut Call, header: &'static str) {
    let back = dice.below(4);
    if dice.percent(25) {
        let version = own.version - i64::try_from(back).unwrap();
        call.headers.push((header, format!("\"{version}\"")));
    }
}

fn name_organization(dice: &mut Dice, own: &Tenant, other: &Names, call: &mut Call) {
    let (name, target) = match dice.below(10) {
        0..3 => (own.id.clone(), Target::Own),
        3..5 => (own.external_id.clone(), Target::Own),
        5 => (own.id.to_uppercase(), Target::Own),
        6 => (other.id.clone(), Target::Foreign),
        7 => (other.external_id.clone(), Target::Foreign),
        8 => (other.id.to_uppercase(), Target::Foreign),
        _ => (NOTHING.to_owned(), Target::Foreign),
    };
    call.target = target;
    call.path = call.path.replace("{organizationId}", &name);
}

fn name_key(dice: &mut Dice, own: &Tenant, other: &Names, call: &mut Call) {
    let (live, any) = (own_key(dice, own, call), dice.pick(&own.keys).id.clone());
    let foreign = dice.pick(&other.known.lock().unwrap().key_ids).clone();
    let (id, target) = match dice.below(20) {
        0..10 => (live, Target::Own),
        10..13 if call.operation.id != "deleteApiKey" => (any, Target::Own),
        10..18 => (foreign, Target::Foreign),
        18 => (NOTHING.to_owned(), Target::Foreign),
        _ => (own.external_id.clone(), Target::Foreign),
    };
    call.target = target;
    call.path = call.path.replace("{id}", &id);
    call.key_id = id;
}

/// Picks a valid key. Never picks the first key for a deletion.
fn own_key(dice: &mut Dice, own: &Tenant, call: &Call) -> String {
    let first = usize::from(call.operation.id == "deleteApiKey");
    let live: Vec<_> = own.keys[first..]
        .iter()
        .filter(|key| !key.is_revoked)
        .collect();
    dice.find(&live)
        .map_or(NOTHING.to_owned(), |key| key.id.clone())
}

fn list_keys(dice: &mut Dice, own: &Tenant, other: &Names, call: &mut Call) {
    call.query = format!("limit={}", dice.pick(&[1, 3, 50, 100]));
    if dice.percent(40) {
        call.query += &format!("&include_revoked={}", dice.percent(50));
    }
    turn_page(dice, own, other, call);
}

fn list_log(dice: &mut Dice, own: &Tenant, other: &Names, call: &mut Call) {
    call.query = format!("limit={}", dice.pick(&[1, 3, 50, 200]));
    if dice.percent(50) {
        call.query += "&include=payload";
    }
    let action = *dice.pick(&["organization.update", "api_key.create", "retention.update"]);
    let foreign = dice.pick(&other.known.lock().unwrap().key_ids).clone();
    match dice.below(8) {
        0 => call.query += &format!("&action={action}"),
        1 => call.query += "&resource_type=api_key&actor_kind=customer",
        2 => call.query += &format!("&resource_id={}", own.id),
        3 => {
            let of_other = *dice.pick(&[&other.id, &foreign]);
            call.query += &format!("&resource_id={of_other}");
            call.target = Target::ForeignFilter;
        }
        _ => {}
    }
    turn_page(dice, own, other, call);
}

/// Continues a list of its own or tries a cursor of another organization.
fn turn_page(dice: &mut Dice, own: &Tenant, other: &Names, call: &mut Call) {
    let fits = |page: &&NextPage| page.operation == call.operation.id;
    let (turns, is_own) = (dice.percent(40), dice.percent(50));
    let page = if is_own {
        dice.find(&own.pages.iter().filter(fits).collect::<Vec<_>>())
            .copied()
            .cloned()
    } else {
        let known = other.known.lock().unwrap();
        dice.find(&known.pages.iter().filter(fits).collect::<Vec<_>>())
            .copied()
            .cloned()
    };
    let mut query = call.query.clone();
    if let Some(page) = page.filter(|_| turns) {
        query = format!("{}&cursor={}", page.query, page.cursor);
        call.query = page.query;
        call.target = if is_own { Target::Own } else { Target::Foreign };
    }
    call.path = format!("{}?{query}", call.path);
}
