//! Use cases of the two APIs. Each is one transaction: rule, change, audit entries. Every one takes
//! the proof that its caller may do it.

pub mod api_key;
pub mod audit_log;
mod change;
pub mod idempotency;
pub mod missed_call_message;
pub mod organization;
mod tenant;
