//! The table of settings: the names of the flags, environment variables and TOML keys, their help
//! and their defaults. Not here: the meaning of a value, which `config` parses.

use std::collections::BTreeMap;

/// Prefix of every environment variable of this program.
pub const VARIABLE_PREFIX: &str = "QUIETLINE_";

/// Default of `log`. actix logs an error for every request that is not HTTP, so that any client
/// could fill the log. r2d2 logs an error for every failed connection, which our own 503 also
/// reports, and rustls_platform_verifier for a certificate, which the refused download reports.
const DEFAULT_LOG: &str =
    "info,actix_server=warn,actix_http=off,r2d2=off,rustls_platform_verifier=off";

/// Every setting. `.env.example` and `--help` list them in this order.
pub static SETTINGS: &[Setting] = &[
    Setting::text("config", "TOML file with settings")
        .flag("FILE")
        .not_in_file(),
    Setting::text(
        "database_url",
        "Database: sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE",
    )
    .flag("URL")
    .default("sqlite://quietline.db"),
    Setting::text("database_url_file", "File with the URL of the database"),
    Setting::number(
        "database_pool_size",
        "Connections to PostgreSQL, 1 to 256. Unused on SQLite",
    )
    .flag("N")
    .default("16"),
    Setting::text("listen", "Address and port to serve on")
        .flag("ADDRESS:PORT")
        .default("127.0.0.1:8080"),
    Setting::number(
        "workers",
        "Threads that serve requests, 1 to 256 [default: processors + 1]",
    )
    .flag("N"),
    Setting::number(
        "drain_seconds",
        "Seconds to keep serving after a stop signal, while /readyz returns 503",
    )
    .flag("N")
    .default("0"),
    Setting::text("docs", "Whether to serve /docs and /openapi")
        .flag("on|off")
        .default("on"),
    // Without a flag, because other users of the machine can list the arguments of a process.
    Setting::text(
        "jwt_secret",
        "Shared secret (HS256) of tokens, at least 32 bytes",
    )
    .not_in_file(),
    Setting::text(
        "jwt_secret_file",
        "File with the shared secret of tokens, and older secrets in the lines below",
    ),
    Setting::text(
        "jwks_file",
        "File with the public keys (JWK set) that verify tokens",
    )
    .flag("FILE"),
    Setting::text(
        "jwks_url",
        "https address of the public keys (JWK set) that verify tokens",
    )
    .flag("URL"),
    Setting::number(
        "jwks_refresh_seconds",
        "Seconds between downloads of the JWK set, 30 to 86400",
    )
    .flag("N")
    .default("300"),
    Setting::text("jwt_issuer", "Only accept tokens with this `iss`").flag("TEXT"),
    Setting::text("jwt_audience", "Only accept tokens with this `aud`").flag("TEXT"),
    Setting::text(
        "jwt_max_lifetime",
        "Only accept tokens that are valid for at most this long, such as 24h [default: unlimited]",
    )
    .flag("DURATION"),
    Setting::number(
        "credential_requests_per_minute",
        "Requests per minute of one API key or user (0 = unlimited) \
         [default: 3000, 0 if only local]",
    )
    .flag("N"),
    Setting::number(
        "organization_requests_per_minute",
        "Requests per minute of one organization (0 = unlimited) [default: 6000, 0 if only local]",
    )
    .flag("N"),
    Setting::number(
        "organization_changes_per_minute",
        "Changes per minute of one organization (0 = unlimited) [default: 600, 0 if only local]",
    )
    .flag("N"),
    Setting::number(
        "credential_idempotency_keys_per_day",
        "Idempotency-Keys per day of one API key or user (0 = unlimited) \
         [default: 100000, 0 if only local]",
    )
    .flag("N"),
    Setting::number(
        "address_requests_per_minute",
        "Requests per minute of one client address (0 = unlimited) \
         [default: 12000, 0 if only local]",
    )
    .flag("N"),
    Setting::number(
        "address_failures_per_minute",
        "Failed authentications per minute of one client address (0 = unlimited) \
         [default: 300, 0 if only local]",
    )
    .flag("N"),
    Setting::text(
        "trusted_proxies",
        "Proxies whose `X-Forwarded-For` or `Forwarded` is trusted, comma-separated, such as \
         10.0.0.0/8,::1",
    )
    .flag("NETWORKS"),
    Setting::text(
        "audit_client_network",
        "Whether the audit log stores the network of each client (IPv4 /24, IPv6 /48), for ever",
    )
    .flag("on|off")
    .default("off"),
    Setting::text(
        "cors_origins",
        "Origins whose pages may read responses, comma-separated, such as https://app.example.com",
    )
    .flag("ORIGINS"),
    // The flag is `--key`, of `quietline audit anchor` only.
    Setting::text(
        "anchor_key_file",
        "Private key of `quietline audit anchor`, Ed25519 (PKCS#8, PEM)",
    ),
    Setting::text(
        "log",
        "Log filter: levels, also by module, such as info,quietline::db=debug",
    )
    .flag("FILTER")
    .default(DEFAULT_LOG),
    Setting::text("log_format", "Format of the log: text or json")
        .flag("FORMAT")
        .default("text"),
];

/// One setting: a row of [`SETTINGS`].
pub struct Setting {
    /// Key in the TOML file, such as `database_url`.
    pub name: &'static str,
    /// Description in `--help`, without the default.
    pub help: &'static str,
    /// Text that stands for an absent value. `None`: absent, or computed by `config`.
    pub default: Option<&'static str>,
    /// Placeholder of the flag's value. `None` if the setting has no flag.
    pub flag: Option<&'static str>,
    /// True if the TOML file has an integer here, not a string.
    pub is_number: bool,
    /// False if the TOML file must not have the setting: it cannot name itself, and a secret may
    /// only be in a file of its own.
    pub is_allowed_in_file: bool,
}

impl Setting {
    const fn text(name: &'static str, help: &'static str) -> Setting {
        Setting {
            name,
            help,
            default: None,
            flag: None,
            is_number: false,
            is_allowed_in_file: true,
        }
    }

    const fn number(name: &'static str, help: &'static str) -> Setting {
        let mut setting = Setting::text(name, help);
        setting.is_number = true;
        setting
    }

    const fn default(mut self, text: &'static str) -> Setting {
        self.default = Some(text);
        self
    }

    const fn flag(mut self, value_name: &'static str) -> Setting {
        self.flag = Some(value_name);
        self
    }

    const fn not_in_file(mut self) -> Setting {
        self.is_allowed_in_file = false;
        self
    }

    /// Returns the environment variable: `QUIETLINE_DATABASE_URL` for `database_url`.
    pub fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.name.to_ascii_uppercase())
    }

    /// Returns the long flag without its dashes: `database-url` for `database_url`.
    pub fn long_flag(&self) -> String {
        self.name.replace('_', "-")
    }
}

/// Texts of the flags that were given, by the name of their setting.
///
/// Has no `Debug`, because a database URL may hold a password.
#[derive(Clone, Default)]
pub struct Flags(BTreeMap<&'static str, String>);

impl Flags {
    /// Returns the text of the flag, if it was given.
    pub fn get(&self, setting: &Setting) -> Option<&String> {
        self.0.get(setting.name)
    }
}

impl FromIterator<(&'static str, String)> for Flags {
    fn from_iter<T: IntoIterator<Item = (&'static str, String)>>(given: T) -> Self {
        Flags(given.into_iter().collect())
    }
}
