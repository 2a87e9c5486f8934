//! Evidence: verification, export and anchors of the audit log.

pub mod anchors;
pub mod export;
mod export_format;
pub mod list;
mod read_chain;
pub mod verify;
pub mod verify_export;
