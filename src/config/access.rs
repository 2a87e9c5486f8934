//! Settings of access to the APIs: keys of tokens, rate limits, and origins of browser pages.

use std::num::NonZeroU32;

use crate::auth::jwt::{JwtKeys, JwtSettings, MIN_SECRET_BYTES, Secret};
use crate::limits::LimitSettings;

use super::sources::Sources;
use super::values::{any_text, is_loopback, network, number_in, origin};

/// Largest rate limit: more requests per minute than one process can serve.
const MAX_PER_MINUTE: u32 = 1_000_000;

/// Changes of one organization per minute where other machines can connect. The audit log keeps
/// every change for ever.
const CHANGES_PER_MINUTE: Option<NonZeroU32> = NonZeroU32::new(600);

pub(super) fn jwt_settings(sources: &mut Sources<'_>) -> JwtSettings {
    let mut settings = JwtSettings {
        secret: jwt_secret(sources),
        jwks_json: None,
        issuer: sources.optional("jwt_issuer", any_text),
        audience: sources.optional("jwt_audience", any_text),
    };
    if let Some((origin, jwks_json)) = sources.content_of("jwks_file") {
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
    let (origin, secret) = sources.secret_of("jwt_secret")?;
    if secret.len() < MIN_SECRET_BYTES {
        let problem = format!("the secret must have at least {MIN_SECRET_BYTES} bytes");
        sources.report(&origin, &problem);
    }
    Some(Secret::new(secret))
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

    use crate::config::Config;
    use crate::config::settings::Flags;

    /// Returns the limit of changes with these variables, 0 for none.
    fn changes(variables: &[(&str, &str)]) -> u32 {
        let owned = |(name, text): &(&str, &str)| (format!("QUIETLINE_{name}"), (*text).to_owned());
        let environment = variables.iter().map(owned).collect();
        let no_file = |_: &_, _| Err(io::ErrorKind::NotFound.into());
        let config = Config::from_sources(Flags::default(), &environment, no_file);
        let limit = config.expect("good").limits.organization_changes;
        limit.map_or(0, std::num::NonZeroU32::get)
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
