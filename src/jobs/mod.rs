//! What a server does on its own, beside answering requests.

pub mod key_uses;
