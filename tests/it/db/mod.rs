//! The database: schema, concurrency, durability and the audit chain.

mod append_only;
mod audit_chain;
mod concurrency;
mod drift;
mod fairness;
mod foreign_servers;
mod group_commit;
mod key_races;
mod logs;
mod lost_confirmation;
mod migrations;
pub mod parallel;
mod postgres_sessions;
mod roles;
mod same_responses;
mod silence;
mod statements;
mod tampering;
mod views;
mod write_ahead_log;
mod writer;
