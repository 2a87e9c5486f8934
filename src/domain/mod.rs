//! Types and rules of messaging settings, independent of transport, database and generated code.

pub mod access;
pub mod actor;
pub mod api_key;
pub mod audit;
pub mod auto_replies;
pub mod billing_email;
pub mod change;
pub mod cursor;
pub mod display_text;
pub mod encoding;
pub mod idempotency;
pub mod ids;
pub mod key_selection;
pub mod missed_call_message;
pub mod operator;
pub mod organization;
pub mod precondition;
pub mod quiet_hours;
pub mod registry;
pub mod scope;
pub mod token;
