//! Application, database and callers of every test, and a check of every response against the spec.

pub mod app;
pub mod bodies;
pub mod database;
pub mod pooler;
pub mod proxy;
pub mod request;
pub mod response;
pub mod spec;

pub use app::TestApp;
