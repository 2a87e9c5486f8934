//! Every PRAGMA that the program runs, with its reason. Compile-time options of SQLite are in
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
    /// Checkpoints the WAL.
    Checkpointer,
}

impl Role {
    /// Returns the settings that a connection of this role has besides [`EVERY_CONNECTION`].
    pub(super) fn settings(self) -> &'static str {
        match self {
            // Another process may be migrating a large file: ten minutes.
            Self::Migration => "PRAGMA busy_timeout = 600000",
            // The writer retries every millisecond. SQLite's own waits for another process's lock
            // grow to 100 ms, which is too long to catch the short moments when a busy server
            // releases the lock.
            Self::Writer => concat!(
                "PRAGMA busy_timeout = 8;",
                // The journal of a request's savepoint stays in memory. Beyond 64 KiB it would go
                // to a temporary file: 2,000 system calls for each store of 1,000 uses of keys.
                "PRAGMA temp_store = MEMORY;",
            ),
            // So that a defect in a read cannot change data. The page cache has its default size of
            // 2 MiB. With a million organizations, 8 MiB read fewer pages but were not faster.
            Self::Reader | Self::ListReader => "PRAGMA query_only = ON",
            Self::Checkpointer => "",
        }
    }
}

/// Settings of every connection.
pub(super) const EVERY_CONNECTION: &str = concat!(
    // In milliseconds. Readers never wait for the writer in WAL mode, but a new connection waits
    // while another process recovers or deletes the WAL.
    "PRAGMA busy_timeout = 5000;",
    // An acknowledged write survives a power cut, because each commit syncs the WAL.
    "PRAGMA synchronous = FULL;",
    // SQLite does not check foreign keys by default.
    "PRAGMA foreign_keys = ON;",
    // Commits do not checkpoint, because the checkpointer does. So does the last connection to
    // close.
    "PRAGMA wal_autocheckpoint = 0;",
);

/// Turns the WAL on, so that readers and the writer do not wait for each other. The mode is stored
/// in the file.
pub(super) const WRITE_AHEAD_LOG: &str = "PRAGMA journal_mode = WAL";

/// Checkpoints as far as readers allow, while writes continue.
pub(super) const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// Checkpoints the rest and resets the WAL, so that the next write begins at its start. Blocks
/// writers.
pub(super) const CHECKPOINT_AND_RESET: &str = "PRAGMA wal_checkpoint(RESTART)";

/// Checkpoints everything and empties the WAL file. Blocks writers, and waits for readers.
pub(super) const CHECKPOINT_AND_TRUNCATE: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// Writes one page and changes nothing, because nothing uses this number.
pub(super) const WRITE_ONE_PAGE: &str = "PRAGMA user_version = 0";

/// Reads the first page. The connection then has the WAL open, which is created if needed.
pub(super) const OPEN_WAL: &str = "PRAGMA schema_version";
