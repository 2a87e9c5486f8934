//! API keys that were looked up a moment ago, so that a busy key does not cost a query per request.
//! A key revoked by this process is forgotten at once; one revoked elsewhere lives on for [`TTL`]
//! at most.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::domain::api_key::{ApiKey, HashedApiKey};
use crate::domain::ids::ApiKeyId;

/// How long a key is believed without asking. The contract allows one second.
const TTL: Duration = Duration::from_millis(900);

/// Keys held at most in one shard, about 300 bytes each; a full shard is emptied.
const SHARD_CAPACITY: usize = 4096;

/// More than there are processors, so that workers rarely meet.
const SHARDS: usize = 16;

type Shard = RwLock<HashMap<HashedApiKey, (Instant, Arc<FoundKey>)>>;

/// A key that was looked up, as it was less than a second ago.
#[derive(Debug)]
pub struct FoundKey {
    key: ApiKey,
    /// The last minute, counted since 1970, of which it is known or noted that the key was used.
    used_in: AtomicI64,
}

impl FoundKey {
    /// A key as the database has it.
    pub(super) fn new(key: ApiKey) -> Self {
        let used_in = key.last_used_at.map_or(i64::MIN, minute_of);
        Self {
            key,
            used_in: AtomicI64::new(used_in),
        }
    }

    /// Has `note` note that the key was used in `minute`, unless that is known; it answers whether
    /// it could. No lock is taken in the usual case.
    pub(super) fn note_use(&self, minute: i64, note: impl FnOnce(&ApiKeyId) -> bool) {
        if self.used_in.load(Ordering::Relaxed) < minute && note(&self.key.id) {
            self.used_in.fetch_max(minute, Ordering::Relaxed);
        }
    }
}

impl Deref for FoundKey {
    type Target = ApiKey;

    fn deref(&self) -> &ApiKey {
        &self.key
    }
}

/// The minute that `moment` is in, counted since 1970.
pub(super) fn minute_of(moment: DateTime<Utc>) -> i64 {
    moment.timestamp().div_euclid(60)
}

/// Keys by the hash of the whole key. Unknown keys are never held: anybody can invent them.
#[derive(Default)]
pub(super) struct KeyCache {
    shards: [Shard; SHARDS],
    /// Grows when keys are forgotten, so that a look-up that began before is not remembered after.
    generation: AtomicU64,
}

/// What the cache knows of a key.
#[derive(Debug)]
pub(super) enum Known {
    /// It was looked up within [`TTL`].
    Now(Arc<FoundKey>),
    /// It was looked up longer ago than that.
    Before,
    /// It was never looked up, or was forgotten since.
    Never,
}

/// A look-up in progress: when it began, and in which generation.
pub(super) struct LookUp {
    began: Instant,
    generation: u64,
}

impl KeyCache {
    /// What is known of the key with this hash.
    pub(super) fn get(&self, hash: &HashedApiKey) -> Known {
        let shard = self
            .shard(hash)
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        match shard.get(hash) {
            Some((seen, key)) if seen.elapsed() < TTL => Known::Now(Arc::clone(key)),
            Some(_) => Known::Before,
            None => Known::Never,
        }
    }

    /// To be called before the database is asked.
    pub(super) fn begin(&self) -> LookUp {
        LookUp {
            began: Instant::now(),
            generation: self.generation.load(Ordering::SeqCst),
        }
    }

    /// Remembers what the database said, unless keys were forgotten since it was asked.
    pub(super) fn remember(&self, look_up: &LookUp, hash: HashedApiKey, key: &Arc<FoundKey>) {
        let mut shard = self
            .shard(&hash)
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if self.generation.load(Ordering::SeqCst) != look_up.generation {
            return;
        }
        if shard.len() >= SHARD_CAPACITY {
            shard.clear();
        }
        shard.insert(hash, (look_up.began, Arc::clone(key)));
    }

    /// Forgets every key, for instance because one was revoked.
    pub(super) fn forget_all(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        for shard in &self.shards {
            shard
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .clear();
        }
    }

    fn shard(&self, hash: &HashedApiKey) -> &Shard {
        &self.shards[usize::from(hash.as_bytes()[0]) % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::api_key::{PlaintextApiKey, ScopeSet};
    use crate::domain::ids::OrgId;

    fn key() -> (HashedApiKey, Arc<FoundKey>) {
        let plaintext = PlaintextApiKey::generate();
        let key = ApiKey {
            id: ApiKeyId::generate(),
            org_id: OrgId::generate(),
            label: "test".into(),
            prefix: plaintext.prefix().into(),
            scopes: ScopeSet::default(),
            created_at: DateTime::UNIX_EPOCH,
            last_used_at: None,
            revoked_at: None,
        };
        (plaintext.hash(), Arc::new(FoundKey::new(key)))
    }

    #[test]
    fn a_key_is_remembered_until_it_is_forgotten() {
        let (cache, (hash, key)) = (KeyCache::default(), key());
        assert!(matches!(cache.get(&hash), Known::Never));
        cache.remember(&cache.begin(), hash, &key);
        assert!(matches!(cache.get(&hash), Known::Now(found) if Arc::ptr_eq(&found, &key)));
        cache.forget_all();
        assert!(matches!(cache.get(&hash), Known::Never));
    }

    #[test]
    fn what_was_asked_before_a_revocation_is_not_remembered_after_it() {
        let (cache, (hash, key)) = (KeyCache::default(), key());
        let look_up = cache.begin();
        cache.forget_all();
        cache.remember(&look_up, hash, &key);
        assert!(matches!(cache.get(&hash), Known::Never));
    }

    #[test]
    fn an_old_answer_is_not_believed() {
        let (cache, (hash, key)) = (KeyCache::default(), key());
        let long_ago = Instant::now()
            .checked_sub(TTL)
            .expect("the machine runs longer than that");
        let look_up = LookUp {
            began: long_ago,
            ..cache.begin()
        };
        cache.remember(&look_up, hash, &key);
        assert!(matches!(cache.get(&hash), Known::Before));
    }

    #[test]
    fn a_use_is_noted_once_a_minute_and_again_when_there_was_no_room() {
        let (_, key) = key();
        let noted = AtomicI64::new(0);
        let note_in = |minute, has_room| {
            key.note_use(minute, |_| {
                noted.fetch_add(1, Ordering::Relaxed);
                has_room
            });
            noted.load(Ordering::Relaxed)
        };
        assert_eq!((note_in(7, false), note_in(7, true)), (1, 2));
        assert_eq!((note_in(7, true), note_in(6, true)), (2, 2));
        assert_eq!((note_in(8, true), note_in(8, true)), (3, 3));
    }

    #[test]
    fn a_shard_never_grows_beyond_its_capacity() {
        let (cache, (_, value)) = (KeyCache::default(), key());
        for _ in 0..SHARD_CAPACITY + 100 {
            let (hash, _) = key();
            cache.remember(&cache.begin(), hash, &value);
        }
        let sizes = cache.shards.iter().map(|shard| shard.read().unwrap().len());
        assert!(sizes.max().unwrap() <= SHARD_CAPACITY);
    }
}
