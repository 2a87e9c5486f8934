//! Use cases of the command line, for an operator with access to the database. Not here: use cases
//! of requests, which are in `app`.

pub mod api_key;
pub mod audit;
pub mod organization;
pub mod registry;
pub mod session;
pub mod token;
