//! Tests that start the real application on a real database. `TEST_DATABASE_URL` names a PostgreSQL
//! server to run on. Without it each test has its own SQLite file.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod agentmessage;
mod command_line;
mod contract;
mod db;
mod limits;
mod support;
mod tether_relay;
mod tidy;
