//! Session of a command that writes: its database, its clock and its operator.

use crate::clock::Clock;
use crate::db::Db;
use crate::domain::actor::Author;
use crate::domain::operator::Operator;

/// Database and clock of a command, with the operator who runs it.
pub struct Session {
    pub db: Db,
    pub clock: Clock,
    pub operator: Operator,
}

impl Session {
    /// Returns the author of a change, with a new request id.
    pub(super) fn author(&self) -> Author {
        Author::command_line(&self.operator)
    }

    /// Returns the identity of the operator, as the audit log records it.
    pub fn identity(&self) -> String {
        self.author().actor.identity()
    }
}
