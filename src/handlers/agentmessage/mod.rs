//! The AgentMessage dialect: API keys and scopes, responses in an envelope.

mod api_key;
mod audit_log;
mod dialect;
pub mod envelope;
mod organization;

pub use dialect::AgentMessage;
