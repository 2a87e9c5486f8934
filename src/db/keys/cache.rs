//! Cache of API keys, so that a busy key does not cost a query per request. On PostgreSQL that
//! query bounds a server at 23,200 requests a second (W4a of `docs/PERFORMANCE.md`, one lookup and
//! nothing else). With a cached key the server sends 94,500 responses a second (W4b). On SQLite the
//! cache makes no difference.
//!
//! A key revoked by this process is invalidated at once. A key revoked elsewhere is served for
//! [`TTL`] at most. Eviction and locks are quick_cache's, freshness is decided here.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use quick_cache::sync::Cache;

use crate::domain::api_key::{ApiKey, HashedApiKey};
use crate::domain::ids::ApiKeyId;

/// Age up to which a cached key is used without a query. The contract allows one second.
const TTL: Duration = Duration::from_millis(900);

/// Maximum number of cached keys, about 500 bytes each.
const CAPACITY: usize = 16_384;

/// API key as it was less than a second ago.
#[derive(Debug)]
pub struct CachedKey {
    key: ApiKey,
    /// Latest minute, counted since 1970, with a stored or noted use of the key.
    used_in: AtomicI64,
}

impl CachedKey {
    pub(super) fn new(key: ApiKey) -> Self {
        let used_in = key.last_used_at.map_or(i64::MIN, minute_of);
        Self {
            key,
            used_in: AtomicI64::new(used_in),
        }
    }

    /// Calls `note` with a use in `minute`, unless a use in that minute was noted before. `note`
    /// returns `false` if it cannot store the use. Usually takes no lock.
    pub(super) fn note_use(&self, minute: i64, note: impl FnOnce(&ApiKeyId) -> bool) {
        if self.used_in.load(Ordering::Relaxed) < minute && note(&self.key.id) {
            // The larger minute wins, because requests of two minutes may run at the same time.
            self.used_in.fetch_max(minute, Ordering::Relaxed);
        }
    }
}

impl Deref for CachedKey {
    type Target = ApiKey;

    fn deref(&self) -> &ApiKey {
        &self.key
    }
}

/// Returns the minute of `moment`, counted since 1970.
pub(super) fn minute_of(moment: DateTime<Utc>) -> i64 {
    moment.timestamp().div_euclid(60)
}

/// Keys by the hash of the complete key. Unknown keys are never cached, because clients can invent
/// any number of them.
pub(super) struct KeyCache {
    entries: Cache<HashedApiKey, Entry>,
    /// Number of invalidations. An entry is valid in the generation in which its lookup began.
    generation: AtomicU64,
    /// Number of [`RevocationGuard`]s.
    revocations: AtomicUsize,
}

#[derive(Clone)]
struct Entry {
    start: LookupStart,
    key: Arc<CachedKey>,
}

/// Result of a lookup in the cache.
#[derive(Debug)]
pub(super) enum Lookup {
    /// The key was read within [`TTL`] and not invalidated since.
    Fresh(Arc<CachedKey>),
    /// The key is cached, but has to be read again.
    Stale,
    /// The key is not cached.
    Miss,
}

/// Beginning of a lookup. Taken before the cache and the database are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct LookupStart {
    at: Instant,
    generation: u64,
}

/// Guard of a revocation in progress. The cache is bypassed until it is dropped.
pub(super) struct RevocationGuard(Arc<KeyCache>);

impl Drop for RevocationGuard {
    fn drop(&mut self) {
        self.0.revocations.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Default for KeyCache {
    fn default() -> Self {
        Self {
            entries: Cache::new(CAPACITY),
            generation: AtomicU64::default(),
            revocations: AtomicUsize::default(),
        }
    }
}

impl KeyCache {
    /// Begins a lookup.
    pub(super) fn start(&self) -> LookupStart {
        LookupStart {
            at: Instant::now(),
            generation: self.generation.load(Ordering::SeqCst),
        }
    }

    /// Looks up the key with this hash.
    pub(super) fn get(&self, start: LookupStart, hash: &HashedApiKey) -> Lookup {
        let Some(Entry { start: read, key }) = self.entries.get(hash) else {
            return Lookup::Miss;
        };
        // A cached key may be one that the revocation in progress has already revoked.
        let is_bypassed = self.revocations.load(Ordering::SeqCst) > 0;
        // After `revocations`, because a revocation changes the generation before its guard drops.
        let is_valid = read.generation == self.generation.load(Ordering::SeqCst);
        if !is_bypassed && is_valid && start.at.saturating_duration_since(read.at) < TTL {
            Lookup::Fresh(key)
        } else {
            Lookup::Stale
        }
    }

    /// Returns whether the key with this hash is cached, however old the entry, and was live when
    /// it was read.
    pub(super) fn has_live(&self, hash: &HashedApiKey) -> bool {
        let entry = self.entries.get(hash);
        entry.is_some_and(|entry| entry.key.revoked_at.is_none())
    }

    /// Caches the key that the database returned to the lookup that began at `start`. The entry is
    /// not valid if the cache was invalidated since.
    pub(super) fn insert(&self, start: LookupStart, hash: HashedApiKey, key: &Arc<CachedKey>) {
        let key = Arc::clone(key);
        self.entries.insert(hash, Entry { start, key });
    }

    /// Bypasses the cache while a revocation commits. Acquire the guard before the write and drop
    /// it after [`KeyCache::invalidate_all`], because in between a cached key may already be
    /// revoked.
    pub(super) fn bypass(self: &Arc<Self>) -> RevocationGuard {
        self.revocations.fetch_add(1, Ordering::SeqCst);
        RevocationGuard(Arc::clone(self))
    }

    /// Invalidates every cached key.
    pub(super) fn invalidate_all(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::api_key::PlaintextApiKey;
    use crate::domain::ids::OrgId;
    use crate::domain::scope::ScopeSet;

    fn key() -> (HashedApiKey, Arc<CachedKey>) {
        let plaintext = PlaintextApiKey::generate();
        let key = ApiKey {
            id: ApiKeyId::generate(),
            org_id: OrgId::generate(),
            label: "test".into(),
            prefix: plaintext.prefix().into(),
            scopes: ScopeSet::default(),
            created_by: "command-line".into(),
            created_at: DateTime::UNIX_EPOCH,
            last_used_at: None,
            revoked_at: None,
            expires_at: None,
        };
        (plaintext.hash(), Arc::new(CachedKey::new(key)))
    }

    fn get(cache: &KeyCache, hash: &HashedApiKey) -> Lookup {
        cache.get(cache.start(), hash)
    }

    fn insert(cache: &KeyCache, hash: HashedApiKey, key: &Arc<CachedKey>) {
        cache.insert(cache.start(), hash, key);
    }

    #[test]
    fn a_key_is_fresh_until_it_is_invalidated_and_then_read_again() {
        let (cache, (hash, key)) = (KeyCache::default(), key());
        assert!(matches!(get(&cache, &hash), Lookup::Miss));
        insert(&cache, hash, &key);
        assert!(matches!(get(&cache, &hash), Lookup::Fresh(found) if Arc::ptr_eq(&found, &key)));
        cache.invalidate_all();
        assert!(matches!(get(&cache, &hash), Lookup::Stale));
        insert(&cache, hash, &key);
        assert!(matches!(get(&cache, &hash), Lookup::Fresh(_)));
    }

    #[test]
    fn while_a_revocation_is_in_progress_no_key_is_fresh() {
        let (cache, (hash, key)) = (Arc::new(KeyCache::default()), key());
        insert(&cache, hash, &key);
        let guards = (cache.bypass(), cache.bypass());
        drop(guards.0);
        assert!(matches!(get(&cache, &hash), Lookup::Stale));
        drop(guards.1);
        assert!(matches!(get(&cache, &hash), Lookup::Fresh(_)));
    }

    #[test]
    fn a_key_that_was_read_before_a_revocation_is_not_fresh_after_it() {
        let (cache, (hash, key)) = (KeyCache::default(), key());
        let start = cache.start();
        cache.invalidate_all();
        cache.insert(start, hash, &key);
        assert!(matches!(get(&cache, &hash), Lookup::Stale));
    }

    #[test]
    fn a_key_is_fresh_for_its_ttl_only() {
        let (cache, (hash, key)) = (KeyCache::default(), key());
        let start = cache.start();
        cache.insert(start, hash, &key);
        for (age, is_fresh) in [(TTL - Duration::from_millis(1), true), (TTL, false)] {
            let later = LookupStart {
                at: start.at + age,
                ..start
            };
            let lookup = cache.get(later, &hash);
            assert_eq!(matches!(lookup, Lookup::Fresh(_)), is_fresh, "{age:?}");
        }
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
    fn a_full_cache_evicts_some_keys_and_not_all() {
        let (cache, (_, key)) = (KeyCache::default(), key());
        let hash = |number: usize| {
            let mut bytes = [0; 32];
            bytes[24..].copy_from_slice(&number.to_be_bytes());
            HashedApiKey::from_stored(bytes)
        };
        for number in 0..2 * CAPACITY {
            insert(&cache, hash(number), &key);
        }
        let cached = (0..2 * CAPACITY)
            .filter(|number| matches!(get(&cache, &hash(*number)), Lookup::Fresh(_)))
            .count();
        assert!((CAPACITY / 2..=CAPACITY).contains(&cached), "{cached}");
    }
}
