//! Evidence: the audit log verified, exported and anchored.

pub mod anchors;
pub mod export;
mod export_format;
mod read_chain;
pub mod verify;
pub mod verify_export;
