//! Settings of access to the APIs: keys of tokens, rate limits, and origins of browser pages.

use std::num::NonZeroU32;

use crate::auth::jwt::{JwtKeys, JwtSettings, MIN_SECRET_BYTES, Secret};
use crate::limits::LimitSettings;

use super::sources::Sources;
use super::values::{any_text, network, number_in, origin};

/// Largest rate limit: more requests per minute than one process can serve.
const MAX_PER_MINUTE: u32 = 1_000_000;

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
    let in_variable = sources.has_variable("jwt_secret");
    if in_variable && sources.has_variable("jwt_secret_file") {
        sources.report(
            "QUIETLINE_JWT_SECRET_FILE",
            "must not be set together with QUIETLINE_JWT_SECRET",
        );
        return None;
    }
    let (origin, secret) = if in_variable {
        let secret = sources.optional("jwt_secret", any_text)?;
        ("QUIETLINE_JWT_SECRET".to_owned(), secret)
    } else {
        let (origin, mut secret) = sources.content_of("jwt_secret_file")?;
        // Editors and `echo` end a file with one newline, which is not part of the secret.
        let line = secret.strip_suffix('\n').unwrap_or(&secret);
        let length = line.strip_suffix('\r').unwrap_or(line).len();
        secret.truncate(length);
        (origin, secret)
    };
    // Not part of the parser, because problems of a parser quote the value.
    if secret.len() < MIN_SECRET_BYTES {
        let problem = format!("the secret must have at least {MIN_SECRET_BYTES} bytes");
        sources.report(&origin, &problem);
    }
    Some(Secret::new(secret))
}

pub(super) fn limits(sources: &mut Sources<'_>) -> LimitSettings {
    let mut limit = |name| NonZeroU32::new(sources.required(name, number_in(0..=MAX_PER_MINUTE)));
    LimitSettings {
        credential_requests: limit("credential_requests_per_minute"),
        organization_requests: limit("organization_requests_per_minute"),
        address_requests: limit("address_requests_per_minute"),
        address_failures: limit("address_failures_per_minute"),
        trusted_proxies: list(sources, "trusted_proxies", network),
    }
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
