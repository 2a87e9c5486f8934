//! Tests of `config`, with environment and files as values. Not here: whether the other parts of
//! the program obey the settings.

mod secrets;

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use super::settings::SETTINGS;
use super::{Config, default_workers};
use crate::limits::LimitSettings;
use crate::logging::LogFormat;

const SECRET: &str = "canary canary canary canary canary";
const JWKS: &str = r#"{"keys":[{"kty":"OKP","kid":"a","crv":"Ed25519",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// Loads a configuration in a world where only `files` exist.
fn with_files(
    flags: &[(&'static str, &str)],
    variables: &[(&str, &str)],
    files: &[(&str, &str)],
) -> Result<Config, Vec<String>> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let environment: BTreeMap<String, String> = variables.iter().map(owned).collect();
    let read_file = |path: &Path, _| {
        let found = files.iter().find(|(name, _)| Path::new(name) == path);
        found
            .map(|(_, content)| (*content).to_owned())
            .ok_or(io::ErrorKind::NotFound.into())
    };
    let flags = flags.iter().map(|(name, text)| (*name, (*text).to_owned()));
    Config::from_sources(flags.collect(), &environment, read_file).map_err(|problems| problems.0)
}

fn with_variables(variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    with_files(&[], variables, &[])
}

fn with_toml(toml: &str) -> Result<Config, Vec<String>> {
    let variables = [("QUIETLINE_CONFIG", "q.toml")];
    with_files(&[], &variables, &[("q.toml", toml), ("s", SECRET)])
}

fn secret_of(config: &Config) -> Option<&str> {
    config.jwt.secret.as_ref().map(|secret| secret.expose())
}

/// Returns the limits in the order of the settings, with 0 for none.
fn quotas(limits: &LimitSettings) -> [u32; 6] {
    let all = [
        limits.credential_requests,
        limits.organization_requests,
        limits.organization_changes,
        limits.credential_keys_per_day,
        limits.address_requests,
        limits.address_failures,
    ];
    all.map(|limit| limit.map_or(0, NonZeroU32::get))
}

fn networks(limits: &LimitSettings) -> Vec<String> {
    let networks = limits.trusted_proxies.iter();
    networks.map(ToString::to_string).collect()
}

#[test]
fn without_any_source_the_defaults_hold() {
    let config = with_variables(&[]).expect("the defaults are good");
    assert_eq!(config.database_url.to_string(), "sqlite://quietline.db");
    assert_eq!(config.database_pool_size, 16);
    assert_eq!(config.listen, "127.0.0.1:8080");
    assert_eq!(config.workers, default_workers());
    assert!(config.has_docs);
    let log = "info,actix_server=warn,actix_http=off,r2d2=off,rustls_platform_verifier=off";
    assert_eq!(config.log, log);
    assert_eq!(config.log_format, LogFormat::Text);
    let jwt = config.jwt;
    assert!(jwt.secret.is_none() && jwt.jwks_json.is_none());
    assert_eq!((jwt.issuer, jwt.audience), (None, None));
    assert_eq!(quotas(&config.limits), [0; 6]);
    assert!(config.limits.trusted_proxies.is_empty() && config.cors_origins.is_empty());
    assert!(!config.records_client_networks);
}

#[test]
fn flags_win_over_variables_over_the_file() {
    let toml = "listen = 'file:1'\nlog = 'error'\njwt_issuer = 'file'\nworkers = 3";
    let variables = [
        ("QUIETLINE_LISTEN", "variable:2"),
        ("QUIETLINE_LOG", "warn"),
        ("UNRELATED", ""),
    ];
    let flags = [("config", "q.toml"), ("listen", "flag:3")];
    let config = with_files(&flags, &variables, &[("q.toml", toml)]).expect("all good");
    assert_eq!(config.listen, "flag:3");
    assert_eq!(config.log, "warn");
    assert_eq!(config.jwt.issuer.as_deref(), Some("file"));
    assert_eq!(config.workers, 3);
}

#[test]
fn every_setting_is_obeyed() {
    let values = [
        ("config", "q.toml"),
        ("database_url", "postgresql://h/db"),
        ("database_pool_size", "1"),
        ("listen", "localhost:0"),
        ("workers", "256"),
        ("drain_seconds", "300"),
        ("docs", "off"),
        ("jwt_secret_file", "s"),
        ("jwks_file", "keys.json"),
        ("jwks_refresh_seconds", "30"),
        ("jwt_issuer", "iss"),
        ("jwt_audience", "aud"),
        ("jwt_max_lifetime", "1h"),
        ("credential_requests_per_minute", "1"),
        ("organization_requests_per_minute", "2"),
        ("organization_changes_per_minute", "3"),
        ("credential_idempotency_keys_per_day", "4"),
        ("address_requests_per_minute", "5"),
        ("address_failures_per_minute", "6"),
        ("trusted_proxies", "10.0.0.0/8"),
        ("audit_client_network", "on"),
        ("cors_origins", "https://app.example.com"),
        ("anchor_key_file", "key.pem"),
        ("log", "debug"),
        ("log_format", "json"),
    ];
    let listed = SETTINGS.iter().map(|setting| setting.name);
    // `secrets` and `access` have the tests of those that exclude others.
    let others =
        listed.filter(|name| !["jwt_secret", "jwks_url", "database_url_file"].contains(name));
    assert!(others.eq(values.iter().map(|(name, _)| *name)));
    let files = [("q.toml", ""), ("keys.json", JWKS), ("s", SECRET)];
    let environment =
        values.map(|(name, text)| (format!("QUIETLINE_{}", name.to_uppercase()), text));
    let (secret_file, flags): (Vec<_>, Vec<_>) = values
        .iter()
        .partition(|(name, _)| *name == "jwt_secret_file");
    let by_flag = with_files(
        &flags,
        &[("QUIETLINE_JWT_SECRET_FILE", secret_file[0].1)],
        &files,
    );
    let variables = environment
        .each_ref()
        .map(|(name, text)| (name.as_str(), *text));
    for config in [by_flag, with_files(&[], &variables, &files)] {
        let config = config.expect("all good");
        assert_eq!(config.database_url.to_string(), "postgresql://h/db");
        assert_eq!((config.database_pool_size, config.workers), (1, 256));
        assert_eq!(config.drain, Duration::from_secs(300));
        assert!(!config.has_docs);
        let texts = [&config.listen, &config.log].map(String::as_str);
        assert_eq!(texts, ["localhost:0", "debug"]);
        assert_eq!(secret_of(&config), Some(SECRET));
        assert_eq!(config.jwt.jwks_json.as_deref(), Some(JWKS));
        let (issuer, audience) = (config.jwt.issuer.as_deref(), config.jwt.audience.as_deref());
        assert_eq!((issuer, audience), (Some("iss"), Some("aud")));
        assert_eq!(config.jwt.max_lifetime, Some(Duration::from_secs(3600)));
        assert_eq!(quotas(&config.limits), [1, 2, 3, 4, 5, 6]);
        assert_eq!(networks(&config.limits), ["10.0.0.0/8"]);
        assert!(config.records_client_networks);
        assert_eq!(config.cors_origins, ["https://app.example.com"]);
        assert_eq!(config.anchor_key_file.as_deref(), Some("key.pem"));
        assert_eq!(config.log_format, LogFormat::Json);
    }
}

#[test]
fn an_empty_value_is_a_problem_of_every_setting() {
    for setting in SETTINGS {
        let variable = setting.variable();
        let problems = with_variables(&[(&variable, "")]).expect_err("empty");
        let expected = format!("{variable}: is empty; remove it to use the default");
        assert_eq!(problems, [expected]);
    }
}

#[test]
fn unfit_values_are_problems_under_their_variable() {
    let table = [
        (
            "QUIETLINE_DATABASE_URL",
            "mysql://h/db",
            "sqlite, postgres or postgresql, not \"mysql\"",
        ),
        (
            "QUIETLINE_DATABASE_URL",
            "postgress://h/db",
            "not \"postgress\"",
        ),
        ("QUIETLINE_DATABASE_URL", "quietline.db", "must be a URL"),
        ("QUIETLINE_DATABASE_URL", "sqlite://", "must name a file"),
        (
            "QUIETLINE_DATABASE_URL",
            "sqlite://:memory:",
            "must name a file",
        ),
        ("QUIETLINE_DATABASE_POOL_SIZE", "0", "from 1 to 256"),
        ("QUIETLINE_DATABASE_POOL_SIZE", "257", "from 1 to 256"),
        ("QUIETLINE_WORKERS", "-1", "from 1 to 256"),
        ("QUIETLINE_WORKERS", "many", "from 1 to 256"),
        ("QUIETLINE_DOCS", "yes", "must be on or off"),
        ("QUIETLINE_LISTEN", "8080", "must be address:port"),
        ("QUIETLINE_LISTEN", ":8080", "must be address:port"),
        ("QUIETLINE_LISTEN", "host:65536", "must be address:port"),
        ("QUIETLINE_LISTEN", "http://host:80", "must be address:port"),
        ("QUIETLINE_LISTEN", "::1:8080", "must be address:port"),
        (
            "QUIETLINE_JWT_SECRET",
            "31 bytes are one less than need",
            "at least 32",
        ),
        (
            "QUIETLINE_JWT_SECRET_FILE",
            "missing",
            "cannot read \"missing\"",
        ),
        ("QUIETLINE_JWKS_FILE", "missing", "cannot read \"missing\""),
        ("QUIETLINE_JWT_ISSUER", " ", "is empty"),
        ("QUIETLINE_DRAIN_SECONDS", "301", "from 0 to 300"),
        ("QUIETLINE_LOG", "info=loud", "must be a log filter"),
        ("QUIETLINE_LOG", "warning", "\"warning\" must be a level"),
        (
            "QUIETLINE_LOG",
            "inof,actix=warn",
            "\"inof\" must be a level",
        ),
        ("QUIETLINE_LOG_FORMAT", "JSON", "must be text or json"),
        ("QUIETLINE_CONFIG", "missing", "cannot read \"missing\""),
        ("QUIETLINE_LISTENN", "127.0.0.1:80", "is not a variable"),
    ];
    for (variable, value, expected) in table {
        let problems = with_variables(&[(variable, value)]).expect_err("the value is unfit");
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].starts_with(&format!("{variable}: ")),
            "{problems:?}"
        );
        assert!(
            problems[0].contains(expected),
            "{problems:?}, not {expected:?}"
        );
    }
}

#[test]
fn addresses_and_hosts_to_listen_on_are_accepted() {
    for listen in [
        "0.0.0.0:80",
        "[::]:8080",
        "[::1]:0",
        "localhost:8080",
        "a-b.example:65535",
    ] {
        let config = with_variables(&[("QUIETLINE_LISTEN", listen)]).expect("good");
        assert_eq!(config.listen, listen);
    }
}

#[test]
fn all_problems_are_reported_at_once_one_per_line() {
    let variables = [
        ("QUIETLINE_CONFIG", "q.toml"),
        ("QUIETLINE_LISTEN", "nowhere"),
        ("QUIETLINE_JWKS_FILE", "keys.json"),
        ("QUIETLINE_TYPO", "1"),
    ];
    let files = [
        ("q.toml", "log_format = 'xml'\nlogg = 'info'\nlog = 1"),
        ("keys.json", r#"{"keys":[{"kty":"oct"},{"kty":"RSA"}]}"#),
    ];
    let mut problems =
        with_files(&[("workers", "0")], &variables, &files).expect_err("many problems");
    problems.sort();
    let names = [
        "--workers",
        "QUIETLINE_JWKS_FILE: key 1",
        "QUIETLINE_JWKS_FILE: key 2",
        "QUIETLINE_LISTEN",
        "QUIETLINE_TYPO",
        "log (configuration file)",
        "log_format (configuration file)",
        "logg (configuration file)",
    ];
    assert_eq!(problems.len(), names.len(), "{problems:#?}");
    for (problem, name) in problems.iter().zip(names) {
        assert!(problem.starts_with(name), "{problem} is not about {name}");
    }
    let shown = super::ConfigProblems(problems).to_string();
    assert_eq!(shown.lines().count(), names.len());
}

#[test]
fn the_file_must_be_toml_with_known_keys_and_types() {
    let table = [
        ("log = 'info'\nlisten = ", "QUIETLINE_CONFIG: line 2: "),
        ("log = 'info'\nlog = 'warn'", "QUIETLINE_CONFIG: line 2: "),
        ("LOG = 'info'", "LOG (configuration file): is not a key"),
        (
            "[database]\nurl = 'x'",
            "database (configuration file): is not a key",
        ),
        (
            "workers = '4'",
            "workers (configuration file): must be an integer",
        ),
        (
            "workers = 4.0",
            "workers (configuration file): must be an integer",
        ),
        (
            "workers = 300",
            "workers (configuration file): \"300\" must be a whole",
        ),
        ("log = ''", "log (configuration file): is empty"),
        (
            "jwt_issuer = 5",
            "jwt_issuer (configuration file): must be a string",
        ),
    ];
    for (toml, expected) in table {
        let problems = with_toml(toml).expect_err("the file is unfit");
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].starts_with(expected),
            "{problems:?}, not {expected:?}"
        );
    }
}

#[test]
fn variables_that_kubernetes_sets_for_a_service_are_ignored() {
    let variables = [
        ("QUIETLINE_SERVICE_HOST", "10.0.0.1"),
        ("QUIETLINE_SERVICE_PORT", "80"),
        ("QUIETLINE_SERVICE_PORT_HTTP", "80"),
        ("QUIETLINE_PORT", "tcp://10.0.0.1:80"),
        ("QUIETLINE_PORT_80_TCP_ADDR", "10.0.0.1"),
    ];
    assert!(with_variables(&variables).is_ok());
    let problems = with_variables(&[("QUIETLINE_PORT", "9000")]).expect_err("meant LISTEN");
    assert_eq!(
        problems,
        ["QUIETLINE_PORT: is not a variable of this program"]
    );
}

#[test]
fn the_example_names_every_variable_with_its_default() {
    let example = include_str!("../../.env.example");
    let named: Vec<(&str, &str)> = example
        .lines()
        .filter(|line| line.starts_with("# QUIETLINE_"))
        .filter_map(|line| line.strip_prefix("# ")?.split_once('='))
        .collect();
    let variables: Vec<String> = SETTINGS.iter().map(|setting| setting.variable()).collect();
    let defaults = SETTINGS
        .iter()
        .map(|setting| setting.default.unwrap_or_default());
    let settings: Vec<(&str, &str)> = variables.iter().map(String::as_str).zip(defaults).collect();
    assert_eq!(named, settings);
    let all_commented = example
        .lines()
        .all(|line| line.is_empty() || line.starts_with("# "));
    assert!(all_commented, "a copy of the example must change nothing");
}

fn only_problem(variable: &str, value: &str) -> String {
    let mut problems = with_variables(&[(variable, value)]).expect_err("the value is unfit");
    assert_eq!(problems.len(), 1, "{problems:?}");
    let problem = problems.remove(0);
    assert!(problem.starts_with(&format!("{variable}: ")), "{problem}");
    problem
}

#[test]
fn origins_are_written_as_browsers_write_them() {
    let table = [
        ("*", "must not contain *"),
        ("https://a.example,*", "must not contain *"),
        ("https://a.example/", "perhaps \"https://a.example\""),
        ("https://a.example:443", "perhaps \"https://a.example\""),
        ("https://A.example", "perhaps \"https://a.example\""),
        ("https://u:p@a.example", "perhaps \"https://a.example\""),
        ("https://*.example", "must not contain *"),
        ("a.example", "such as https://app"),
        ("null", "such as https://app"),
        ("ftp://a.example", "such as https://app"),
        ("https://", "such as https://app"),
    ];
    for (text, expected) in table {
        let problem = only_problem("QUIETLINE_CORS_ORIGINS", text);
        assert!(problem.contains(expected), "{problem}");
    }
    let text = "https://a.example, http://localhost:5173,https://[::1]:8443";
    let config = with_variables(&[("QUIETLINE_CORS_ORIGINS", text)]).expect("good");
    let expected = [
        "https://a.example",
        "http://localhost:5173",
        "https://[::1]:8443",
    ];
    assert_eq!(config.cors_origins, expected);
}
