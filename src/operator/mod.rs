//! Use cases of the command line, for an operator who has the database at hand. They serve no
//! request.

pub mod audit;
pub mod registry;
