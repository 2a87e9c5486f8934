//! Use cases: each is one transaction that holds the rule, the change and its audit entries.
//! They serve both dialects and the command line, and know none of them.

pub mod api_keys;
pub mod audit_anchors;
mod audit_chains;
pub mod audit_export;
pub mod audit_file;
mod audit_lines;
pub mod audit_log;
pub mod audit_verification;
mod change;
pub mod idempotency;
pub mod missed_call;
pub mod organization;
pub mod registry;
