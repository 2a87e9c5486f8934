//! Rate limits of addresses, credentials and organizations. Each process counts separately, in
//! memory.
//!
//! Requests and failures of the address are counted first, before the credential is verified. The
//! credential and its organization follow, then the check of permissions, and then changes. Not
//! here: databases and credentials, which the caller of [`Limits::within`] provides.

mod address_limiter;
mod buckets;
mod client_address;
mod limiter;
mod organization_ids;
#[cfg(test)]
mod tests;

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::HttpRequest;
use ipnet::IpNet;

use crate::clock::Clock;
use crate::domain::access::{Caller, Credential, OrgAccess};
use crate::domain::ids::{OrgId, OrganizationRef};
use crate::error::{Error, Result};
use crate::request::{self, RateLimit};

use address_limiter::AddressLimiter;
use limiter::Limiter;
use organization_ids::OrganizationIds;

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
    /// Requests from one IPv4 address or one IPv6 /64 network. A /56 network has 4 times as many,
    /// and a /48 network 16 times.
    pub address_requests: Option<NonZeroU32>,
    /// Requests without a valid credential, from one such address.
    pub address_failures: Option<NonZeroU32>,
    /// Proxies that are trusted to name the address of a client.
    pub trusted_proxies: Vec<IpNet>,
}

/// Kind of a change. Each has the whole limit of changes, so that none stops another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// Rotation of an API key.
    Rotation,
    Other,
}

/// Rate limits of one process. The default is unlimited.
#[derive(Default)]
pub struct Limits {
    credential_requests: Option<Limiter>,
    organization_requests: Option<Limiter>,
    organization_changes: Option<Limiter>,
    credential_keys_per_day: Option<Limiter>,
    address_requests: Option<AddressLimiter>,
    address_failures: Option<AddressLimiter>,
    trusted_proxies: Vec<IpNet>,
    /// True if a proxy that is missing in `trusted_proxies` was logged, once per process.
    is_proxy_reported: AtomicBool,
    organization_ids: OrganizationIds,
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
        let address_limiter = |policy, quota: Option<_>| {
            quota.map(|quota| AddressLimiter::new(policy, quota, MINUTE, clock))
        };
        Self {
            credential_requests: limiter("credential", credential_requests, MINUTE),
            organization_requests: limiter("organization", organization_requests, MINUTE),
            organization_changes: limiter("changes", organization_changes, MINUTE),
            credential_keys_per_day: limiter("idempotency-keys", credential_keys_per_day, DAY),
            address_requests: address_limiter("address", address_requests),
            address_failures: address_limiter("failed-authentication", address_failures),
            trusted_proxies,
            is_proxy_reported: AtomicBool::new(false),
            organization_ids: OrganizationIds::default(),
        }
    }

    /// Returns the address of the client that sent `request`. Behind a trusted proxy it is in the
    /// headers, and a client's own claim is ignored.
    pub fn client_address(&self, request: &HttpRequest) -> IpAddr {
        if !self.is_proxy_reported.load(Ordering::Relaxed)
            && let Some(proxy) = client_address::unlisted_proxy(request, &self.trusted_proxies)
            && !self.is_proxy_reported.swap(true, Ordering::Relaxed)
        {
            log::warn!(
                "{proxy} forwards for clients, but is not one of QUIETLINE_TRUSTED_PROXIES: \
                 all of them count as one client, and rate limits may be off"
            );
        }
        client_address::client_address(request, &self.trusted_proxies)
    }

    /// Returns the networks that the connections of `peer` count for. `None` for a trusted proxy,
    /// which many clients share.
    pub fn networks_of_peer(&self, peer: IpAddr) -> Option<impl Iterator<Item = IpNet> + Clone> {
        let peer = peer.to_canonical();
        let is_trusted = client_address::is_trusted(&peer, &self.trusted_proxies);
        (!is_trusted).then(|| client_address::networks(peer))
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
            is_proxy_reported: _,
            organization_ids: _,
        } = self;
        credential_requests.is_none()
            && organization_requests.is_none()
            && address_requests.is_none()
            && address_failures.is_none()
    }

    /// Runs `authentication` of `request` within the limits. A credential for which `is_in_use` is
    /// true is not refused for the failures of its address. `find_id` looks up the id of an
    /// organization that a token names by its external id.
    ///
    /// # Errors
    /// [`Error::RateLimited`], and the errors of `authentication` and `find_id`.
    pub async fn within(
        &self,
        request: &HttpRequest,
        is_in_use: impl FnOnce() -> bool,
        authentication: impl Future<Output = Result<Caller>>,
        find_id: impl AsyncFnOnce(&OrganizationRef) -> Result<Option<OrgId>>,
    ) -> Result<Caller> {
        if self.is_unlimited() {
            return authentication.await;
        }
        let client = request::client_of(request);
        if let Some(requests) = &self.address_requests {
            count(request, requests.take(client))?;
        }
        // Before authentication, after which a key that was guessed right is in use too.
        let is_guess = self.address_failures.is_some() && !is_in_use();
        // Reject valid credentials too. Otherwise a success would tell an attacker which guess was
        // right.
        let peek = |failures: &AddressLimiter| match failures.peek(client) {
            Err(limit) if is_guess => Err(refuse(request, limit)),
            Ok(_) | Err(_) => Ok(()),
        };
        if let Some(failures) = &self.address_failures {
            peek(failures)?;
        }
        let outcome = authentication.await;
        if let Some(failures) = &self.address_failures {
            // Requests that end after the last allowed failure are refused whatever their outcome.
            // Otherwise many simultaneous guesses would get more outcomes than the limit allows.
            match &outcome {
                Err(Error::Unauthenticated(_)) => {
                    let left = failures.take(client);
                    left.map_err(|limit| refuse(request, limit))?;
                }
                Ok(_) | Err(_) => peek(failures)?,
            }
        }
        let caller = outcome?;
        self.take_of_caller(request, &caller, find_id).await?;
        Ok(caller)
    }

    /// Counts `request`, a change of `kind` of the organization of `access`. Called after the check
    /// of permissions, because a caller could otherwise use up the limit of another organization.
    /// `find_id` is as in [`Limits::within`].
    ///
    /// # Errors
    /// [`Error::RateLimited`], and the errors of `find_id`.
    pub async fn take_change(
        &self,
        request: &HttpRequest,
        access: &OrgAccess,
        kind: ChangeKind,
        find_id: impl AsyncFnOnce(&OrganizationRef) -> Result<Option<OrgId>>,
    ) -> Result<()> {
        let changes = self.organization_changes.as_ref();
        let has_key = request.headers().contains_key(IDEMPOTENCY_KEY);
        let keys = self.credential_keys_per_day.as_ref().filter(|_| has_key);
        if changes.is_none() && keys.is_none() {
            return Ok(());
        }
        let name = access.organization();
        let organization = self.organization_ids.by_id(name, find_id).await?;
        let credential = access.author().actor.identity();
        // The caller's own limit first: a refusal must not use up the organization's.
        take(request, keys, &(credential, organization.clone()))?;
        take(request, changes, &(kind, organization))
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
                issued_at: _,
                organization,
            } => {
                if credentials.is_none() && organizations.is_none() {
                    return Ok(());
                }
                let organization = match organization {
                    Some(own) => Some(self.organization_ids.by_id(&own.claimed, find_id).await?),
                    None => None,
                };
                // With the organization, because users of two organizations may have the same
                // `sub`.
                take(
                    request,
                    credentials,
                    &(issuer, subject, role, &organization),
                )?;
                match &organization {
                    Some(own) => take(request, organizations, own),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Counts `request` for `caller`, if there is a limit.
fn take(request: &HttpRequest, limiter: Option<&Limiter>, caller: &impl Hash) -> Result<()> {
    limiter.map_or(Ok(()), |limiter| count(request, limiter.take(caller)))
}

/// Notes the limit that `request` was counted by, or refuses the request.
fn count(request: &HttpRequest, outcome: Result<RateLimit, RateLimit>) -> Result<()> {
    match outcome {
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
