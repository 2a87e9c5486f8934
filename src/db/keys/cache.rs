//! API keys that were looked up a moment ago, so that a busy key does not cost a query per request.
//! A key revoked by this process is forgotten at once; one revoked elsewhere lives on for [`TTL`]
//! at most. Where a query is dear, keys in use are looked up again many at a time, before that.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::domain::api_key::{ApiKey, HashedApiKey};
use crate::domain::ids::ApiKeyId;

/// How long a key is believed without asking. The contract allows one second.
const TTL: Duration = Duration::from_millis(900);

/// The age from which a key in use is looked up again, if [`Refresh::Together`].
const REFRESH_AGE: Duration = Duration::from_millis(600);

/// The age from which another key is looked up along with one that is due: all that are in use come
/// to be looked up at the same times, and not each at its own.
const ALONG_AGE: Duration = Duration::from_millis(200);

/// Keys that are looked up together at most.
const REFRESHED_AT_ONCE: usize = 256;

/// Keys held at most in one shard, about 500 bytes each. A full shard forgets those that are no
/// longer believed, or all if there are none.
const SHARD_CAPACITY: usize = 1024;

/// More than there are processors, so that workers rarely meet.
const SHARDS: usize = 16;

/// A key that was looked up, as it was less than a second ago.
#[derive(Debug)]
pub struct FoundKey {
    key: ApiKey,
    /// The last minute, counted since 1970, of which it is known or noted that the key was used.
    used_in: AtomicI64,
}

impl FoundKey {
    /// A key as the database has it.
    pub(in crate::db) fn new(key: ApiKey) -> Self {
        let used_in = key.last_used_at.map_or(i64::MIN, minute_of);
        Self {
            key,
            used_in: AtomicI64::new(used_in),
        }
    }

    /// Has `note` note that the key was used in `minute`, unless that is known; it answers whether
    /// it could. No lock is taken in the usual case.
    pub(in crate::db) fn note_use(&self, minute: i64, note: impl FnOnce(&ApiKeyId) -> bool) {
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
pub(in crate::db) fn minute_of(moment: DateTime<Utc>) -> i64 {
    moment.timestamp().div_euclid(60)
}

/// When keys in use are looked up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::db) enum Refresh {
    /// Each when it is next asked for after [`TTL`].
    Alone,
    /// At [`REFRESH_AGE`], with all of its shard of at least [`ALONG_AGE`] that were asked for.
    Together,
}

/// Keys by the hash of the whole key. Unknown keys are never held: anybody can invent them.
pub(in crate::db) struct KeyCache {
    refresh: Refresh,
    shards: [Shard; SHARDS],
    /// Grows when keys are forgotten, so that a look-up that began before is not remembered after.
    generation: AtomicU64,
    /// Revocations under way.
    doubts: AtomicUsize,
}

#[derive(Default)]
struct Shard {
    keys: RwLock<HashMap<HashedApiKey, Entry>>,
    is_refreshing: AtomicBool,
}

struct Entry {
    looked_up: Instant,
    key: Arc<FoundKey>,
    /// Whether it was asked for since.
    is_in_use: AtomicBool,
}

/// What the cache knows of a key.
#[derive(Debug)]
pub(in crate::db) enum Known<'a> {
    /// It was looked up within [`TTL`].
    Now(Arc<FoundKey>),
    /// The same, and it is time to look it up again together with others.
    Due(Turn<'a>),
    /// It was looked up longer ago than that.
    Before,
    /// It was never looked up, or was forgotten since.
    Never,
}

/// The right to look keys of a shard up again, which one request has at a time.
#[derive(Debug)]
pub(in crate::db) struct Turn<'a> {
    /// What is to be looked up: the key that was asked for, and others.
    pub(in crate::db) hashes: Vec<HashedApiKey>,
    is_refreshing: &'a AtomicBool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.is_refreshing.store(false, Ordering::Release);
    }
}

/// A revocation under way: until this is dropped no key is believed without asking.
pub(in crate::db) struct Doubt(Arc<KeyCache>);

impl Drop for Doubt {
    fn drop(&mut self) {
        self.0.doubts.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A look-up in progress: when it began, and in which generation.
pub(in crate::db) struct LookUp {
    began: Instant,
    generation: u64,
}

impl KeyCache {
    pub(in crate::db) fn new(refresh: Refresh) -> Self {
        Self {
            refresh,
            shards: Default::default(),
            generation: AtomicU64::default(),
            doubts: AtomicUsize::default(),
        }
    }

    /// To be called before a revocation is stored, and to be kept until [`KeyCache::forget_all`]:
    /// between the two a key that is held here may be one that was revoked.
    pub(in crate::db) fn doubt(self: &Arc<Self>) -> Doubt {
        self.doubts.fetch_add(1, Ordering::SeqCst);
        Doubt(Arc::clone(self))
    }

    /// To be called before the cache and then the database are asked.
    pub(in crate::db) fn begin(&self) -> LookUp {
        LookUp {
            began: Instant::now(),
            generation: self.generation.load(Ordering::SeqCst),
        }
    }

    /// What is known of the key with this hash.
    pub(in crate::db) fn get(&self, look_up: &LookUp, hash: &HashedApiKey) -> Known<'_> {
        let shard = self.shard(hash);
        let keys = shard.read();
        let Some(entry) = keys.get(hash) else {
            return Known::Never;
        };
        if !entry.is_in_use.load(Ordering::Relaxed) {
            entry.is_in_use.store(true, Ordering::Relaxed);
        }
        match entry.age_at(look_up.began) {
            _ if self.doubts.load(Ordering::SeqCst) > 0 => Known::Before,
            age if age >= TTL => Known::Before,
            age if age >= REFRESH_AGE && self.refresh == Refresh::Together && shard.take_turn() => {
                Known::Due(Turn {
                    hashes: due_with(&keys, hash, look_up.began),
                    is_refreshing: &shard.is_refreshing,
                })
            }
            _ => Known::Now(Arc::clone(&entry.key)),
        }
    }

    /// Remembers what the database said, unless keys were forgotten since it was asked.
    pub(in crate::db) fn remember(
        &self,
        look_up: &LookUp,
        hash: HashedApiKey,
        key: &Arc<FoundKey>,
    ) {
        let mut keys = self.shard(&hash).write();
        if self.generation.load(Ordering::SeqCst) != look_up.generation {
            return;
        }
        if keys.len() >= SHARD_CAPACITY && !keys.contains_key(&hash) {
            keys.retain(|_, entry| entry.age_at(look_up.began) < TTL);
            if keys.len() >= SHARD_CAPACITY {
                keys.clear();
            }
        }
        let entry = Entry {
            looked_up: look_up.began,
            key: Arc::clone(key),
            is_in_use: AtomicBool::new(false),
        };
        keys.insert(hash, entry);
    }

    /// Forgets every key, for instance because one was revoked.
    pub(in crate::db) fn forget_all(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        for shard in &self.shards {
            shard.write().clear();
        }
    }

    fn shard(&self, hash: &HashedApiKey) -> &Shard {
        &self.shards[usize::from(hash.as_bytes()[0]) % SHARDS]
    }
}

impl Shard {
    fn read(&self) -> RwLockReadGuard<'_, HashMap<HashedApiKey, Entry>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<HashedApiKey, Entry>> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the caller is now the one to refresh; a [`Turn`] gives that back.
    fn take_turn(&self) -> bool {
        !self.is_refreshing.swap(true, Ordering::Acquire)
    }
}

impl Entry {
    fn age_at(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.looked_up)
    }
}

/// `hash`, and others that at `now` are old enough to come along.
fn due_with(
    keys: &HashMap<HashedApiKey, Entry>,
    hash: &HashedApiKey,
    now: Instant,
) -> Vec<HashedApiKey> {
    let comes_along =
        |entry: &Entry| entry.age_at(now) >= ALONG_AGE && entry.is_in_use.load(Ordering::Relaxed);
    let others = keys
        .iter()
        .filter(|(other, entry)| *other != hash && comes_along(entry))
        .map(|(other, _)| other);
    std::iter::once(hash)
        .chain(others)
        .take(REFRESHED_AT_ONCE)
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::api_key::PlaintextApiKey;
    use crate::domain::ids::OrgId;
    use crate::domain::scope::ScopeSet;

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

    fn cache() -> KeyCache {
        KeyCache::new(Refresh::Alone)
    }

    impl KeyCache {
        fn get_now(&self, hash: &HashedApiKey) -> Known<'_> {
            self.get(&self.begin(), hash)
        }
    }

    impl LookUp {
        fn ago(&self, age: Duration) -> Self {
            let began = self.began.checked_sub(age);
            Self {
                began: began.expect("the machine runs longer than that"),
                ..*self
            }
        }
    }

    fn of_one_shard(count: usize) -> Vec<HashedApiKey> {
        let hash = |number: usize| {
            let mut bytes = [0; 32];
            bytes[24..].copy_from_slice(&number.to_be_bytes());
            HashedApiKey::from_stored(bytes)
        };
        (0..count).map(hash).collect()
    }

    #[test]
    fn a_key_is_remembered_until_it_is_forgotten() {
        let (cache, (hash, key)) = (cache(), key());
        assert!(matches!(cache.get_now(&hash), Known::Never));
        cache.remember(&cache.begin(), hash, &key);
        assert!(matches!(cache.get_now(&hash), Known::Now(found) if Arc::ptr_eq(&found, &key)));
        cache.forget_all();
        assert!(matches!(cache.get_now(&hash), Known::Never));
    }

    #[test]
    fn while_a_revocation_is_under_way_no_key_is_believed() {
        let (cache, (hash, key)) = (Arc::new(cache()), key());
        cache.remember(&cache.begin(), hash, &key);
        let doubts = (cache.doubt(), cache.doubt());
        drop(doubts.0);
        assert!(matches!(cache.get_now(&hash), Known::Before));
        drop(doubts.1);
        assert!(matches!(cache.get_now(&hash), Known::Now(_)));
    }

    #[test]
    fn what_was_asked_before_a_revocation_is_not_remembered_after_it() {
        let (cache, (hash, key)) = (cache(), key());
        let look_up = cache.begin();
        cache.forget_all();
        cache.remember(&look_up, hash, &key);
        assert!(matches!(cache.get_now(&hash), Known::Never));
    }

    #[test]
    fn an_old_answer_is_not_believed() {
        let (cache, (hash, key)) = (cache(), key());
        cache.remember(&cache.begin().ago(TTL), hash, &key);
        assert!(matches!(cache.get_now(&hash), Known::Before));
    }

    #[test]
    fn keys_in_use_are_looked_up_again_together_by_one_request_while_others_go_on() {
        let (cache, (_, key)) = (KeyCache::new(Refresh::Together), key());
        let (now, hashes) = (cache.begin(), of_one_shard(4));
        for (hash, age) in hashes.iter().zip([REFRESH_AGE, ALONG_AGE, REFRESH_AGE]) {
            cache.remember(&now.ago(age), *hash, &key);
        }
        cache.remember(&now, hashes[3], &key);
        for hash in [&hashes[1], &hashes[3]] {
            assert!(matches!(cache.get(&now, hash), Known::Now(_)));
        }
        let Known::Due(turn) = cache.get(&now, &hashes[0]) else {
            panic!("old enough to be looked up again");
        };
        assert_eq!(
            turn.hashes,
            hashes[..2],
            "the third was not asked for, the fourth is new"
        );
        assert!(matches!(cache.get(&now, &hashes[1]), Known::Now(_)));
        drop(turn);
        let again = cache.get(&now, &hashes[0]);
        assert!(matches!(again, Known::Due(_)), "nothing came of it");
        drop(again);
        cache.remember(&now, hashes[0], &key);
        assert!(matches!(cache.get(&now, &hashes[0]), Known::Now(_)));
    }

    #[test]
    fn no_more_keys_are_looked_up_together_than_one_query_should_ask_for() {
        let (cache, (_, key)) = (KeyCache::new(Refresh::Together), key());
        let (now, hashes) = (cache.begin(), of_one_shard(REFRESHED_AT_ONCE + 9));
        let then = now.ago(REFRESH_AGE);
        for hash in &hashes {
            cache.remember(&then, *hash, &key);
            assert!(matches!(cache.get(&then, hash), Known::Now(_)));
        }
        for asked in [hashes[0], hashes[hashes.len() - 1]] {
            let Known::Due(turn) = cache.get(&now, &asked) else {
                panic!("old enough to be looked up again");
            };
            assert_eq!(turn.hashes.len(), REFRESHED_AT_ONCE);
            assert_eq!(turn.hashes[0], asked);
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
    fn a_full_shard_forgets_what_is_not_believed_any_more_and_otherwise_all() {
        let (cache, (_, key)) = (cache(), key());
        let (now, hashes) = (cache.begin(), of_one_shard(2 * SHARD_CAPACITY));
        let held = || cache.shards[0].read().len();
        for (number, hash) in hashes[..SHARD_CAPACITY].iter().enumerate() {
            let age = if number < 9 { TTL } else { Duration::ZERO };
            cache.remember(&now.ago(age), *hash, &key);
        }
        cache.remember(&now, hashes[0], &key);
        assert_eq!(held(), SHARD_CAPACITY, "it was there already");
        cache.remember(&now, hashes[SHARD_CAPACITY], &key);
        assert_eq!(held(), SHARD_CAPACITY - 8 + 1);
        for hash in &hashes[SHARD_CAPACITY + 1..] {
            cache.remember(&now, *hash, &key);
            assert!(held() <= SHARD_CAPACITY);
        }
    }
}
