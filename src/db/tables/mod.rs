//! Statements of the tables, one file per table. Not here: connections, which the engine opens.

pub mod api_key;
pub mod audit_log;
pub mod idempotency;
pub mod organization;
pub mod registry;
mod schema;
pub(in crate::db) mod server_secret;
mod sql_types;
pub mod stray;
pub mod token;
mod types;
