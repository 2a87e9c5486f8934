//! Shared application state.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::auth::jwt::JwtKeys;
use crate::clock::Clock;
use crate::db::Db;
use crate::db::keys::ApiKeys;
use crate::limits::Limits;

/// State that all workers and jobs of one process share.
pub struct AppState {
    /// The one source of truth.
    pub db: Db,
    /// The API keys of `db`, through a cache.
    pub keys: ApiKeys,
    /// The time of day.
    pub clock: Clock,
    /// Keys that verify tokens.
    pub jwt_keys: JwtKeys,
    /// Rate limits.
    pub limits: Limits,
    is_draining: AtomicBool,
}

impl AppState {
    /// Makes the state of a server that has just started.
    pub fn new(db: Db, clock: Clock, jwt_keys: JwtKeys, limits: Limits) -> Self {
        Self {
            keys: ApiKeys::new(db.clone()),
            db,
            clock,
            jwt_keys,
            limits,
            is_draining: AtomicBool::new(false),
        }
    }

    /// Starts draining: the server finishes its requests and wants no new ones.
    pub fn begin_draining(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Returns whether [`AppState::begin_draining`] was called.
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }
}
