//! The database: schema, concurrency, durability and the audit chain.

mod audit_chain;
mod concurrency;
mod key_races;
mod migrations;
mod parallel;
mod same_answers;
mod statements;
mod writer;
