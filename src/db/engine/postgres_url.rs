//! URLs of PostgreSQL, with libpq's syntax. libpq itself never gets a URL, because its errors quote
//! what it cannot read, which may be a part of a password. It gets the parameters one by one.
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>

use std::fmt::{self, Write as _};

use percent_encoding::percent_decode_str;

/// Parameters of libpq 18, without those for replication.
/// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS>
const PARAMETERS: &str = "application_name channel_binding client_encoding connect_timeout \
     dbname fallback_application_name gssdelegation gssencmode gsslib host hostaddr keepalives \
     keepalives_count keepalives_idle keepalives_interval krbsrvname load_balance_hosts \
     max_protocol_version min_protocol_version oauth_client_id oauth_client_secret oauth_issuer \
     oauth_scope options passfile password port require_auth requirepeer scram_client_key \
     scram_server_key service ssl_max_protocol_version ssl_min_protocol_version sslcert \
     sslcertmode sslcompression sslcrl sslcrldir sslkey sslkeylogfile sslmode sslnegotiation \
     sslpassword sslrootcert sslsni target_session_attrs tcp_user_timeout user";

/// URL of a PostgreSQL database.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    /// URL without password and parameters, for people.
    shown: String,
    /// Parameters of libpq in the order of the URL. The last one of a name counts.
    parameters: Vec<(String, String)>,
}

impl PostgresUrl {
    /// Parses `rest`, which follows `scheme://`.
    ///
    /// # Errors
    /// Description of the fault that quotes nothing of the URL.
    pub(super) fn parse(scheme: &str, rest: &str) -> Result<Self, String> {
        let (credentials, rest) = split_credentials(rest)?;
        let (hosts, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (path, query) = split(rest, '?');
        if hosts.contains('@') {
            return Err("must have one @: write %40 for an @ in user or password".to_owned());
        }
        if path.contains('@') {
            return Err(
                "must have no @ after a /: write %2F for a / in user or password".to_owned(),
            );
        }
        let mut url = Self {
            shown: show(scheme, credentials, hosts, path, query),
            parameters: Vec::new(),
        };
        let (user, password) = split(credentials, ':');
        url.add("user", user, "user")?;
        url.add("password", password, "password")?;
        url.add_hosts(hosts)?;
        url.add("dbname", path.trim_start_matches('/'), "database")?;
        for (index, parameter) in query.split('&').enumerate() {
            url.add_parameter(parameter, index + 1)?;
        }
        Ok(url)
    }

    /// Returns the parameters as libpq's keyword/value string. `defaults` are for parameters that
    /// the URL does not set.
    pub fn connection_string(&self, defaults: &[(&str, &str)]) -> String {
        let is_set = |name: &str| self.parameters.iter().any(|(set, _)| set == name);
        let unset = defaults.iter().filter(|(name, _)| !is_set(name));
        let set = self.parameters.iter();
        let all = set.map(|(name, value)| (name.as_str(), value.as_str()));
        let mut text = String::new();
        for (name, value) in all.chain(unset.copied()) {
            let value = value.replace('\\', r"\\").replace('\'', r"\'");
            write!(text, "{name}='{value}' ").expect("a String takes everything");
        }
        text
    }

    /// Adds a parameter, unless its `text` is empty.
    fn add(&mut self, name: &str, text: &str, part: &str) -> Result<(), String> {
        if !text.is_empty() {
            self.parameters.push((name.to_owned(), decode(text, part)?));
        }
        Ok(())
    }

    /// Adds hosts and ports, which are lists with commas.
    fn add_hosts(&mut self, text: &str) -> Result<(), String> {
        let (mut hosts, mut ports) = (Vec::new(), Vec::new());
        for address in text.split(',') {
            let (host, port) = match address.strip_prefix('[') {
                Some(bracketed) => bracketed
                    .split_once(']')
                    .filter(|(_, port)| port.is_empty() || port.starts_with(':'))
                    .map(|(host, port)| (host, port.trim_start_matches(':')))
                    .ok_or(
                        "must have an IPv6 address in [ ], and then a : or the end of the host",
                    )?,
                None => split(address, ':'),
            };
            if !port.is_empty() && !port.parse::<u16>().is_ok_and(|port| port > 0) {
                let rule = "must have a port from 1 to 65535 after the : of a host";
                return Err(format!(
                    "{rule}, and an @ before the host if there is a user"
                ));
            }
            hosts.push(host);
            ports.push(port);
        }
        self.add("host", &hosts.join(","), "host")?;
        self.add("port", &ports.join(","), "port")
    }

    /// Adds the parameter at `position` of the query. A part of a password may be in the place of
    /// its name.
    fn add_parameter(&mut self, text: &str, position: usize) -> Result<(), String> {
        if text.is_empty() {
            return Ok(());
        }
        let part = format!("parameter {position}");
        let (name, value) = text
            .split_once('=')
            .filter(|(_, value)| !value.contains('='))
            .ok_or_else(|| {
                format!(
                    "must have one = in {part}: write %26 for an & and %3D for an = in its value"
                )
            })?;
        let (name, value) = match (name, value) {
            // As in URLs of JDBC.
            ("ssl", "true") => ("sslmode", "require"),
            other => other,
        };
        if !PARAMETERS.split(' ').any(|known| known == name) {
            return Err(format!(
                "must have a parameter of libpq, such as sslmode, as {part}"
            ));
        }
        let value = decode(value, &part)?;
        self.parameters.push((name.to_owned(), value));
        Ok(())
    }
}

impl fmt::Display for PostgresUrl {
    /// Never shows a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Splits off what is before the `@`.
fn split_credentials(rest: &str) -> Result<(&str, &str), String> {
    // As in libpq, an `@` after a slash is not the end of credentials.
    match rest.find(['@', '/']).map(|end| rest.split_at(end)) {
        // Either the password has a `?` or a parameter has an `@`, and the two look alike.
        Some((before, at)) if at.starts_with('@') && before.contains('?') => {
            Err("must have no ? before an @: write %3F for a ?, or %40 for an @".to_owned())
        }
        Some((credentials, at)) if at.starts_with('@') => Ok((credentials, &at[1..])),
        _ => Ok(("", rest)),
    }
}

/// Splits `text` at the first `separator`. Without one, the second part is empty.
fn split(text: &str, separator: char) -> (&str, &str) {
    text.split_once(separator).unwrap_or((text, ""))
}

fn decode(text: &str, part: &str) -> Result<String, String> {
    let is_escape = |text: &str| {
        let digits = text.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.split('%').skip(1).all(is_escape) {
        return Err(format!(
            "must have two hexadecimal digits after each % of the {part}: write %25 for a %"
        ));
    }
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.ok().filter(|text| !text.contains('\0'));
    let decoded = decoded.ok_or_else(|| format!("must have UTF-8 without NUL as the {part}"))?;
    Ok(decoded.into_owned())
}

/// Returns the URL without password and parameters. A user without a password is hidden as well,
/// because it may be a password without a user.
fn show(scheme: &str, credentials: &str, hosts: &str, path: &str, query: &str) -> String {
    let user = match credentials.split_once(':') {
        Some((user, _)) => format!("{user}:***@"),
        None if credentials.is_empty() => String::new(),
        None => "***@".to_owned(),
    };
    let query = if query.is_empty() { "" } else { "?***" };
    format!("{scheme}://{user}{hosts}{path}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(rest: &str) -> Result<PostgresUrl, String> {
        PostgresUrl::parse("postgres", rest)
    }

    #[test]
    fn urls_mean_what_they_mean_to_libpq() {
        let table = [
            ("", ""),
            ("/", ""),
            ("h", "host='h'"),
            ("h:5433/db", "host='h' port='5433' dbname='db'"),
            ("u@h", "user='u' host='h'"),
            ("u:p:w#&=+ @h/", "user='u' password='p:w#&=+ ' host='h'"),
            (":p@/db", "password='p' dbname='db'"),
            ("%40:%2f%25@h", "user='@' password='/%' host='h'"),
            (r"u:'\@h", r"user='u' password='\'\\' host='h'"),
            ("h1,h2/db", "host='h1,h2' port=',' dbname='db'"),
            ("h1:1,[::1]:2,h3", "host='h1,::1,h3' port='1,2,'"),
            ("%2Frun%2Fpg/db", "host='/run/pg' dbname='db'"),
            ("/db?host=/run/pg", "dbname='db' host='/run/pg'"),
            ("h?ssl=true", "host='h' sslmode='require'"),
            (
                "h/db?options=-csearch_path%3Da%20-crole%3Db&",
                "host='h' dbname='db' options='-csearch_path=a -crole=b'",
            ),
            (
                "h1,h2?target_session_attrs=read-write",
                "host='h1,h2' port=',' target_session_attrs='read-write'",
            ),
            ("u@h/?user=v@w", "user='u' host='h' user='v@w'"),
        ];
        for (rest, expected) in table {
            let url = parse(rest).unwrap_or_else(|problem| panic!("{rest}: {problem}"));
            assert_eq!(url.connection_string(&[]).trim_end(), expected, "{rest}");
        }
    }

    #[test]
    fn defaults_are_for_parameters_that_the_url_does_not_set() {
        let url = parse("h?connect_timeout=9").unwrap();
        let text = url.connection_string(&[("connect_timeout", "2"), ("keepalives_idle", "5")]);
        assert_eq!(text, "host='h' connect_timeout='9' keepalives_idle='5' ");
    }

    #[test]
    fn a_faulty_url_is_refused_with_the_place_of_the_fault() {
        let table = [
            ("u:p@w@h/db", "one @"),
            ("u:p/w@h/db", "no @ after a /"),
            ("u:p?w@h/db", "no ? before an @"),
            ("h?user=a@b", "no ? before an @"),
            ("u:5%@h", "after each % of the password"),
            ("u:%zz@h", "after each % of the password"),
            ("u%2:p@h", "after each % of the user"),
            ("h/d%", "after each % of the database"),
            ("h?sslmode=%", "after each % of the parameter 1"),
            ("u:%00@h", "without NUL as the password"),
            ("u:%ff@h", "UTF-8 without NUL as the password"),
            ("u:p", "a port from 1 to 65535"),
            ("h:0", "a port from 1 to 65535"),
            ("h:65536", "a port from 1 to 65535"),
            ("::1/db", "a port from 1 to 65535"),
            ("[::1/db", "an IPv6 address in [ ]"),
            ("[::1]5432/db", "an IPv6 address in [ ]"),
            ("h?sslmode", "one = in parameter 1"),
            ("h?sslmode=a&password=a=b", "one = in parameter 2"),
            ("h?sslmod=require", "such as sslmode, as parameter 1"),
            ("h?SSLMODE=require", "such as sslmode, as parameter 1"),
        ];
        for (rest, expected) in table {
            let problem = parse(rest)
                .err()
                .unwrap_or_else(|| panic!("{rest} is good"));
            assert!(problem.contains(expected), "{rest}: {problem}");
        }
    }

    /// Method: a password whose halves surround one or two special characters, at each place that
    /// takes a password.
    #[test]
    fn no_part_of_a_password_is_shown_whatever_characters_it_has() {
        let specials = "%@/:?#&=[]+,'\\ \u{0}é".chars();
        let pairs = specials.clone().flat_map(|first| {
            specials
                .clone()
                .map(move |second| format!("ABC{first}DEF{second}GHI"))
        });
        for password in pairs {
            // With an `@` this is a good URL of another server.
            let unfinished = password.replace('@', ":");
            for rest in [
                format!("user:{password}@127.0.0.1:1/db"),
                format!("user:{password}@/db?host=/tmp"),
                format!("user:{unfinished}"),
                format!("127.0.0.1:1/db?password={password}&sslmode=disable"),
                format!("127.0.0.1:1?password={password}"),
            ] {
                let shown = match parse(&rest) {
                    Ok(url) => url.to_string(),
                    Err(problem) => problem,
                };
                let is_shown = |part| shown.contains(part);
                assert!(
                    !["ABC", "DEF", "GHI"].into_iter().any(is_shown),
                    "{rest}: {shown}"
                );
            }
        }
    }
}
