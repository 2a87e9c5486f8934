//! Shared by the commands: opening the database, the keys of tokens, and the result of a command.

use crate::auth::jwt::{JwtKeys, Secret};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{DatabaseUrl, Db};
use crate::error::{BoxError, Error, chain};
use crate::operator::session::Session;

use super::operator::OperatorArgs;

/// Result of a command. `false` means that the command worked but found a fault.
pub(super) type Outcome = Result<bool, BoxError>;

/// Database and clock, for commands that work on the database.
pub(super) struct Context {
    pub(super) db: Db,
    pub(super) clock: Clock,
}

impl Context {
    /// Returns the session of a command that writes.
    pub(super) fn session(self, operator: &OperatorArgs) -> Session {
        let Self { db, clock } = self;
        let operator = operator.operator();
        Session {
            db,
            clock,
            operator,
        }
    }
}

/// Opens the database and brings its schema up to date.
pub(super) fn open(config: &Config) -> Result<Context, BoxError> {
    let db = Db::open(&config.database_url, config.database_pool_size)
        .map_err(|error| format!("database {}: {}", config.database_url, describe(&error)))?;
    Ok(Context {
        db,
        clock: Clock::System,
    })
}

/// Opens an existing database only. A mistyped name would otherwise create an empty database, which
/// always verifies.
pub(super) fn open_existing(config: &Config) -> Result<Context, BoxError> {
    // Only SQLite creates a database when it is opened. If the path cannot be examined, `open`
    // reports the cause.
    if let DatabaseUrl::Sqlite(path) = &config.database_url
        && path.try_exists().is_ok_and(|exists| !exists)
    {
        return Err(format!("there is no database {}", config.database_url).into());
    }
    open(config)
}

/// Prepares the configured keys of tokens.
pub(super) fn jwt_keys(config: &Config) -> Result<JwtKeys, BoxError> {
    JwtKeys::new(&config.jwt).map_err(|problems| problems.join("\n").into())
}

/// Returns the secret that signs tokens.
pub(super) fn jwt_secret(config: &Config) -> Result<&Secret, BoxError> {
    let missing = "no JWT secret: set QUIETLINE_JWT_SECRET or QUIETLINE_JWT_SECRET_FILE";
    config.jwt.secret.as_ref().ok_or_else(|| missing.into())
}

/// Describes an error and its causes in one line, including violations.
pub(super) fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    if let Some(Error::Invalid(violations)) = error.downcast_ref::<Error>() {
        let rules: Vec<String> = violations
            .iter()
            .map(|rule| format!("{}: {}", rule.path, rule.message))
            .collect();
        return rules.join("; ");
    }
    chain(error)
}
