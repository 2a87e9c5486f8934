//! What a server does on its own, beside answering requests.

pub mod idempotency_records;
pub mod key_uses;
