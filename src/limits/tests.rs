//! Memory of the limits, and the behaviour when it is full. Not here: responses, which tests of the
//! whole application check.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::DateTime;

use super::MINUTE;
use super::buckets::MAX_BUCKETS;
use super::limiter::Limiter;
use crate::clock::Clock;

const FLOOD: u32 = 100_000;

fn limiter(quota: u32) -> (Limiter, Arc<AtomicU64>) {
    let millis = Arc::new(AtomicU64::new(0));
    let clock = Clock::Moved(DateTime::UNIX_EPOCH, millis.clone());
    let quota = NonZeroU32::new(quota).expect("not zero");
    (Limiter::new("address", quota, MINUTE, &clock), millis)
}

fn address(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(number))
}

#[test]
fn a_flood_of_addresses_takes_a_fixed_number_of_buckets() {
    let (limiter, millis) = limiter(2);
    for number in 0..FLOOD {
        // Addresses without a bucket of their own share one bucket.
        let expected = (number as usize) < MAX_BUCKETS + 2;
        let outcome = limiter.take(&address(number));
        assert_eq!(outcome.is_ok(), expected, "{number}");
        assert_eq!(
            limiter.peek(&address(number)).is_ok(),
            expected && number != MAX_BUCKETS as u32 + 1
        );
    }
    assert_eq!(limiter.bucket_count(), MAX_BUCKETS + 1);
    assert!(
        limiter.take(&address(0)).is_ok(),
        "a caller with a bucket keeps it"
    );
    assert!(limiter.take(&address(0)).is_err());
    millis.fetch_add(120_000, Ordering::Relaxed);
    assert!(limiter.take(&address(FLOOD)).is_ok(), "the flood is over");
    assert_eq!(limiter.bucket_count(), 1, "and its buckets are gone");
}

#[test]
fn to_peek_takes_nothing_and_no_memory() {
    let (limiter, _) = limiter(1);
    for number in 0..1_000 {
        assert!(limiter.peek(&address(number)).is_ok());
        assert!(limiter.peek(&address(0)).is_ok());
    }
    assert_eq!(limiter.bucket_count(), 0);
    assert!(limiter.take(&address(0)).is_ok());
    assert!(limiter.peek(&address(0)).is_err());
}

#[test]
fn a_bucket_in_use_is_not_swept() {
    let (limiter, millis) = limiter(2);
    assert!(limiter.take(&address(1)).is_ok() && limiter.take(&address(1)).is_ok());
    for _ in 0..29 {
        millis.fetch_add(1_000, Ordering::Relaxed);
        assert!(limiter.take(&address(1)).is_err());
    }
    millis.fetch_add(1_000, Ordering::Relaxed);
    assert!(limiter.take(&address(1)).is_ok());
    assert!(limiter.take(&address(1)).is_err());
}
