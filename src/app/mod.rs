//! Use cases of the two APIs, each one transaction of rule, change and audit entries. Every use
//! case takes the proof that its caller has permission.

pub mod api_key;
pub mod audit_log;
mod change;
pub mod idempotency;
pub mod missed_call_message;
pub mod organization;
mod tenant;
