//! API keys as requests see them: cached for less than a second, their uses gathered.

pub(in crate::db) mod cache;
pub(in crate::db) mod uses;
