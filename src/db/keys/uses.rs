//! Uses of API keys that are not stored yet. Storing each with its request would make every read a
//! write. Kept to the minute and stored together, they cost next to nothing.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::ids::ApiKeyId;

/// Maximum number of uses in memory, about 100 bytes each. A use beyond it is dropped, and the
/// key's next request notes it again.
const CAPACITY: usize = 16_384;

/// Uses stored in one transaction. With a million organizations each use changes another page, and
/// all other writes wait: 1,000 uses took 14 to 38 ms.
pub(super) const USES_PER_STORE: usize = 200;

/// Minute, counted since 1970, and a key that was used in it.
type Use = (i64, ApiKeyId);

/// The uses, oldest first.
#[derive(Default)]
pub(super) struct KeyUses(Mutex<BTreeSet<Use>>);

impl KeyUses {
    /// Notes that a key was used. Returns `false` at the capacity.
    pub(super) fn note(&self, id: &ApiKeyId, minute: i64) -> bool {
        let mut uses = self.lock();
        if uses.len() >= CAPACITY {
            return false;
        }
        uses.insert((minute, *id));
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Takes the oldest uses, of one minute and `most` at most: the minute, and the keys in order.
    /// All servers lock rows in that order, which prevents deadlocks.
    pub(super) fn take(&self, most: usize) -> (i64, Vec<ApiKeyId>) {
        let mut uses = self.lock();
        let oldest = uses.first().map_or(0, |(minute, _)| *minute);
        let of_oldest = || match uses.first() {
            Some((minute, _)) if *minute == oldest => uses.pop_first().map(|(_, id)| id),
            _ => None,
        };
        (oldest, std::iter::from_fn(of_oldest).take(most).collect())
    }

    /// Puts back uses that could not be stored.
    pub(super) fn put_back(&self, minute: i64, ids: Vec<ApiKeyId>) {
        self.lock().extend(ids.into_iter().map(|id| (minute, id)));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<Use>> {
        // A panic elsewhere cannot leave the set half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_noted_once_and_taken_once() {
        let (uses, id) = (KeyUses::default(), ApiKeyId::generate());
        assert!(uses.note(&id, 7) && uses.note(&id, 7));
        let (minute, taken) = uses.take(9);
        assert_eq!((minute, &taken), (7, &vec![id]));
        assert!(uses.is_empty());
        uses.put_back(minute, taken.clone());
        assert_eq!(uses.take(9), (7, taken));
    }

    #[test]
    fn uses_of_one_minute_are_taken_at_once_the_oldest_first_and_keys_in_order() {
        let uses = KeyUses::default();
        let mut ids: Vec<_> = std::iter::repeat_with(ApiKeyId::generate).take(5).collect();
        for (id, minute) in ids.iter().rev().zip([8, 7, 7, 7, 7]) {
            assert!(uses.note(id, minute));
        }
        ids.sort();
        let last = ids.pop().expect("five");
        assert_eq!(uses.take(3), (7, ids[..3].to_vec()));
        assert_eq!(uses.take(3), (7, ids[3..].to_vec()));
        assert_eq!(uses.take(3), (8, vec![last]));
        assert!(uses.take(3).1.is_empty());
    }

    #[test]
    fn a_use_beyond_the_capacity_is_not_noted() {
        let uses = KeyUses::default();
        for _ in 0..CAPACITY {
            assert!(uses.note(&ApiKeyId::generate(), 1));
        }
        assert!(!uses.note(&ApiKeyId::generate(), 1));
        assert_eq!(uses.take(usize::MAX).1.len(), CAPACITY);
    }
}
