//! The settings of one process, from flags, environment, a TOML file and defaults.
//!
//! The only reader of the environment. All problems are found before any is reported. Not here:
//! the command line, which `cli` parses and hands over as [`Overrides`].

mod access;
mod sources;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::auth::jwt::{JwtKeys, JwtSettings, MIN_SECRET_BYTES, Secret};
use crate::limits::LimitSettings;
use crate::db::DatabaseUrl;
use crate::logging::LogFormat;

use sources::{Setting, Sources};

const VARIABLE_PREFIX: &str = "QUIETLINE_";

const CONFIG: Setting = Setting::text("QUIETLINE_CONFIG", None);
const DATABASE_URL: Setting =
    Setting::text("QUIETLINE_DATABASE_URL", Some("sqlite://quietline.db"));
const DATABASE_POOL_SIZE: Setting = Setting::number("QUIETLINE_DATABASE_POOL_SIZE", Some("16"));
const LISTEN: Setting = Setting::text("QUIETLINE_LISTEN", Some("127.0.0.1:8080"));
const WORKERS: Setting = Setting::number("QUIETLINE_WORKERS", None);
const DRAIN_SECONDS: Setting = Setting::number("QUIETLINE_DRAIN_SECONDS", Some("0"));
const DOCS: Setting = Setting::text("QUIETLINE_DOCS", Some("on"));
const JWT_SECRET: Setting = Setting::text("QUIETLINE_JWT_SECRET", None);
const JWT_SECRET_FILE: Setting = Setting::text("QUIETLINE_JWT_SECRET_FILE", None);
const JWKS_FILE: Setting = Setting::text("QUIETLINE_JWKS_FILE", None);
const JWT_ISSUER: Setting = Setting::text("QUIETLINE_JWT_ISSUER", None);
const JWT_AUDIENCE: Setting = Setting::text("QUIETLINE_JWT_AUDIENCE", None);
const CREDENTIAL_REQUESTS: Setting =
    Setting::number("QUIETLINE_CREDENTIAL_REQUESTS_PER_MINUTE", Some("0"));
const ORGANIZATION_REQUESTS: Setting =
    Setting::number("QUIETLINE_ORGANIZATION_REQUESTS_PER_MINUTE", Some("0"));
const ADDRESS_REQUESTS: Setting =
    Setting::number("QUIETLINE_ADDRESS_REQUESTS_PER_MINUTE", Some("0"));
const ADDRESS_FAILURES: Setting =
    Setting::number("QUIETLINE_ADDRESS_FAILURES_PER_MINUTE", Some("0"));
const TRUSTED_PROXIES: Setting = Setting::text("QUIETLINE_TRUSTED_PROXIES", None);
const CORS_ORIGINS: Setting = Setting::text("QUIETLINE_CORS_ORIGINS", None);
const ANCHOR_KEY_FILE: Setting = Setting::text("QUIETLINE_ANCHOR_KEY_FILE", None);
const LOG: Setting = Setting::text("QUIETLINE_LOG", Some(DEFAULT_LOG));
/// actix logs an error for every request that is not HTTP, and r2d2 one for every connection that
/// fails: anybody could fill the log with the first, and our own 503 says the second.
const DEFAULT_LOG: &str = "info,actix_server=warn,actix_http=off,r2d2=off";
const LOG_FORMAT: Setting = Setting::text("QUIETLINE_LOG_FORMAT", Some("text"));

/// Every setting there is; `.env.example` lists them in this order.
const SETTINGS: [Setting; 21] = [
    CONFIG,
    DATABASE_URL,
    DATABASE_POOL_SIZE,
    LISTEN,
    WORKERS,
    DRAIN_SECONDS,
    DOCS,
    JWT_SECRET,
    JWT_SECRET_FILE,
    JWKS_FILE,
    JWT_ISSUER,
    JWT_AUDIENCE,
    CREDENTIAL_REQUESTS,
    ORGANIZATION_REQUESTS,
    ADDRESS_REQUESTS,
    ADDRESS_FAILURES,
    TRUSTED_PROXIES,
    CORS_ORIGINS,
    ANCHOR_KEY_FILE,
    LOG,
    LOG_FORMAT,
];

/// The settings of one process, all checked.
///
/// Each can be given as `--flag`, as environment variable and as key of the TOML file, in this
/// order of precedence: `--database-url`, `QUIETLINE_DATABASE_URL` and `database_url` are one
/// setting. An empty value is a problem everywhere, never "unset": a deployment that lost a
/// value must not start with a default. Relative paths start from the working directory.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the data is. `QUIETLINE_DATABASE_URL`, default `sqlite://quietline.db`; the scheme
    /// is `sqlite`, `postgres` or `postgresql`.
    pub database_url: DatabaseUrl,
    /// Connections to PostgreSQL; nothing on SQLite. `QUIETLINE_DATABASE_POOL_SIZE`, default 16,
    /// 1 to 256.
    pub database_pool_size: u32,
    /// Address and port to serve on, as `address:port` or `host:port`; a host is resolved when
    /// the socket is bound. `QUIETLINE_LISTEN`, default `127.0.0.1:8080`.
    pub listen: String,
    /// Threads that serve requests. `QUIETLINE_WORKERS`, default processors + 1, 1 to 256.
    pub workers: usize,
    /// How long a server that is told to stop still serves while it says that it is not ready.
    /// `QUIETLINE_DRAIN_SECONDS`, default 0, up to 300.
    pub drain: Duration,
    /// Whether `/docs` and `/openapi` are served. `QUIETLINE_DOCS`, `on` (the default) or `off`.
    pub has_docs: bool,
    /// Which tokens the Tether dialect accepts: `QUIETLINE_JWT_SECRET` or `…_JWT_SECRET_FILE`
    /// (at least 32 bytes; never a flag, and in the TOML file only `jwt_secret_file`),
    /// `QUIETLINE_JWKS_FILE`, `QUIETLINE_JWT_ISSUER` and `QUIETLINE_JWT_AUDIENCE`. By default
    /// there is none of them, and every token is refused.
    pub jwt: JwtSettings,
    /// What may be asked in a minute: `QUIETLINE_CREDENTIAL_REQUESTS_PER_MINUTE`,
    /// `…_ORGANIZATION_REQUESTS_…`, `…_ADDRESS_REQUESTS_…` and `…_ADDRESS_FAILURES_…`, each 0 (the
    /// default: without limit) to 1,000,000; and `QUIETLINE_TRUSTED_PROXIES`, addresses and
    /// networks separated by commas, by default none.
    pub limits: LimitSettings,
    /// The origins whose pages may read answers, `https://host[:port]` or `http://host[:port]`.
    /// `QUIETLINE_CORS_ORIGINS`, separated by commas, by default none.
    pub cors_origins: Vec<String>,
    /// The private key that `quietline audit anchor` signs with, which is the only one to read it.
    /// `QUIETLINE_ANCHOR_KEY_FILE`; the command's own flag is `--key`. By default there is none.
    pub anchor_key_file: Option<String>,
    /// What is logged, in env_logger's filter syntax; a module comes with its level.
    /// `QUIETLINE_LOG`; the default is `info` without the noise of the libraries.
    pub log: String,
    /// How it is logged, `text` or `json`. `QUIETLINE_LOG_FORMAT`, default `text`.
    pub log_format: LogFormat,
}

/// What the command line gave, unparsed; `None`: the flag was absent.
///
/// Has no `Debug`, because a database URL may hold a password.
#[derive(Clone, Default)]
pub struct Overrides {
    /// `--config`: the TOML file to read; `QUIETLINE_CONFIG` otherwise.
    pub config_file: Option<String>,
    /// `--database-url`, for [`Config::database_url`].
    pub database_url: Option<String>,
    /// `--database-pool-size`, for [`Config::database_pool_size`].
    pub database_pool_size: Option<String>,
    /// `--listen`, for [`Config::listen`].
    pub listen: Option<String>,
    /// `--workers`, for [`Config::workers`].
    pub workers: Option<String>,
    /// `--drain-seconds`, for [`Config::drain`].
    pub drain_seconds: Option<String>,
    /// `--docs`, for [`Config::has_docs`].
    pub docs: Option<String>,
    /// `--jwks-file`, for [`JwtSettings::jwks_json`].
    pub jwks_file: Option<String>,
    /// `--jwt-issuer`, for [`JwtSettings::issuer`].
    pub jwt_issuer: Option<String>,
    /// `--jwt-audience`, for [`JwtSettings::audience`].
    pub jwt_audience: Option<String>,
    /// `--credential-requests-per-minute`, for [`LimitSettings::credential_requests`].
    pub credential_requests_per_minute: Option<String>,
    /// `--organization-requests-per-minute`, for [`LimitSettings::organization_requests`].
    pub organization_requests_per_minute: Option<String>,
    /// `--address-requests-per-minute`, for [`LimitSettings::address_requests`].
    pub address_requests_per_minute: Option<String>,
    /// `--address-failures-per-minute`, for [`LimitSettings::address_failures`].
    pub address_failures_per_minute: Option<String>,
    /// `--trusted-proxies`, for [`LimitSettings::trusted_proxies`].
    pub trusted_proxies: Option<String>,
    /// `--cors-origins`, for [`Config::cors_origins`].
    pub cors_origins: Option<String>,
    /// `--log`, for [`Config::log`].
    pub log: Option<String>,
    /// `--log-format`, for [`Config::log_format`].
    pub log_format: Option<String>,
}

/// Everything that is wrong with the settings; `Display` gives one line for each problem.
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

impl Config {
    /// Reads environment and files of this process.
    ///
    /// # Errors
    ///
    /// All problems of all sources.
    pub fn load(overrides: Overrides) -> Result<Config, ConfigProblems> {
        let mut environment = BTreeMap::new();
        let mut problems = Vec::new();
        for (name, value) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if !name.starts_with(VARIABLE_PREFIX) {
                continue;
            }
            match value.into_string() {
                Ok(value) => {
                    environment.insert(name.into_owned(), value);
                }
                Err(_) => problems.push(format!("{name}: is not UTF-8")),
            }
        }
        let read_file = |path: &Path| std::fs::read_to_string(path);
        match (
            Config::from_sources(overrides, &environment, read_file),
            problems.is_empty(),
        ) {
            (Ok(config), true) => Ok(config),
            (Ok(_), false) => Err(ConfigProblems(problems)),
            (Err(others), _) => Err(ConfigProblems([problems, others.0].concat())),
        }
    }

    /// Like [`Config::load`], from the given environment and files; touches no other.
    ///
    /// # Errors
    ///
    /// All problems of all sources.
    pub fn from_sources(
        overrides: Overrides,
        environment: &BTreeMap<String, String>,
        read_file: impl Fn(&Path) -> io::Result<String>,
    ) -> Result<Config, ConfigProblems> {
        let mut sources = Sources::new(flags(overrides), environment, &read_file);
        let parsed = (
            sources.parse(&DATABASE_URL, database_url),
            sources.parse(&DATABASE_POOL_SIZE, number_up_to_256),
            sources.parse(&LISTEN, listen),
            sources.parse(&WORKERS, number_up_to_256),
            sources.parse(&DRAIN_SECONDS, seconds_up_to_300),
            sources.parse(&DOCS, on_or_off),
            sources.parse(&LOG, log_filter),
            sources.parse(&LOG_FORMAT, log_format),
        );
        let jwt = jwt_settings(&mut sources);
        let limits = access::limits(&mut sources);
        let cors_origins = access::cors_origins(&mut sources);
        let anchor_key_file = sources.parse(&ANCHOR_KEY_FILE, any_text);
        let problems = sources.into_problems();
        let (
            Some(url),
            Some(pool_size),
            Some(listen),
            workers,
            Some(drain),
            Some(has_docs),
            Some(log),
            Some(format),
        ) = parsed
        else {
            return Err(ConfigProblems(problems));
        };
        if !problems.is_empty() {
            return Err(ConfigProblems(problems));
        }
        Ok(Config {
            database_url: url,
            database_pool_size: u32::from(pool_size),
            listen,
            workers: workers.map_or_else(default_workers, usize::from),
            drain,
            has_docs,
            jwt,
            limits,
            cors_origins,
            anchor_key_file,
            log,
            log_format: format,
        })
    }
}

/// The flags by variable. Names every field, so that a new one cannot be forgotten here.
fn flags(overrides: Overrides) -> BTreeMap<&'static str, String> {
    let Overrides {
        config_file,
        database_url,
        database_pool_size,
        listen,
        workers,
        drain_seconds,
        docs,
        jwks_file,
        jwt_issuer,
        jwt_audience,
        credential_requests_per_minute,
        organization_requests_per_minute,
        address_requests_per_minute,
        address_failures_per_minute,
        trusted_proxies,
        cors_origins,
        log,
        log_format,
    } = overrides;
    let flags = [
        (CONFIG, config_file),
        (DATABASE_URL, database_url),
        (DATABASE_POOL_SIZE, database_pool_size),
        (LISTEN, listen),
        (WORKERS, workers),
        (DRAIN_SECONDS, drain_seconds),
        (DOCS, docs),
        (JWKS_FILE, jwks_file),
        (JWT_ISSUER, jwt_issuer),
        (JWT_AUDIENCE, jwt_audience),
        (CREDENTIAL_REQUESTS, credential_requests_per_minute),
        (ORGANIZATION_REQUESTS, organization_requests_per_minute),
        (ADDRESS_REQUESTS, address_requests_per_minute),
        (ADDRESS_FAILURES, address_failures_per_minute),
        (TRUSTED_PROXIES, trusted_proxies),
        (CORS_ORIGINS, cors_origins),
        (LOG, log),
        (LOG_FORMAT, log_format),
    ];
    let given = flags
        .into_iter()
        .filter_map(|(setting, text)| Some((setting.variable, text?)));
    given.collect()
}

fn jwt_settings(sources: &mut Sources<'_>) -> JwtSettings {
    let mut settings = JwtSettings {
        secret: jwt_secret(sources),
        jwks_json: None,
        issuer: sources.parse(&JWT_ISSUER, any_text),
        audience: sources.parse(&JWT_AUDIENCE, any_text),
    };
    if let Some((origin, jwks_json)) = sources.content_of(&JWKS_FILE) {
        // Built only for its verdict, so that a bad key set is reported with everything else.
        let jwks_json = Some(jwks_json);
        let only_jwks = JwtSettings {
            jwks_json,
            ..JwtSettings::default()
        };
        if let Err(problems) = JwtKeys::new(&only_jwks) {
            problems
                .iter()
                .for_each(|problem| sources.report(&origin, problem));
        }
        settings.jwks_json = only_jwks.jwks_json;
    }
    settings
}

fn jwt_secret(sources: &mut Sources<'_>) -> Option<Secret> {
    let in_variable = sources.has_variable(&JWT_SECRET);
    if in_variable && sources.has_variable(&JWT_SECRET_FILE) {
        let name = JWT_SECRET_FILE.variable;
        sources.report(
            name,
            "is set together with QUIETLINE_JWT_SECRET; set only one",
        );
        return None;
    }
    let (origin, mut secret) = if in_variable {
        (
            JWT_SECRET.variable.to_owned(),
            sources.parse(&JWT_SECRET, any_text)?,
        )
    } else {
        sources.content_of(&JWT_SECRET_FILE)?
    };
    if !in_variable {
        // Editors and `echo` end a file with one newline, which is not part of the secret.
        let without_newline = secret.strip_suffix('\n').unwrap_or(&secret);
        let length = without_newline
            .strip_suffix('\r')
            .unwrap_or(without_newline)
            .len();
        secret.truncate(length);
    }
    if secret.len() < MIN_SECRET_BYTES {
        sources.report(
            &origin,
            &format!("the secret is under {MIN_SECRET_BYTES} bytes"),
        );
    }
    Some(Secret::new(secret))
}

fn any_text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

fn database_url(text: &str) -> Result<DatabaseUrl, String> {
    text.parse()
}

fn number_up_to_256(text: &str) -> Result<u16, String> {
    let number = text
        .parse()
        .ok()
        .filter(|number| (1..=256).contains(number));
    number.ok_or_else(|| format!("{text:?} is not a whole number from 1 to 256"))
}

fn seconds_up_to_300(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| *seconds <= 300);
    let seconds = seconds.ok_or_else(|| format!("{text:?} is not a whole number from 0 to 300"));
    seconds.map(Duration::from_secs)
}

/// One more than processors: a worker that waits for a lock or for a page of the database would
/// else leave a processor idle.
fn default_workers() -> usize {
    thread::available_parallelism().map_or(2, |processors| (processors.get() + 1).min(256))
}

fn listen(text: &str) -> Result<String, String> {
    let is_host = |host: &str| {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        !host.is_empty() && host.chars().all(is_allowed)
    };
    let has_host = text
        .rsplit_once(':')
        .is_some_and(|(host, port)| is_host(host) && port.parse::<u16>().is_ok());
    if has_host || text.parse::<SocketAddr>().is_ok() {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} is not address:port or host:port"))
    }
}

fn on_or_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        other => Err(format!("{other:?} is not on or off")),
    }
}

fn log_filter(text: &str) -> Result<String, String> {
    // A lone word that is no level would be taken for a module, of which there is none: silence.
    let directives = text.split('/').next().unwrap_or_default().split(',');
    let is_module = |word: &str| word.starts_with("quietline") || word.contains(['=', ':']);
    if let Some(word) = directives.map(str::trim).find(|word| {
        !word.is_empty() && !is_module(word) && word.parse::<log::LevelFilter>().is_err()
    }) {
        return Err(format!(
            "{word:?} is no level (off, error, warn, info, debug, trace) and no module=level"
        ));
    }
    match env_filter::Builder::new().try_parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("{text:?} is not a log filter: {error}")),
    }
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        other => Err(format!("{other:?} is not text or json")),
    }
}
