//! Settings of access to the APIs: keys of tokens, and origins of browser pages.

use crate::auth::jwt::{JwtKeys, JwtSettings, MIN_SECRET_BYTES, Secret};

use super::sources::Sources;
use super::values::{any_text, origin};

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

pub(super) fn cors_origins(sources: &mut Sources<'_>) -> Vec<String> {
    sources.list("cors_origins", origin)
}
