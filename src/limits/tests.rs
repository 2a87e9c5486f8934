//! Behaviour of the limits when more callers come than a limit has buckets. Not here: responses,
//! which tests of the whole application check.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::DateTime;

use super::MINUTE;
use super::address_limiter::AddressLimiter;
use super::buckets::BUCKETS;
use super::limiter::Limiter;
use crate::clock::Clock;

/// Number of callers of a flood, more than there are buckets.
const FLOOD: u32 = 3 * BUCKETS as u32;

fn quota(quota: u32) -> NonZeroU32 {
    NonZeroU32::new(quota).expect("not zero")
}

fn clock() -> (Clock, Arc<AtomicU64>) {
    let millis = Arc::new(AtomicU64::new(0));
    (Clock::Moved(DateTime::UNIX_EPOCH, millis.clone()), millis)
}

fn limiter(requests: u32) -> (Limiter, Arc<AtomicU64>) {
    let (clock, millis) = clock();
    (
        Limiter::new("credential", quota(requests), MINUTE, &clock),
        millis,
    )
}

/// Returns a limit of one request per minute of an address.
fn address_limiter() -> AddressLimiter {
    AddressLimiter::new("address", quota(1), MINUTE, &clock().0)
}

fn ipv4(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(number))
}

/// Returns the first address of a /64 network, by its number in 2001:db8::/32.
fn ipv6(network: u32) -> IpAddr {
    let first = u128::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0));
    IpAddr::V6(Ipv6Addr::from_bits(first + (u128::from(network) << 64)))
}

#[test]
fn no_caller_is_refused_because_there_are_many_callers() {
    let (limiter, _) = limiter(2);
    for caller in 0..FLOOD {
        assert!(limiter.take(&caller).is_ok(), "{caller}");
        assert!(limiter.peek(&caller).is_ok(), "{caller}");
    }
}

#[test]
fn a_caller_over_its_quota_stays_refused_while_many_others_come() {
    let (limiter, millis) = limiter(2);
    let over = FLOOD;
    assert!(limiter.take(&over).is_ok() && limiter.take(&over).is_ok());
    for caller in 0..FLOOD {
        assert!(limiter.take(&caller).is_ok(), "{caller}");
    }
    assert!(limiter.take(&over).is_err());
    millis.fetch_add(30_000, Ordering::Relaxed);
    assert!(limiter.take(&over).is_ok());
    assert!(limiter.take(&over).is_err());
}

#[test]
fn to_peek_takes_no_bucket() {
    let (limiter, _) = limiter(1);
    assert!(limiter.take(&FLOOD).is_ok());
    for caller in 0..FLOOD {
        assert!(limiter.peek(&caller).is_ok());
    }
    assert!(limiter.peek(&FLOOD).is_err());
}

#[test]
fn a_bucket_refills_evenly_and_a_refused_request_takes_nothing() {
    let (limiter, millis) = limiter(2);
    assert!(limiter.take(&1).is_ok() && limiter.take(&1).is_ok());
    for _ in 0..29 {
        millis.fetch_add(1_000, Ordering::Relaxed);
        assert!(limiter.take(&1).is_err());
    }
    millis.fetch_add(1_000, Ordering::Relaxed);
    assert!(limiter.take(&1).is_ok());
    assert!(limiter.take(&1).is_err());
}

#[test]
fn an_ipv6_site_has_a_multiple_of_the_quota_however_many_networks_it_uses() {
    let limiter = address_limiter();
    // The networks of a /56, then one of each other /56 of the same /48.
    let passed = (0..256).filter(|network| limiter.take(ipv6(*network)).is_ok());
    assert_eq!(passed.count(), 4);
    let passed = (1..256).filter(|number| limiter.take(ipv6(number << 8)).is_ok());
    assert_eq!(passed.count(), 12);
    assert!(limiter.take(ipv6(1 << 16)).is_ok(), "another /48");
}

#[test]
fn a_network_over_its_quota_takes_nothing_from_its_neighbours() {
    let limiter = address_limiter();
    assert!(limiter.take(ipv6(0)).is_ok());
    for _ in 0..100 {
        assert!(limiter.take(ipv6(0)).is_err());
    }
    assert!(limiter.take(ipv6(1)).is_ok());
}

#[test]
fn an_ipv6_47_that_uses_up_its_quota_takes_nothing_from_ipv4_clients() {
    let limiter = address_limiter();
    let honest = ipv4(u32::MAX);
    assert!(limiter.take(honest).is_ok());
    for network in 0..1 << 17 {
        // Most of them are refused, which is another test.
        let _counted = limiter.take(ipv6(network)).is_ok();
    }
    assert!(limiter.take(honest).is_err(), "its bucket is still there");
    for number in 0..1_000 {
        assert!(limiter.take(ipv4(number)).is_ok(), "{number}");
    }
}
