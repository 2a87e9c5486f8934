//! Classifies errors of the databases: temporary conditions, after which a client may retry (503),
//! and defects (500).
//!
//! Compares messages, because Diesel distinguishes few conditions and hides the codes of both
//! databases. The messages must be English, so every session of PostgreSQL asks for that. A role
//! that may not set `lc_messages` gets some responses 500 instead of 503.
//! <https://github.com/diesel-rs/diesel/pull/5232> adds SQLSTATE for PostgreSQL.
//! Remove when `DatabaseErrorInformation` has the codes.

use diesel::connection::SimpleConnection;
use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::error::{Error, chain};

use super::connection::DbConn;

/// Message of SQLITE_BUSY: another connection holds the lock.
const LOCKED: &str = "database is locked";

/// Message of SQLITE_FULL, in lower case.
const FULL: &str = "database or disk is full";

/// Messages of SQLITE_FULL, SQLITE_IOERR, SQLITE_CANTOPEN and SQLITE_READONLY, in lower case.
/// <https://sqlite.org/rescode.html>
const SQLITE_UNAVAILABLE: [&str; 5] = [
    LOCKED,
    FULL,
    "disk i/o error",
    "unable to open database file",
    "attempt to write a readonly database",
];

/// Messages of the classes 40 (deadlock), 53 (no resources), 55 (lock timeout) and 57 (operator
/// intervention), and libpq's of a lost connection, in lower case.
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
const POSTGRES_UNAVAILABLE: [&str; 9] = [
    "canceling statement due to",
    "terminating connection",
    "the database system is",
    "could not extend file",
    "no space left on device",
    "remaining connection slots",
    "server closed the connection",
    "deadlock detected",
    OUTDATED,
];

/// Message about a prepared statement on a table that was altered afterwards.
const OUTDATED: &str = "cached plan must not change result type";

/// Part of PostgreSQL's message of a change in a read-only session.
const READ_ONLY: &str = "in a read-only transaction";

impl From<DieselError> for Error {
    fn from(error: DieselError) -> Self {
        if is_unavailable(&error) {
            Self::unavailable(error)
        } else {
            Self::internal(error)
        }
    }
}

/// Returns the error of a statement that commits. If `conn` is lost, the commit may have succeeded.
pub(super) fn commit_error(conn: &mut DbConn, error: Error) -> Error {
    match error {
        Error::Unavailable(cause) | Error::Internal(cause)
            if conn.batch_execute("SELECT 1").is_err() =>
        {
            Error::OutcomeUnknown(cause)
        }
        error => error,
    }
}

/// Returns whether another process holds SQLite's write lock.
pub(super) fn is_locked(error: &Error) -> bool {
    chain(error).contains(LOCKED)
}

/// Returns whether SQLite had no space on its disk.
pub(super) fn is_full(error: &Error) -> bool {
    chain(error).contains(FULL)
}

/// Returns whether SQLite found a page that is not what it should be.
pub(super) fn is_malformed(error: &Error) -> bool {
    chain(error).contains("malformed")
}

/// Returns whether SQLite could not read its files. It reports some errors of the disk as a
/// malformed file.
pub(super) fn is_unreadable(error: &Error) -> bool {
    is_malformed(error) || chain(error).contains("disk I/O error")
}

/// Returns whether a table was altered after the session prepared a statement on it. PostgreSQL
/// refuses the statement for as long as the session lasts.
pub(super) fn is_outdated(error: &Error) -> bool {
    chain(error).contains(OUTDATED)
}

/// Returns whether PostgreSQL refused a change because its session is read-only.
pub(super) fn is_read_only(error: &Error) -> bool {
    chain(error).contains(READ_ONLY)
}

fn is_unavailable(error: &DieselError) -> bool {
    match error {
        DieselError::DatabaseError(kind, info) => match kind {
            DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::SerializationFailure
            | DatabaseErrorKind::ReadOnlyTransaction
            | DatabaseErrorKind::UnableToSendCommand => true,
            _ => {
                let message = info.message().to_ascii_lowercase();
                let mut messages = SQLITE_UNAVAILABLE.iter().chain(&POSTGRES_UNAVAILABLE);
                messages.any(|text| message.contains(text))
            }
        },
        DieselError::BrokenTransactionManager => true,
        DieselError::RollbackErrorOnCommit { commit_error, .. } => is_unavailable(commit_error),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_without_space_or_lock_is_unavailable_and_a_defect_is_internal() {
        let error_of = |message: &str| {
            let message = Box::new(message.to_owned());
            Error::from(DieselError::DatabaseError(
                DatabaseErrorKind::Unknown,
                message,
            ))
        };
        for message in [
            "database or disk is full",
            "disk I/O error",
            "database is locked",
            "canceling statement due to lock timeout",
            "FATAL:  the database system is shutting down",
        ] {
            let error = error_of(message);
            assert!(matches!(error, Error::Unavailable(_)), "{message}");
            assert_eq!(is_locked(&error), message == LOCKED);
            assert_eq!(is_full(&error), message == FULL);
        }
        for message in [
            "no such table: organizations",
            "database disk image is malformed",
        ] {
            assert!(matches!(error_of(message), Error::Internal(_)), "{message}");
        }
    }
}
