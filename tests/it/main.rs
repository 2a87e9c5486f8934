//! The tests that start the real application on a real database. `TEST_DATABASE_URL` names the
//! PostgreSQL server they run on; without it each test has a SQLite file of its own.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod agentmessage;
mod command_line;
mod contract;
mod db;
mod limits;
mod support;
mod tether_relay;
mod tidy;
