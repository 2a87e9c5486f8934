//! Evidence: the audit log verified, exported and anchored.

pub mod anchors;
pub mod export;
mod export_format;
pub mod list;
mod read_chain;
pub mod verify;
pub mod verify_export;
