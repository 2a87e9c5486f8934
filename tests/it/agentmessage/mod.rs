//! Operations of the AgentMessage dialect, one file or folder each, and what they have in common.

mod admin;
mod credentials;
mod get_organization;
mod idempotency;
mod methods_and_paths;
mod patch_organization;
