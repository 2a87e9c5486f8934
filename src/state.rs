//! Shared application state.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::auth::jwt::JwtKeys;
use crate::clock::Clock;
use crate::db::Db;
use crate::db::keys::ApiKeys;
use crate::db::revocations::TokenRevocations;
use crate::limits::Limits;

/// State that all workers and jobs of one process share.
pub struct AppState {
    pub db: Db,
    /// API keys of `db`, through a cache.
    pub keys: ApiKeys,
    pub clock: Clock,
    /// Keys that verify and sign tokens of the Tether dialect.
    pub jwt_keys: JwtKeys,
    /// Revocations of tokens in `db`, through a cache.
    pub revocations: TokenRevocations,
    pub limits: Limits,
    /// True if the audit log gets the network of each client.
    pub records_client_networks: bool,
    is_draining: AtomicBool,
}

impl AppState {
    pub fn new(db: Db, clock: Clock, jwt_keys: JwtKeys, limits: Limits) -> Self {
        Self {
            keys: ApiKeys::new(db.clone()),
            revocations: TokenRevocations::new(db.clone()),
            db,
            clock,
            jwt_keys,
            limits,
            records_client_networks: false,
            is_draining: AtomicBool::new(false),
        }
    }

    /// Starts draining: the server finishes its requests, and the readiness probe fails.
    pub fn begin_draining(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Returns whether [`AppState::begin_draining`] was called.
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }
}
