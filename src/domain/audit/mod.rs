//! The audit log: events of a change, the entries that they become, the chain of entries,
//! and its replay.

pub mod chain;
pub mod entry;
pub mod event;
pub mod filter;
pub mod replay;
pub mod rows;
