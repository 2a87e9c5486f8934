//! Connections to either database, and the ways to run work on them. Not here: tables.

pub(super) mod connection;
mod connections;
pub(super) mod fair;
mod fault;
mod group_commit;
pub(super) mod in_flight;
pub(super) mod migrations;
mod pool;
pub(super) mod postgres;
mod postgres_url;
pub(super) mod prepared;
pub(super) mod reader;
pub(super) mod readiness;
mod running;
pub(super) mod sqlite;
pub(super) mod url;
pub(super) mod work;
