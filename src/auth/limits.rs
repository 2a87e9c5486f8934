//! Rate limits: how often an address, a credential and an organization may ask. Each process
//! counts for itself and forgets when it ends.
//!
//! The order is: requests and failures of the address, before the credential is looked at; the
//! credential; its organization. What the caller may do is looked at only after that.

mod address;
mod buckets;
mod limiter;
#[cfg(test)]
mod tests;

use std::hash::Hash;
use std::num::NonZeroU32;
use std::time::Duration;

use actix_web::HttpRequest;
use ipnet::IpNet;

use crate::clock::Clock;
use crate::db;
use crate::domain::access::{Caller, Credential};
use crate::domain::ids::OrganizationRef;
use crate::error::{Error, Result};
use crate::request::{self, RateLimit};
use crate::state::AppState;

use limiter::Limiter;

/// What may be asked in a minute; `None` is without limit.
#[derive(Debug, Clone, Default)]
pub struct LimitSettings {
    /// Requests with one API key, or of one user.
    pub credential_requests: Option<NonZeroU32>,
    /// Requests with all credentials of one organization.
    pub organization_requests: Option<NonZeroU32>,
    /// Requests from one IPv4 address or one IPv6 network (/64).
    pub address_requests: Option<NonZeroU32>,
    /// Requests of those that have no valid credential.
    pub address_failures: Option<NonZeroU32>,
    /// The proxies that are believed about the address of a client.
    pub trusted_proxies: Vec<IpNet>,
}

/// The limits of one process.
pub struct Limits {
    credential_requests: Option<Limiter>,
    organization_requests: Option<Limiter>,
    address_requests: Option<Limiter>,
    address_failures: Option<Limiter>,
    trusted_proxies: Vec<IpNet>,
}

impl Limits {
    /// Nobody has asked for anything yet. `None` if nothing is limited.
    pub fn new(settings: LimitSettings, clock: &Clock) -> Option<Self> {
        let LimitSettings {
            credential_requests,
            organization_requests,
            address_requests,
            address_failures,
            trusted_proxies,
        } = settings;
        let limiter =
            |policy, quota: Option<_>| quota.map(|quota| Limiter::new(policy, quota, clock));
        let limits = Self {
            credential_requests: limiter("credential", credential_requests),
            organization_requests: limiter("organization", organization_requests),
            address_requests: limiter("address", address_requests),
            address_failures: limiter("failed-authentication", address_failures),
            trusted_proxies,
        };
        let all = [
            &limits.credential_requests,
            &limits.organization_requests,
            &limits.address_requests,
            &limits.address_failures,
        ];
        all.iter()
            .any(|limiter| limiter.is_some())
            .then_some(limits)
    }
}

/// Does `authentication` of `request` within the limits.
///
/// # Errors
/// [`Error::RateLimited`], and what `authentication` fails with.
pub async fn within(
    state: &AppState,
    request: &HttpRequest,
    authentication: impl Future<Output = Result<Caller>>,
) -> Result<Caller> {
    let Some(limits) = &state.limits else {
        return authentication.await;
    };
    let network = address::client_network(request, &limits.trusted_proxies);
    count(request, limits.address_requests.as_ref(), &network)?;
    if let Some(failures) = &limits.address_failures {
        // The answer is the same for a valid credential: it would be worth guessing on otherwise.
        failures
            .ask(&network)
            .map_err(|limit| refuse(request, limit))?;
    }
    let outcome = authentication.await;
    if let Some(failures) = &limits.address_failures {
        // Of many at once, those that end after the last allowed failure learn nothing more.
        let left = match &outcome {
            Err(Error::Unauthenticated(_)) => failures.count(&network),
            Ok(_) | Err(_) => failures.ask(&network),
        };
        left.map_err(|limit| refuse(request, limit))?;
    }
    if let Ok(caller) = &outcome {
        count_caller(state, limits, request, caller).await?;
    }
    outcome
}

async fn count_caller(
    state: &AppState,
    limits: &Limits,
    request: &HttpRequest,
    caller: &Caller,
) -> Result<()> {
    match &caller.credential {
        Credential::ApiKey { id, org_id, .. } => {
            count(request, limits.credential_requests.as_ref(), id)?;
            let own = OrganizationRef::Id(*org_id);
            count(request, limits.organization_requests.as_ref(), &own)
        }
        Credential::User {
            subject,
            organization,
            ..
        } => {
            let claimed = organization.as_ref().map(|own| &own.claimed);
            // Who issues tokens need not number the users of all organizations in one sequence.
            count(
                request,
                limits.credential_requests.as_ref(),
                &(subject, claimed),
            )?;
            match claimed {
                Some(claimed) if limits.organization_requests.is_some() => {
                    let own = with_id(state, claimed).await?;
                    count(request, limits.organization_requests.as_ref(), &own)
                }
                _ => Ok(()),
            }
        }
    }
}

/// The organization by the name that API keys know it by, so that both dialects count as one. One
/// that does not exist is counted by the name that it is given.
async fn with_id(state: &AppState, claimed: &OrganizationRef) -> Result<OrganizationRef> {
    let name = claimed.clone();
    let found = match claimed {
        OrganizationRef::Id(_) => None,
        OrganizationRef::External(_) => {
            let find = move |conn: &mut _| db::organization::find(conn, &name);
            state.db.read(find).await?
        }
    };
    Ok(found.map_or_else(
        || claimed.clone(),
        |organization| OrganizationRef::Id(organization.id),
    ))
}

/// Counts `request` as one more of `caller`, if that is limited.
fn count(request: &HttpRequest, limiter: Option<&Limiter>, caller: &impl Hash) -> Result<()> {
    let Some(limiter) = limiter else {
        return Ok(());
    };
    match limiter.count(caller) {
        Ok(limit) => {
            note(request, limit);
            Ok(())
        }
        Err(limit) => Err(refuse(request, limit)),
    }
}

fn refuse(request: &HttpRequest, limit: RateLimit) -> Error {
    note(request, limit);
    Error::RateLimited(Duration::from_secs(limit.seconds))
}

/// The client is told of the limit that leaves the least.
fn note(request: &HttpRequest, limit: RateLimit) {
    request::note(request, |context| {
        let is_tightest = context
            .rate_limit
            .is_none_or(|other| limit.remaining <= other.remaining);
        if is_tightest {
            context.rate_limit = Some(limit);
        }
    });
}
