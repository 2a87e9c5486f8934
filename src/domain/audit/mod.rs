//! The audit log: what a change records, the entries it becomes, and the chain that they form.

pub mod chain;
pub mod entry;
pub mod event;
pub mod filter;
