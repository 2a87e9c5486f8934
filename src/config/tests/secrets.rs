//! Tests of secrets: where they come from, and that nothing shows them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::secret_file;

use super::{SECRET, secret_of, with_files, with_toml, with_variables};

#[test]
fn a_secret_comes_from_a_variable_or_a_file_but_not_both() {
    let in_variable = with_variables(&[("QUIETLINE_JWT_SECRET", SECRET)]).expect("good");
    assert_eq!(secret_of(&in_variable), Some(SECRET));
    let variables = [("QUIETLINE_JWT_SECRET_FILE", "s")];
    for newline in ["", "\n", "\r\n"] {
        let content = format!("{SECRET}{newline}");
        let config = with_files(&[], &variables, &[("s", &content)]);
        assert_eq!(secret_of(&config.expect("good")), Some(SECRET));
    }
    let content = format!("{SECRET}\n\n");
    let two_newlines = with_files(&[], &variables, &[("s", &content)]);
    let problems = two_newlines.expect_err("a blank line");
    assert!(problems[0].contains("without blank lines"), "{problems:?}");
    let both = [
        ("QUIETLINE_JWT_SECRET", SECRET),
        ("QUIETLINE_JWT_SECRET_FILE", "s"),
    ];
    let problems = with_files(&[], &both, &[("s", SECRET)]);
    let expected = "QUIETLINE_JWT_SECRET_FILE: must not be set together with QUIETLINE_JWT_SECRET";
    assert_eq!(problems.map(|_| ()), Err(vec![expected.to_owned()]));
}

#[test]
fn the_file_may_name_a_secret_file_but_hold_no_secret() {
    let config = with_toml("jwt_secret_file = 's'").expect("good");
    assert_eq!(secret_of(&config), Some(SECRET));
    let variables = [
        ("QUIETLINE_CONFIG", "q.toml"),
        ("QUIETLINE_JWT_SECRET", SECRET),
    ];
    let files = [("q.toml", "jwt_secret_file = 'missing'")];
    let config = with_files(&[], &variables, &files).expect("the variable wins");
    assert_eq!(secret_of(&config), Some(SECRET));
    for key in ["jwt_secret", "config"] {
        let problems = with_toml(&format!("{key} = '{SECRET}'")).expect_err("not allowed");
        assert!(
            problems[0].contains("is not allowed in the file"),
            "{problems:?}"
        );
    }
}

#[test]
fn no_problem_and_no_debug_output_shows_a_secret() {
    let variables = [
        ("QUIETLINE_JWT_SECRET", "canary"),
        ("QUIETLINE_DATABASE_URL", "x:canary@h"),
    ];
    let mut problems = with_variables(&variables).expect_err("both are unfit");
    for toml in [
        "database_url = postgres://u:canary@h/db",
        "database_url = 'postgres://u:canary@h/db",
        "database_url = \"postgres://u:canary\\q@h/db\"",
        "database_url = 'mysql://u:canary@h/db'",
        "database_url = ['canary']",
    ] {
        problems.extend(with_toml(toml).expect_err("the file is unfit"));
    }
    assert!(problems.len() >= 7, "{problems:?}");
    assert!(!format!("{problems:?}").contains("canary"), "{problems:?}");
    let url = "postgres://u:canary@h/db";
    let variables = [
        ("QUIETLINE_JWT_SECRET", SECRET),
        ("QUIETLINE_DATABASE_URL", url),
    ];
    let config = with_variables(&variables).expect("good");
    assert!(!format!("{config:?}").contains("canary"));
    assert_eq!(config.database_url.to_string(), "postgres://u:***@h/db");
}

/// Returns the database of a configuration with these flags, variables and TOML keys, or the
/// problems. The file `u` has another URL.
fn database(
    flags: &[(&'static str, &str)],
    variables: &[(&str, &str)],
    toml: &str,
) -> Result<String, Vec<String>> {
    let files = [("q.toml", toml), ("u", "sqlite://from-file.db\n")];
    let variables = [&[("QUIETLINE_CONFIG", "q.toml")], variables].concat();
    let config = with_files(flags, &variables, &files)?;
    Ok(config.database_url.to_string())
}

#[test]
fn the_database_url_comes_from_the_strongest_source_that_has_it_or_its_file() {
    let url = ("QUIETLINE_DATABASE_URL", "sqlite://variable.db");
    let file = ("QUIETLINE_DATABASE_URL_FILE", "u");
    let from_file = Ok("sqlite://from-file.db".to_owned());
    assert_eq!(database(&[], &[file], ""), from_file);
    assert_eq!(database(&[], &[], "database_url_file = 'u'"), from_file);
    let toml = "database_url = 'sqlite://toml.db'";
    assert_eq!(database(&[], &[file], toml), from_file);
    let variable = database(&[], &[url], "database_url_file = 'missing'");
    assert_eq!(variable, Ok("sqlite://variable.db".to_owned()));
    let flag = database(&[("database_url", "sqlite://flag.db")], &[file], toml);
    assert_eq!(flag, Ok("sqlite://flag.db".to_owned()));
}

#[test]
fn one_source_must_not_have_both_a_database_url_and_its_file() {
    let variables = [
        ("QUIETLINE_DATABASE_URL", "sqlite://variable.db"),
        ("QUIETLINE_DATABASE_URL_FILE", "u"),
    ];
    let expected =
        "QUIETLINE_DATABASE_URL_FILE: must not be set together with QUIETLINE_DATABASE_URL";
    assert_eq!(
        database(&[], &variables, ""),
        Err(vec![expected.to_owned()])
    );
    let toml = "database_url = 'sqlite://toml.db'\ndatabase_url_file = 'u'";
    let expected = "database_url_file (configuration file): must not be set together with \
         database_url (configuration file)";
    assert_eq!(database(&[], &[], toml), Err(vec![expected.to_owned()]));
}

#[test]
fn a_faulty_url_in_a_file_is_a_problem_of_the_setting_that_names_the_file() {
    let variables = [("QUIETLINE_DATABASE_URL_FILE", "u")];
    let files = [("u", "postgres://u:canary%@h/db")];
    let problems = with_files(&[], &variables, &files).expect_err("a bare %");
    assert_eq!(problems.len(), 1, "{problems:?}");
    let problem = &problems[0];
    assert!(
        problem.starts_with("QUIETLINE_DATABASE_URL_FILE: must have two"),
        "{problem}"
    );
    assert!(!problem.contains("canary"), "{problem}");
}

#[test]
fn a_file_of_a_secret_is_refused_if_others_may_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    fs::write(&path, SECRET).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    for (mode, is_accepted) in [
        (0o600, true),
        (0o400, true),
        (0o640, is_root),
        (0o660, false),
        (0o604, false),
        (0o644, false),
        (0o601, false),
    ] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let read = secret_file::read(&path);
        assert_eq!(read.is_ok(), is_accepted, "{mode:o}: {read:?}");
        if let Err(error) = read {
            assert!(
                error.to_string().contains("other users"),
                "{mode:o}: {error}"
            );
        }
    }
}
