//! Every PRAGMA that the program runs, with its reason. How SQLite is compiled is in
//! `.cargo/config.toml`. <https://sqlite.org/pragma.html>

/// Purpose of a connection. It decides the settings.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role {
    /// Brings the schema up to date when the program starts.
    Migration,
    /// Runs all writes of a server.
    Writer,
    /// Runs point reads, on the thread of the request.
    Reader,
    /// Runs reads that may take longer, in a pool.
    ListReader,
    /// Copies the write-ahead log into the database file.
    Checkpointer,
}

impl Role {
    /// Returns the settings that a connection of this role has besides [`EVERY_CONNECTION`].
    pub(super) fn settings(self) -> &'static str {
        match self {
            // Another process may be migrating a large file: ten minutes.
            Self::Migration => "PRAGMA busy_timeout = 600000",
            // The writer retries itself every millisecond. SQLite's own waits for another process's
            // lock grow to 100 ms, too long to catch the short moments in which a busy server
            // releases it.
            Self::Writer => concat!(
                "PRAGMA busy_timeout = 8;",
                // The journal of a request's savepoint stays in memory. Beyond 64 KiB it would go
                // to a temporary file: 2,000 system calls for each store of 1,000 uses of keys.
                "PRAGMA temp_store = MEMORY;",
            ),
            // A defect here cannot change data. The page cache has its default size, 2 MiB: 8 MiB
            // read fewer pages with a million organizations, and were no faster.
            Self::Reader | Self::ListReader => "PRAGMA query_only = ON",
            Self::Checkpointer => "",
        }
    }
}

/// Settings of every connection.
pub(super) const EVERY_CONNECTION: &str = concat!(
    // Milliseconds. Readers never wait for the writer in WAL mode, but a connection that opens
    // while another process recovers or deletes the log does.
    "PRAGMA busy_timeout = 5000;",
    // An acknowledged write survives a power cut: each commit syncs the log.
    "PRAGMA synchronous = FULL;",
    // SQLite checks foreign keys only when asked to.
    "PRAGMA foreign_keys = ON;",
    // No commit checkpoints, because the checkpointer does. The last connection to close does too.
    "PRAGMA wal_autocheckpoint = 0;",
);

/// Turns the write-ahead log on, so that readers and the writer do not wait for each other. The
/// file remembers it.
pub(super) const WRITE_AHEAD_LOG: &str = "PRAGMA journal_mode = WAL";

/// Copies the log into the database file as far as readers allow, while writes go on.
pub(super) const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// Copies the rest of the log and has the next write begin at its start. Blocks writers.
pub(super) const CHECKPOINT_AND_RESET: &str = "PRAGMA wal_checkpoint(RESTART)";
