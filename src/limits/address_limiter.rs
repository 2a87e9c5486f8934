//! Rate limit of client addresses. Counts an IPv6 client at three widths, because one site has many
//! networks. Not here: the client address of a request, which `client_address` finds.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::slice;
use std::time::Duration;

use ipnet::IpNet;

use crate::clock::Clock;
use crate::request::RateLimit;

use super::client_address::networks;
use super::limiter::Limiter;

/// Multiples of the quota for the networks of an IPv6 address, narrowest first. Wider networks may
/// have many clients.
const IPV6_MULTIPLES: [NonZeroU32; 3] = [
    NonZeroU32::MIN,
    NonZeroU32::new(4).expect("not zero"),
    NonZeroU32::new(16).expect("not zero"),
];

/// Rate limit of client addresses. Each kind of network has buckets of its own, so that one site
/// with many IPv6 networks takes none of those of IPv4 clients.
pub(super) struct AddressLimiter {
    ipv4: Limiter,
    ipv6: [Limiter; 3],
}

impl AddressLimiter {
    /// Creates a limit of `quota` requests of each IPv4 address and each IPv6 /64 network in
    /// `window`.
    pub(super) fn new(
        policy: &'static str,
        quota: NonZeroU32,
        window: Duration,
        clock: &Clock,
    ) -> Self {
        let times = |multiple| {
            let quota = quota.saturating_mul(multiple);
            Limiter::new(policy, quota, window, clock)
        };
        Self {
            ipv4: times(NonZeroU32::MIN),
            ipv6: IPV6_MULTIPLES.map(times),
        }
    }

    /// Counts one request of `client`. Returns the limit that leaves the least.
    ///
    /// # Errors
    /// A quota is used up. The request was not counted for the network that has used it up, nor for
    /// wider ones.
    pub(super) fn take(&self, client: IpAddr) -> Result<RateLimit, RateLimit> {
        self.check(client, Limiter::take)
    }

    /// Checks whether `client` has any requests left, without counting one.
    ///
    /// # Errors
    /// A quota is used up.
    pub(super) fn peek(&self, client: IpAddr) -> Result<RateLimit, RateLimit> {
        self.check(client, Limiter::peek)
    }

    fn check(
        &self,
        client: IpAddr,
        check: impl Fn(&Limiter, &IpNet) -> Result<RateLimit, RateLimit>,
    ) -> Result<RateLimit, RateLimit> {
        let limiters = match client {
            IpAddr::V4(_) => slice::from_ref(&self.ipv4),
            IpAddr::V6(_) => &self.ipv6,
        };
        let mut tightest: Option<RateLimit> = None;
        // The narrowest first: what it refuses must not use up the quota of its neighbours.
        for (limiter, network) in limiters.iter().zip(networks(client)) {
            let limit = check(limiter, &network)?;
            if tightest.is_none_or(|other| limit.remaining < other.remaining) {
                tightest = Some(limit);
            }
        }
        Ok(tightest.expect("an address has a network"))
    }
}
