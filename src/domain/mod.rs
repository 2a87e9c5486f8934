//! Types and rules of messaging settings; it knows no transport, no database and no generated code.

pub mod access;
pub mod api_key;
pub mod audit;
pub mod audit_chain;
pub mod audit_filter;
pub mod billing_email;
pub mod cursor;
mod display_text;
pub mod idempotency;
pub mod ids;
pub mod missed_call_message;
pub mod organization;
pub mod quiet_hours;
pub mod registry;
pub mod text_enum;
