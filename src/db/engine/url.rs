//! URLs of databases. The scheme selects the kind of database, so that a mistyped scheme is an
//! error and not the name of a file.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A database that can be opened.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// `sqlite://relative/path.db` or `sqlite:///absolute/path.db`.
    Sqlite(PathBuf),
    /// `postgres://…` or `postgresql://…`, as libpq reads it.
    Postgres(String),
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(
                "must be a URL such as sqlite://quietline.db or postgres://host/database".into(),
            );
        };
        match scheme {
            "sqlite" if rest.is_empty() => {
                Err("must name a file, such as sqlite://quietline.db".into())
            }
            // Every connection would have its own database.
            "sqlite" if rest.contains(":memory:") => Err("must name a file, not :memory:".into()),
            "sqlite" if rest.contains(['?', '#', '\0']) => {
                Err("must be a plain path without ?, # or NUL".into())
            }
            "sqlite" => Ok(Self::Sqlite(rest.into())),
            "postgres" | "postgresql" => Ok(Self::Postgres(url.to_owned())),
            // Quotes only the scheme, because the rest may contain a password.
            _ => Err(format!(
                "must have the scheme sqlite, postgres or postgresql, not {scheme:?}"
            )),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    /// Never shows a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => f.write_str(&redact(url)),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Hides the password, even a password with an unescaped `/`, `?` or `@`.
fn redact(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return "***".to_owned();
    };
    let (credentials, server) = match rest.rsplit_once('@') {
        // Either the password has a `?` or a parameter has an `@`, and the two look alike.
        Some((credentials, _)) if credentials.contains('?') => return format!("{scheme}://***"),
        Some((credentials, server)) => (Some(credentials), server),
        None => (None, rest),
    };
    let user = credentials.map(|credentials| match credentials.split_once(':') {
        Some((user, _)) => format!("{user}:***@"),
        None => "***@".to_owned(),
    });
    let (server, query) = match server.split_once('?') {
        Some((server, _)) => (server, "?***"),
        None => (server, ""),
    };
    format!("{scheme}://{}{server}{query}", user.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_decides_and_an_unknown_one_is_an_error() {
        let sqlite = |path: &str| Ok(DatabaseUrl::Sqlite(path.into()));
        assert_eq!("sqlite://quietline.db".parse(), sqlite("quietline.db"));
        assert_eq!("sqlite:///var/q.db".parse(), sqlite("/var/q.db"));
        let postgres = "postgresql://h1,h2/db?target_session_attrs=read-write";
        assert_eq!(postgres.parse(), Ok(DatabaseUrl::Postgres(postgres.into())));
        for bad in [
            "postgress://h/db",
            "quietline.db",
            "sqlite://",
            "sqlite://:memory:",
            "mysql://h/d",
            "",
        ] {
            assert!(bad.parse::<DatabaseUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn urls_are_shown_without_passwords() {
        let table = [
            ("sqlite://data/quietline.db", "sqlite://data/quietline.db"),
            ("postgres://h1,h2:5433/db", "postgres://h1,h2:5433/db"),
            ("postgres://user@h/db", "postgres://***@h/db"),
            ("postgres://user:pw@h/db", "postgres://user:***@h/db"),
            ("postgres://user:p@w@h/db", "postgres://user:***@h/db"),
            ("postgres://user:p/w?x@h/db", "postgres://***"),
            (
                "postgres://user:pw@h/db?password=pw",
                "postgres://user:***@h/db?***",
            ),
            ("postgres:///db?password=p@w:x", "postgres://***"),
        ];
        for (url, shown) in table {
            let url: DatabaseUrl = url.parse().expect("a database URL");
            assert_eq!(url.to_string(), shown);
        }
    }
}
