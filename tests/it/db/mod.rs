//! The database: schema, concurrency, durability and the audit chain.
