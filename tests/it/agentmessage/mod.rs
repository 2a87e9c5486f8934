//! Operations of the AgentMessage dialect, with one file or folder each, and their shared rules.

mod admin;
mod api_key;
mod client_network;
mod create_api_key;
mod credentials;
mod delete_api_key;
mod get_api_key;
mod get_organization;
mod idempotency;
mod key_expiry;
mod key_uses;
mod list_api_keys;
mod list_audit_log;
mod methods_and_paths;
mod patch_organization;
mod rotate_api_key;
mod visible_text;
