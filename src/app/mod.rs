//! Use cases: each is one transaction that holds the rule, the change and its audit entries.
//! They serve both dialects and the command line, and know none of them.

pub mod api_key;
pub mod audit_log;
mod change;
pub mod idempotency;
pub mod missed_call_message;
pub mod organization;
