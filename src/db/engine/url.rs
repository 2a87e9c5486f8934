//! URLs of databases. The scheme selects the kind of database, so that a mistyped scheme is an
//! error and not the name of a file.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::postgres_url::PostgresUrl;

/// A database that can be opened.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// `sqlite://relative/path.db` or `sqlite:///absolute/path.db`.
    Sqlite(PathBuf),
    /// `postgres://…` or `postgresql://…`.
    Postgres(PostgresUrl),
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        // A second line of a file of a secret would become a part of the name.
        if url.trim() != url || url.contains(char::is_control) || url.starts_with('\u{feff}') {
            return Err(
                "must have no white space around it, no control characters and no byte order mark"
                    .into(),
            );
        }
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
            "postgres" | "postgresql" => PostgresUrl::parse(scheme, rest).map(Self::Postgres),
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
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
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
        let parsed = postgres.parse();
        assert!(matches!(parsed, Ok(DatabaseUrl::Postgres(_))), "{parsed:?}");
        for bad in [
            "postgress://h/db",
            "quietline.db",
            "sqlite://",
            "sqlite://:memory:",
            "mysql://h/d",
            "sqlite://quietline.db ",
            "sqlite://quietline.db\n",
            "postgres://h/db\nsecret",
            "\u{feff}postgres://h/db",
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
            (
                "postgres://user:pw@h/db?password=pw",
                "postgres://user:***@h/db?***",
            ),
            ("postgresql:///db?password=p@w:x", "postgresql:///db?***"),
        ];
        for (url, shown) in table {
            let url: DatabaseUrl = url.parse().expect("a database URL");
            assert_eq!(url.to_string(), shown);
        }
    }
}
