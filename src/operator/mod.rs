//! Use cases of the command line, for an operator who has the database at hand. They serve no
//! request.

pub mod api_key;
pub mod audit;
pub mod organization;
pub mod registry;
