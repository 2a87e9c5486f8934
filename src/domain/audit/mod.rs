//! The audit log: events of a change, the entries that they become, and the chain of entries.

pub mod chain;
pub mod entry;
pub mod event;
pub mod filter;
