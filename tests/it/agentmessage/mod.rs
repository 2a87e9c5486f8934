//! Operations of the AgentMessage dialect, one file each.

mod get_organization;
