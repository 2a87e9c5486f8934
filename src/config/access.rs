//! Settings of access to the APIs: keys of tokens, and origins of browser pages.

use std::path::PathBuf;
use std::time::Duration;

use crate::auth::jwt::{JwksSource, JwtKeys, JwtSettings, Secret};

use super::sources::Sources;
use super::values::{any_text, number_in, origin};

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
    let Some(found) = sources.secret_of("jwt_secret") else {
        return nothing;
    };
    match Secret::parse_lines(&found.text) {
        Ok(secrets) => (secrets, found.file),
        Err(problem) => {
            sources.report(&found.origin, &problem);
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

pub(super) fn cors_origins(sources: &mut Sources<'_>) -> Vec<String> {
    sources.list("cors_origins", origin)
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
        let no_file = |_: &_, _| Err(io::ErrorKind::NotFound.into());
        let config = Config::from_sources(Flags::default(), &environment, no_file);
        config.map_err(|problems| problems.0)
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
}
