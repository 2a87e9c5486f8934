//! What every test stands on: the application, its database, its callers, and a check of every
//! answer against the spec.

pub mod app;
pub mod bodies;
pub mod database;
pub mod proxy;
pub mod request;
pub mod response;
pub mod spec;

pub use app::TestApp;
