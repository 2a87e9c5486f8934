//! Settings of access to the APIs: keys of tokens, rate limits, and origins of browser pages.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use crate::auth::jwt::{JwksSource, JwtKeys, JwtSettings, Secret};
use crate::limits::LimitSettings;

use super::sources::Sources;
use super::values::{any_text, is_loopback, network, number_in, origin};

/// Largest rate limit: more requests per minute than one process can serve.
const MAX_PER_MINUTE: u32 = 1_000_000;

/// Changes of one organization per minute where other machines can connect. The audit log keeps
/// every change for ever.
const CHANGES_PER_MINUTE: Option<NonZeroU32> = NonZeroU32::new(600);

pub(super) fn jwt_settings(sources: &mut Sources<'_>) -> JwtSettings {
    let (secrets, secret_file) = jwt_secrets(sources);
    let mut secrets = secrets.into_iter();
    let mut settings = JwtSettings {
        secret: secrets.next(),
        older_secrets: secrets.collect(),
        secret_file,
        jwks_json: None,
        jwks_file: None,
        jwks_url: jwks_source(sources),
        issuer: sources.optional("jwt_issuer", any_text),
        audience: sources.optional("jwt_audience", any_text),
        max_lifetime: sources.optional("jwt_max_lifetime", lifetime),
    };
    if let Some((origin, jwks_json)) = sources.content_of("jwks_file") {
        if settings.jwks_url.is_some() {
            sources.report(&origin, "must not be set together with QUIETLINE_JWKS_URL");
        }
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
        settings.jwks_file = sources.path_of("jwks_file");
    }
    settings
}

/// Reads the secrets of tokens, newest first, and the path of their file.
fn jwt_secrets(sources: &mut Sources<'_>) -> (Vec<Secret>, Option<PathBuf>) {
    let nothing = (Vec::new(), None);
    let in_variable = sources.has_variable("jwt_secret");
    if in_variable && sources.has_variable("jwt_secret_file") {
        sources.report(
            "QUIETLINE_JWT_SECRET_FILE",
            "must not be set together with QUIETLINE_JWT_SECRET",
        );
        return nothing;
    }
    let (origin, text, file) = if in_variable {
        let Some(text) = sources.optional("jwt_secret", any_text) else {
            return nothing;
        };
        ("QUIETLINE_JWT_SECRET".to_owned(), text, None)
    } else {
        let Some((origin, text)) = sources.content_of("jwt_secret_file") else {
            return nothing;
        };
        (origin, text, sources.path_of("jwt_secret_file"))
    };
    // Not part of the parser, because problems of a parser quote the value.
    match Secret::parse_lines(&text) {
        Ok(secrets) => (secrets, file),
        Err(problem) => {
            sources.report(&origin, &problem);
            nothing
        }
    }
}

fn jwks_source(sources: &mut Sources<'_>) -> Option<JwksSource> {
    let seconds = sources.required("jwks_refresh_seconds", number_in(30..=86_400));
    Some(JwksSource {
        url: sources.optional("jwks_url", str::parse)?,
        refresh: Duration::from_secs(seconds),
    })
}

fn lifetime(text: &str) -> Result<Duration, String> {
    let parsed = humantime::parse_duration(text).ok();
    let lifetime = parsed.filter(|lifetime| *lifetime >= Duration::from_secs(1));
    lifetime.ok_or_else(|| format!("{text:?} must be a duration such as 24h or 30m"))
}

/// Reads the rate limits of a server on the address `listen`.
pub(super) fn limits(sources: &mut Sources<'_>, listen: &str) -> LimitSettings {
    let number = || number_in(0..=MAX_PER_MINUTE);
    let changes = sources.optional("organization_changes_per_minute", number());
    let mut limit = |name| NonZeroU32::new(sources.required(name, number()));
    let mut settings = LimitSettings {
        credential_requests: limit("credential_requests_per_minute"),
        organization_requests: limit("organization_requests_per_minute"),
        organization_changes: None,
        credential_keys_per_day: limit("credential_idempotency_keys_per_day"),
        address_requests: limit("address_requests_per_minute"),
        address_failures: limit("address_failures_per_minute"),
        trusted_proxies: list(sources, "trusted_proxies", network),
    };
    // A proxy on this machine connects locally, but on behalf of clients of other machines.
    let is_local = is_loopback(listen) && settings.trusted_proxies.is_empty();
    let default = CHANGES_PER_MINUTE.filter(|_| !is_local);
    settings.organization_changes = changes.map_or(default, NonZeroU32::new);
    settings
}

pub(super) fn cors_origins(sources: &mut Sources<'_>) -> Vec<String> {
    list(sources, "cors_origins", origin)
}

/// Parses each item between the commas. Empty if the setting is absent.
fn list<T>(
    sources: &mut Sources<'_>,
    name: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Vec<T> {
    let all = |text: &str| text.split(',').map(|item| parse(item.trim())).collect();
    sources.optional(name, all).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use crate::config::Config;
    use crate::config::settings::Flags;

    fn with_variables(variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let owned = |(name, text): &(&str, &str)| (format!("QUIETLINE_{name}"), (*text).to_owned());
        let environment = variables.iter().map(owned).collect();
        let no_file = |_: &_| Err(io::ErrorKind::NotFound.into());
        let config = Config::from_sources(Flags::default(), &environment, no_file);
        config.map_err(|problems| problems.0)
    }

    /// Returns the limit of changes with these variables, 0 for none.
    fn changes(variables: &[(&str, &str)]) -> u32 {
        let config = with_variables(variables).expect("good");
        let limit = config.limits.organization_changes;
        limit.map_or(0, std::num::NonZeroU32::get)
    }

    #[test]
    fn a_jwk_set_comes_from_https_or_from_this_machine() {
        for url in [
            "https://id.example/jwks?tenant=1",
            "http://localhost:8080/jwks",
            "http://127.8.9.1/",
            "http://[::1]:1/",
        ] {
            let variables = [("JWKS_URL", url), ("JWKS_REFRESH_SECONDS", "86400")];
            let source = with_variables(&variables).expect(url).jwt.jwks_url;
            let source = source.expect("a source");
            let shown = url.split('?').next().expect("a part");
            assert_eq!(source.url.to_string(), shown);
            assert_eq!(source.refresh, Duration::from_secs(86_400));
        }
        for url in [
            "http://id.example/jwks",
            "http://localhost.example/",
            "http://10.0.0.1/",
            "file:///etc/jwks.json",
            "id.example/jwks",
            "https://id.example/#canary",
            "https://canary@id.example/",
            "https://user:canary@id.example/",
        ] {
            let problems = with_variables(&[("JWKS_URL", url)]).expect_err(url);
            assert!(
                problems[0].starts_with("QUIETLINE_JWKS_URL: must"),
                "{problems:?}"
            );
            assert!(!problems[0].contains("canary"), "{problems:?}");
        }
        for seconds in ["29", "86401", "1m"] {
            with_variables(&[("JWKS_REFRESH_SECONDS", seconds)]).expect_err(seconds);
        }
        for lifetime in ["0s", "24", "-1h", "day"] {
            with_variables(&[("JWT_MAX_LIFETIME", lifetime)]).expect_err(lifetime);
        }
    }

    #[test]
    fn changes_are_limited_by_default_where_other_machines_can_connect() {
        for local in [
            "127.0.0.1:8080",
            "127.1.2.3:1",
            "[::1]:8080",
            "localhost:8080",
        ] {
            assert_eq!(changes(&[("LISTEN", local)]), 0, "{local}");
        }
        for open in [
            "0.0.0.0:8080",
            "[::]:8080",
            "192.0.2.7:80",
            "localhost.example:80",
        ] {
            assert_eq!(changes(&[("LISTEN", open)]), 600, "{open}");
        }
        let proxies = ("TRUSTED_PROXIES", "127.0.0.1");
        assert_eq!(changes(&[proxies]), 600);
        assert_eq!(
            changes(&[proxies, ("ORGANIZATION_CHANGES_PER_MINUTE", "0")]),
            0
        );
        assert_eq!(changes(&[("ORGANIZATION_CHANGES_PER_MINUTE", "7")]), 7);
    }
}
