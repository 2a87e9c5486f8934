//! Uses of API keys that are not stored yet. Storing each with its request would make every read a
//! write; kept to the minute and stored together, they cost next to nothing.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::DateTime;

use crate::domain::ids::ApiKeyId;
use crate::error::Result;

use super::{DbConn, api_keys};

/// Uses held at most, about 100 bytes each. What does not fit is noted at its next occasion.
const CAPACITY: usize = 16_384;

/// Uses that one transaction stores: with a million organizations each is a row somewhere else, and
/// other writes wait for them all.
pub(super) const USES_PER_STORE: usize = 1000;

/// Keys whose use one statement stores, so that it does not hold them all for long.
const KEYS_PER_STATEMENT: usize = 500;

/// A minute, counted since 1970, and a key that was used in it.
pub(super) type Use = (i64, ApiKeyId);

/// What is not stored yet.
#[derive(Default)]
pub(super) struct KeyUses(Mutex<BTreeSet<Use>>);

impl KeyUses {
    /// Notes that a key was used; `false` if there is no room.
    pub(super) fn note(&self, id: &ApiKeyId, minute: i64) -> bool {
        let mut uses = self.lock();
        if uses.len() >= CAPACITY {
            return false;
        }
        uses.insert((minute, id.clone()));
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Takes the oldest of what was noted, `most` uses at most, in order.
    pub(super) fn take(&self, most: usize) -> Vec<Use> {
        let mut uses = self.lock();
        std::iter::from_fn(|| uses.pop_first()).take(most).collect()
    }

    /// Puts back what could not be stored.
    pub(super) fn put_back(&self, uses: Vec<Use>) {
        self.lock().extend(uses);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<Use>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stores `uses`, which are in order; returns how many rows that changed.
pub(super) fn store(conn: &mut DbConn, uses: &[Use]) -> Result<usize> {
    let mut changed = 0;
    for of_minute in uses.chunk_by(|(minute, _), (next, _)| minute == next) {
        for uses in of_minute.chunks(KEYS_PER_STATEMENT) {
            let minute = DateTime::from_timestamp(uses[0].0 * 60, 0).unwrap_or_default();
            let ids = uses.iter().map(|(_, id)| id);
            changed += api_keys::update_last_used(conn, ids, minute)?;
        }
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_noted_once_and_taken_once() {
        let (uses, id) = (KeyUses::default(), ApiKeyId::generate());
        assert!(uses.note(&id, 8) && uses.note(&id, 7) && uses.note(&id, 7));
        let taken = uses.take(9);
        assert_eq!(taken, [(7, id.clone()), (8, id)]);
        assert!(uses.is_empty());
        uses.put_back(taken.clone());
        assert_eq!(uses.take(9), taken);
    }

    #[test]
    fn of_more_uses_than_are_taken_at_once_the_oldest_come_first() {
        let (uses, id) = (KeyUses::default(), ApiKeyId::generate());
        assert!((1..=5).all(|minute| uses.note(&id, minute)));
        let minutes = |taken: Vec<Use>| taken.into_iter().map(|(minute, _)| minute);
        assert!(minutes(uses.take(3)).eq(1..=3));
        assert!(minutes(uses.take(3)).eq(4..=5));
    }

    #[test]
    fn a_use_beyond_the_capacity_is_not_noted() {
        let uses = KeyUses::default();
        for minute in 0..CAPACITY {
            assert!(uses.note(&ApiKeyId::generate(), minute as i64 % 3));
        }
        assert!(!uses.note(&ApiKeyId::generate(), 1));
        assert_eq!(uses.take(usize::MAX).len(), CAPACITY);
    }
}
