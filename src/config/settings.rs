//! The table of settings: the names of the flags, environment variables and TOML keys, their
//! defaults, and the help of the flags. Not here: the meaning of a value, which `config` parses.

use std::collections::BTreeMap;

/// Prefix of every environment variable of this program.
pub const VARIABLE_PREFIX: &str = "QUIETLINE_";

/// Default of `log`. actix logs an error for every request that is not HTTP, so that anybody could
/// fill the log. r2d2 logs an error for every failed connection, which our own 503 also reports.
const DEFAULT_LOG: &str = "info,actix_server=warn,actix_http=off,r2d2=off";

/// Every setting; `.env.example` and `--help` list them in this order.
pub static SETTINGS: &[Setting] = &[
    Setting::text("config")
        .flag("FILE", "TOML file to read settings from")
        .not_in_file(),
    Setting::text("database_url")
        .default("sqlite://quietline.db")
        .flag("URL", "sqlite://PATH or postgres://…"),
    Setting::number("database_pool_size")
        .default("16")
        .flag("N", "Connections to PostgreSQL, 1 to 256"),
    Setting::text("listen")
        .default("127.0.0.1:8080")
        .flag("ADDRESS:PORT", "Address and port to serve on"),
    Setting::number("workers").flag("N", "Threads that serve requests [default: processors + 1]"),
    Setting::number("drain_seconds")
        .default("0")
        .flag("N", "Seconds to serve on, not ready, when told to stop"),
    Setting::text("docs")
        .default("on")
        .flag("ON|OFF", "Whether /docs and /openapi are served, on or off"),
    Setting::text("jwt_secret").not_in_file(),
    Setting::text("jwt_secret_file"),
    Setting::text("jwks_file").flag("FILE", "File with the public keys (JWK set) of tokens"),
    Setting::text("jwt_issuer").flag("TEXT", "`iss` that tokens must have"),
    Setting::text("jwt_audience").flag("TEXT", "`aud` that tokens must have"),
    Setting::number("credential_requests_per_minute")
        .default("0")
        .flag(
            "N",
            "Requests in a minute with one API key or of one user, 0 for any number",
        ),
    Setting::number("organization_requests_per_minute")
        .default("0")
        .flag("N", "Requests in a minute for one organization"),
    Setting::number("address_requests_per_minute")
        .default("0")
        .flag("N", "Requests in a minute from one client address"),
    Setting::number("address_failures_per_minute")
        .default("0")
        .flag(
            "N",
            "Requests in a minute without a valid credential, from one client address",
        ),
    Setting::text("trusted_proxies").flag(
        "NETWORKS",
        "Proxies that are believed about client addresses, such as 10.0.0.0/8,::1",
    ),
    Setting::text("cors_origins").flag(
        "ORIGINS",
        "Origins whose pages may read answers, such as https://app.example.com",
    ),
    // The flag is `--key`, of `quietline audit anchor` only.
    Setting::text("anchor_key_file"),
    Setting::text("log")
        .default(DEFAULT_LOG)
        .flag("FILTER", "What is logged"),
    Setting::text("log_format")
        .default("text")
        .flag("FORMAT", "text or json"),
];

/// One setting: a row of [`SETTINGS`].
pub struct Setting {
    /// Key in the TOML file, such as `database_url`.
    pub name: &'static str,
    /// Text that stands for an absent value. `None`: absent, or computed by `config`.
    pub default: Option<&'static str>,
    /// `None` if the setting cannot be given on the command line.
    pub flag: Option<Flag>,
    /// True if the TOML file has an integer here, not a string.
    pub is_number: bool,
    /// False if the TOML file must not have the setting: it cannot name itself, and a secret may
    /// only be in a file of its own.
    pub is_allowed_in_file: bool,
}

/// Text about a flag in `--help`.
pub struct Flag {
    /// Placeholder of the value.
    pub value_name: &'static str,
    /// Description, without the default.
    pub help: &'static str,
}

impl Setting {
    const fn text(name: &'static str) -> Setting {
        Setting {
            name,
            default: None,
            flag: None,
            is_number: false,
            is_allowed_in_file: true,
        }
    }

    const fn number(name: &'static str) -> Setting {
        let mut setting = Setting::text(name);
        setting.is_number = true;
        setting
    }

    const fn default(mut self, text: &'static str) -> Setting {
        self.default = Some(text);
        self
    }

    const fn flag(mut self, value_name: &'static str, help: &'static str) -> Setting {
        self.flag = Some(Flag { value_name, help });
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
