//! Uses of API keys that are not stored yet. Storing each with its request would make every read a
//! write; kept to the minute and stored together, they cost next to nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::DateTime;

use crate::domain::ids::ApiKeyId;
use crate::error::Result;

use super::{DbConn, api_keys};

/// Uses held at most, about 100 bytes each. What does not fit is noted at its next occasion.
const CAPACITY: usize = 4096;

/// Keys whose use one statement stores, so that it does not hold them all for long.
const KEYS_PER_STATEMENT: usize = 500;

/// Ids of keys by the minute of their use, in minutes since 1970.
pub(super) type Uses = BTreeMap<i64, BTreeSet<ApiKeyId>>;

/// What is not stored yet.
#[derive(Default)]
pub(super) struct KeyUses(Mutex<Uses>);

impl KeyUses {
    /// Notes that a key was used; `false` if there is no room.
    pub(super) fn note(&self, id: &ApiKeyId, minute: i64) -> bool {
        let mut uses = self.lock();
        if uses.values().map(BTreeSet::len).sum::<usize>() >= CAPACITY {
            return false;
        }
        uses.entry(minute).or_default().insert(id.clone());
        true
    }

    /// Takes all that was noted.
    pub(super) fn take(&self) -> Uses {
        std::mem::take(&mut *self.lock())
    }

    /// Puts back what could not be stored.
    pub(super) fn put_back(&self, uses: Uses) {
        for (minute, ids) in uses {
            for id in ids {
                let _has_room = self.note(&id, minute);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Uses> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stores `uses`; returns how many rows that changed.
pub(super) fn store(conn: &mut DbConn, uses: Uses) -> Result<usize> {
    let mut changed = 0;
    for (minute, ids) in uses {
        let minute = DateTime::from_timestamp(minute * 60, 0).unwrap_or_default();
        let ids: Vec<ApiKeyId> = ids.into_iter().collect();
        for ids in ids.chunks(KEYS_PER_STATEMENT) {
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
        assert!(uses.note(&id, 7) && uses.note(&id, 7) && uses.note(&id, 8));
        let taken = uses.take();
        let both = [7, 8].map(|minute| (minute, BTreeSet::from([id.clone()])));
        assert_eq!(taken, BTreeMap::from(both));
        assert_eq!(uses.take(), BTreeMap::new());
        uses.put_back(taken.clone());
        assert_eq!(uses.take(), taken);
    }

    #[test]
    fn a_use_beyond_the_capacity_is_not_noted() {
        let uses = KeyUses::default();
        for minute in 0..CAPACITY {
            assert!(uses.note(&ApiKeyId::generate(), minute as i64 % 3));
        }
        assert!(!uses.note(&ApiKeyId::generate(), 1));
        assert_eq!(
            uses.take().values().map(BTreeSet::len).sum::<usize>(),
            CAPACITY
        );
    }
}
