//! Quietline: organization messaging settings and guardrails behind two public APIs.
//!
//! Four layers, one direction: `handlers -> app -> db`, with `domain` underneath, which imports
//! none of them. `tests/it/tidy/` checks every file against this. `docs/ARCHITECTURE.md` explains
//! it.

pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
pub mod domain;
pub mod error;
pub mod handlers;
pub mod http;
pub mod jobs;
pub mod limits;
pub mod logging;
pub mod operator;
pub mod request;
pub mod secret_file;
pub mod state;
