//! The settings of one process, from flags, environment, a TOML file and defaults.
//!
//! The only reader of the environment. Reports all problems together. Not here: the command line,
//! which `cli` parses and hands over as [`Flags`].

mod access;
mod rate_limits;
pub mod settings;
mod sources;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::auth::jwt::JwtSettings;
use crate::db::DatabaseUrl;
use crate::limits::LimitSettings;
use crate::logging::LogFormat;
use crate::secret_file;

use settings::{Flags, VARIABLE_PREFIX};
use sources::{Content, Sources};
use values::{any_text, listen, log_filter, log_format, number_in, on_or_off};

/// The settings of one process, all checked.
///
/// Each can be given as `--flag`, as environment variable and as key of the TOML file, in this
/// order of precedence: `--database-url`, `QUIETLINE_DATABASE_URL` and `database_url` are one
/// setting. [`settings::SETTINGS`] has the names and defaults. An empty value is a problem
/// everywhere, never "unset", because a deployment that lost a value must not start with a default.
/// Relative paths start from the working directory.
#[derive(Clone, Debug)]
pub struct Config {
    /// `database_url` or `database_url_file`: `sqlite://FILE`, `postgres://…` or `postgresql://…`.
    pub database_url: DatabaseUrl,
    /// `database_pool_size`: connections to PostgreSQL, 1 to 256. Unused on SQLite.
    pub database_pool_size: u32,
    /// `listen`: `address:port` or `host:port` to serve on. A host is resolved when the socket is
    /// bound.
    pub listen: String,
    /// `workers`: threads that serve requests, 1 to 256, by default processors + 1.
    pub workers: usize,
    /// `drain_seconds`: time between the signal to stop and the shutdown, up to 300 s. The server
    /// still serves then, and says that it is not ready.
    pub drain: Duration,
    /// `docs`: `on` serves `/docs` and `/openapi`.
    pub has_docs: bool,
    /// Keys and claims of the tokens of the Tether dialect: `jwt_secret` or `jwt_secret_file` (at
    /// least 32 bytes, never a flag), `jwks_file` or `jwks_url` with `jwks_refresh_seconds`,
    /// `jwt_issuer`, `jwt_audience` and `jwt_max_lifetime`. Without a key every token is refused.
    pub jwt: JwtSettings,
    /// Rate limits: `…_per_minute` and `…_per_day`, 0 (unlimited) to 1,000,000, and
    /// `trusted_proxies`, addresses and networks separated by commas. Where only this machine can
    /// connect, the limits per minute are off by default.
    pub limits: LimitSettings,
    /// `audit_client_network`: `on` stores the network of each client in the audit log.
    pub records_client_networks: bool,
    /// `cors_origins`: origins whose pages may read responses, `https://host[:port]` or
    /// `http://host[:port]`, separated by commas.
    pub cors_origins: Vec<String>,
    /// `anchor_key_file`: the private key of `quietline audit anchor`, which alone reads the file.
    /// The command's own flag is `--key`.
    pub anchor_key_file: Option<String>,
    /// `log`: a filter in env_logger's syntax, in which a module comes with its level.
    pub log: String,
    /// `log_format`: `text` or `json`.
    pub log_format: LogFormat,
}

/// All problems of the settings. `Display` gives one line for each.
///
/// Each line begins with the flag, variable or key at fault, and none holds a secret.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigProblems(pub Vec<String>);

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigProblems {}

/// Returns the user who ran this process by `sudo`, as `sudo` names them. Like any environment
/// variable it proves nothing.
pub fn sudo_user() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this is config")]
    std::env::var("SUDO_USER").ok()
}

impl Config {
    /// Returns the variables of the rate limits that are off although other machines can connect.
    pub fn risky_limits(&self) -> Vec<String> {
        if rate_limits::is_public(&self.listen, &self.limits.trusted_proxies) {
            rate_limits::switched_off(&self.limits)
        } else {
            Vec::new()
        }
    }

    /// Reads environment and files of this process.
    ///
    /// # Errors
    ///
    /// All problems of all sources.
    pub fn load(flags: Flags) -> Result<Config, ConfigProblems> {
        let mut environment = BTreeMap::new();
        let mut problems = Vec::new();
        // `vars` would panic on a variable that is not UTF-8, also on one of another program.
        for (name, value) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if !name.starts_with(VARIABLE_PREFIX) {
                continue;
            }
            match value.into_string() {
                Ok(value) => {
                    environment.insert(name.into_owned(), value);
                }
                // Without the value, which may be a secret.
                Err(_) => problems.push(format!("{name}: is not UTF-8")),
            }
        }
        let read_file = |path: &Path, content| match content {
            Content::Public => std::fs::read_to_string(path),
            Content::Secret => secret_file::read(path),
        };
        match Config::from_sources(flags, &environment, read_file) {
            Ok(config) if problems.is_empty() => Ok(config),
            Ok(_) => Err(ConfigProblems(problems)),
            Err(others) => Err(ConfigProblems([problems, others.0].concat())),
        }
    }

    /// Reads the given environment and files in place of those of this process.
    ///
    /// # Errors
    ///
    /// All problems of all sources.
    pub fn from_sources(
        flags: Flags,
        environment: &BTreeMap<String, String>,
        read_file: impl Fn(&Path, Content) -> io::Result<String>,
    ) -> Result<Config, ConfigProblems> {
        let mut sources = Sources::new(flags, environment, &read_file);
        // Problems are reported in this order.
        let database_url = database_url(&mut sources);
        let database_pool_size = sources.required("database_pool_size", number_in(1..=256));
        let listen = sources.required("listen", listen);
        let config = Config {
            database_url,
            database_pool_size,
            workers: sources
                .optional("workers", number_in(1..=256))
                .unwrap_or_else(default_workers),
            drain: Duration::from_secs(sources.required("drain_seconds", number_in(0..=300))),
            has_docs: sources.required("docs", on_or_off),
            log: sources.required("log", log_filter),
            log_format: sources.required("log_format", log_format),
            jwt: access::jwt_settings(&mut sources),
            limits: rate_limits::limits(&mut sources, &listen),
            listen,
            records_client_networks: sources.required("audit_client_network", on_or_off),
            cors_origins: access::cors_origins(&mut sources),
            anchor_key_file: sources.optional("anchor_key_file", any_text),
        };
        let problems = sources.into_problems();
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(ConfigProblems(problems))
        }
    }
}

/// Returns the URL of the database. After reporting a problem another URL stands in, so that the
/// other settings are checked as well.
fn database_url(sources: &mut Sources<'_>) -> DatabaseUrl {
    let stand_in = DatabaseUrl::Sqlite(PathBuf::new());
    let Some(found) = sources.secret_of("database_url") else {
        return stand_in;
    };
    found.line().parse().unwrap_or_else(|problem: String| {
        sources.report(&found.origin, &problem);
        stand_in
    })
}

/// Returns the number of processors plus one, because a worker that waits for a lock or for a page
/// of the database would otherwise leave a processor idle.
fn default_workers() -> usize {
    thread::available_parallelism().map_or(2, |processors| (processors.get() + 1).min(256))
}
