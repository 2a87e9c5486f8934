//! Rate limits of addresses, credentials and organizations. Each process counts separately, in
//! memory.
//!
//! Requests and failures of the address are counted first, before the credential is verified. The
//! credential and its organization follow, then the check of permissions, and then changes. Not
//! here: databases and credentials, which the caller of [`Limits::within`] provides.

mod buckets;
mod client_address;
mod limiter;
#[cfg(test)]
mod tests;

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use actix_web::HttpRequest;
use ipnet::IpNet;

use crate::clock::Clock;
use crate::domain::access::{Caller, Credential, OrgAccess};
use crate::domain::ids::{OrgId, OrganizationRef};
use crate::error::{Error, Result};
use crate::request::{self, RateLimit};

use limiter::Limiter;

pub use limiter::whole_seconds;

const MINUTE: Duration = Duration::from_secs(60);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Header of a request whose response is stored for retries.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Requests allowed per minute, or per day where the name says so. `None` is unlimited.
#[derive(Debug, Clone, Default)]
pub struct LimitSettings {
    /// Requests with one API key, or of one user.
    pub credential_requests: Option<NonZeroU32>,
    /// Requests with all credentials of one organization.
    pub organization_requests: Option<NonZeroU32>,
    /// Requests that may change one organization, of all credentials.
    pub organization_changes: Option<NonZeroU32>,
    /// Such requests with an `Idempotency-Key`, with one credential, per day. Bounds the responses
    /// that are stored for retries.
    pub credential_keys_per_day: Option<NonZeroU32>,
    /// Requests from one IPv4 address or one IPv6 network (/64).
    pub address_requests: Option<NonZeroU32>,
    /// Requests without a valid credential, from one such address.
    pub address_failures: Option<NonZeroU32>,
    /// Proxies that are trusted to name the address of a client.
    pub trusted_proxies: Vec<IpNet>,
}

/// Rate limits of one process. The default is unlimited.
#[derive(Default)]
pub struct Limits {
    credential_requests: Option<Limiter>,
    organization_requests: Option<Limiter>,
    organization_changes: Option<Limiter>,
    credential_keys_per_day: Option<Limiter>,
    address_requests: Option<Limiter>,
    address_failures: Option<Limiter>,
    trusted_proxies: Vec<IpNet>,
}

impl Limits {
    pub fn new(settings: LimitSettings, clock: &Clock) -> Self {
        let LimitSettings {
            credential_requests,
            organization_requests,
            organization_changes,
            credential_keys_per_day,
            address_requests,
            address_failures,
            trusted_proxies,
        } = settings;
        let limiter = |policy, quota: Option<_>, window| {
            quota.map(|quota| Limiter::new(policy, quota, window, clock))
        };
        Self {
            credential_requests: limiter("credential", credential_requests, MINUTE),
            organization_requests: limiter("organization", organization_requests, MINUTE),
            organization_changes: limiter("changes", organization_changes, MINUTE),
            credential_keys_per_day: limiter("idempotency-keys", credential_keys_per_day, DAY),
            address_requests: limiter("address", address_requests, MINUTE),
            address_failures: limiter("failed-authentication", address_failures, MINUTE),
            trusted_proxies,
        }
    }

    /// Returns the IPv4 address or the IPv6 network (/64) that the connections of `peer` count for.
    /// `None` for a trusted proxy, which many clients share.
    pub fn network_of_peer(&self, peer: IpAddr) -> Option<IpAddr> {
        client_address::peer_network(peer, &self.trusted_proxies)
    }

    /// Returns whether [`Limits::within`] counts nothing.
    fn is_unlimited(&self) -> bool {
        let Self {
            credential_requests,
            organization_requests,
            organization_changes: _,
            credential_keys_per_day: _,
            address_requests,
            address_failures,
            trusted_proxies: _,
        } = self;
        credential_requests.is_none()
            && organization_requests.is_none()
            && address_requests.is_none()
            && address_failures.is_none()
    }

    /// Runs `authentication` of `request` within the limits. `find_id` looks up the id of an
    /// organization that a token names by its external id.
    ///
    /// # Errors
    /// [`Error::RateLimited`], and the errors of `authentication` and `find_id`.
    pub async fn within(
        &self,
        request: &HttpRequest,
        authentication: impl Future<Output = Result<Caller>>,
        find_id: impl AsyncFnOnce(&OrganizationRef) -> Result<Option<OrgId>>,
    ) -> Result<Caller> {
        if self.is_unlimited() {
            return authentication.await;
        }
        let network = client_address::client_network(request, &self.trusted_proxies);
        take(request, self.address_requests.as_ref(), &network)?;
        if let Some(failures) = &self.address_failures {
            // Reject valid credentials too. Otherwise a success would tell an attacker which guess
            // was right.
            failures
                .peek(&network)
                .map_err(|limit| refuse(request, limit))?;
        }
        let outcome = authentication.await;
        if let Some(failures) = &self.address_failures {
            // Requests that end after the last allowed failure are refused whatever their outcome.
            // Otherwise many simultaneous guesses would get more outcomes than the limit allows.
            let left = match &outcome {
                Err(Error::Unauthenticated(_)) => failures.take(&network),
                Ok(_) | Err(_) => failures.peek(&network),
            };
            left.map_err(|limit| refuse(request, limit))?;
        }
        let caller = outcome?;
        self.take_of_caller(request, &caller, find_id).await?;
        Ok(caller)
    }

    /// Counts `request`, which may change the organization of `access`. Called after the check of
    /// permissions, because a caller could otherwise use up the limit of another organization.
    /// `find_id` is as in [`Limits::within`].
    ///
    /// # Errors
    /// [`Error::RateLimited`], and the errors of `find_id`.
    pub async fn take_change(
        &self,
        request: &HttpRequest,
        access: &OrgAccess,
        find_id: impl AsyncFnOnce(&OrganizationRef) -> Result<Option<OrgId>>,
    ) -> Result<()> {
        let changes = self.organization_changes.as_ref();
        let has_key = request.headers().contains_key(IDEMPOTENCY_KEY);
        let keys = self.credential_keys_per_day.as_ref().filter(|_| has_key);
        if changes.is_none() && keys.is_none() {
            return Ok(());
        }
        let organization = by_id(access.organization(), find_id).await?;
        let credential = access.author().actor.identity();
        // The caller's own limit first: a refusal must not use up the organization's.
        take(request, keys, &(credential, organization.clone()))?;
        take(request, changes, &organization)
    }

    async fn take_of_caller(
        &self,
        request: &HttpRequest,
        caller: &Caller,
        find_id: impl AsyncFnOnce(&OrganizationRef) -> Result<Option<OrgId>>,
    ) -> Result<()> {
        let credentials = self.credential_requests.as_ref();
        let organizations = self.organization_requests.as_ref();
        match &caller.credential {
            Credential::ApiKey { id, org_id, .. } => {
                take(request, credentials, id)?;
                let own = OrganizationRef::Id(*org_id);
                take(request, organizations, &own)
            }
            Credential::User {
                issuer,
                subject,
                role,
                organization,
            } => {
                let claimed = organization.as_ref().map(|own| &own.claimed);
                // With the organization, because users of two organizations may have the same
                // `sub`.
                take(request, credentials, &(issuer, subject, role, claimed))?;
                let (Some(claimed), Some(_)) = (claimed, organizations) else {
                    return Ok(());
                };
                take(request, organizations, &by_id(claimed, find_id).await?)
            }
        }
    }
}

/// Returns the organization by its id, so that both of its names and both dialects share a limit.
/// An organization that does not exist is counted by its external id.
async fn by_id(
    name: &OrganizationRef,
    find_id: impl AsyncFnOnce(&OrganizationRef) -> Result<Option<OrgId>>,
) -> Result<OrganizationRef> {
    let id = match name {
        OrganizationRef::Id(_) => None,
        OrganizationRef::External(_) => find_id(name).await?,
    };
    Ok(id.map_or_else(|| name.clone(), OrganizationRef::Id))
}

/// Counts `request` for `caller`, if there is a limit.
fn take(request: &HttpRequest, limiter: Option<&Limiter>, caller: &impl Hash) -> Result<()> {
    let Some(limiter) = limiter else {
        return Ok(());
    };
    match limiter.take(caller) {
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

/// Notes `limit` for the response, if it leaves no more requests than the limits noted before.
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
