//! Operations of the Tether dialect, and their shared rules.

mod access;
mod audit;
mod body;
mod get_missed_call_message;
mod idempotency;
mod methods_and_paths;
mod names;
mod put_missed_call_message;
mod revocations;
mod tokens;
mod users;
