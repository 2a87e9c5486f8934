//! What every part of the running program shares.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::auth::jwt::JwtKeys;
use crate::auth::limits::Limits;
use crate::clock::Clock;
use crate::db::Db;

/// The database, the clock, the keys of tokens, and what the configuration says of answers.
pub struct AppState {
    /// The one source of truth.
    pub db: Db,
    /// The time of day.
    pub clock: Clock,
    /// What tokens are verified with.
    pub jwt_keys: JwtKeys,
    /// What may be asked in a minute; `None` is without limits.
    pub limits: Option<Limits>,
    /// The origins whose pages may read answers (CORS).
    pub cors_origins: Vec<String>,
    is_draining: AtomicBool,
}

impl AppState {
    /// The state of a server that has just started, without limits, and with answers for pages of
    /// its own origin only.
    pub fn new(db: Db, clock: Clock, jwt_keys: JwtKeys) -> Self {
        Self {
            db,
            clock,
            jwt_keys,
            limits: None,
            cors_origins: Vec::new(),
            is_draining: AtomicBool::new(false),
        }
    }

    /// From now on the server finishes what it has and wants no new requests.
    pub fn begin_draining(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Whether [`AppState::begin_draining`] was called.
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }
}
