//! Rows of the tables, one file each. Not here: connections, which the engine chooses.

pub mod api_key;
pub mod audit_log;
pub mod idempotency;
pub mod organization;
pub mod registry;
mod schema;
pub(in crate::db) mod server_secret;
mod sql_types;
mod types;
