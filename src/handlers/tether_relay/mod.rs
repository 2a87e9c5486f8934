//! The Tether dialect: tokens and roles, bare responses.

mod dialect;
pub mod envelope;
mod missed_call_message;

pub use dialect::TetherRelay;
