//! Settings from flags, environment and file: precedence, and all errors reported at once.

use std::fs;

use super::program::{Program, end, text};

#[test]
fn all_problems_are_reported_at_once_by_name_and_without_secrets() {
    let program = Program::new();
    let mut command = program.unconfigured(&["serve"]);
    command
        .env("QUIETLINE_DATABASE_URL", "mysql://user:hunter2@host/db")
        .env("QUIETLINE_LISTEN", "nowhere")
        .env("QUIETLINE_JWT_SECRET", "too-short-hunter3")
        .env("QUIETLINE_JWKS_FILE", "no-such-file.json")
        .env("QUIETLINE_JWT_ISSUER", "")
        .env("QUIETLINE_NO_SUCH_SETTING", "x");
    let ended = end(command);
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended:?}");
    let named = [
        "QUIETLINE_DATABASE_URL",
        "QUIETLINE_LISTEN",
        "QUIETLINE_JWT_SECRET",
        "QUIETLINE_JWKS_FILE",
        "QUIETLINE_JWT_ISSUER",
    ];
    for name in named {
        assert!(ended.stderr.contains(name), "{name}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("hunter"), "{}", ended.stderr);
}

#[test]
fn an_unknown_scheme_fails_every_command_and_creates_no_file() {
    for url in [
        "postgress://host/db",
        "mysql://host/db",
        "quietline.db",
        "sqlite://",
        "sqlite",
    ] {
        let program = Program::new();
        for command in [
            &["serve"][..],
            &["migrate"],
            &["org", "list"],
            &["audit", "verify"],
        ] {
            let mut command = program.command(command);
            command.env("QUIETLINE_DATABASE_URL", url);
            let ended = end(command);
            assert_eq!(ended.code, 1, "{url}: {ended:?}");
            assert!(
                ended.stderr.contains("QUIETLINE_DATABASE_URL"),
                "{url}: {ended:?}"
            );
        }
        assert_eq!(
            fs::read_dir(program.folder.path()).unwrap().count(),
            0,
            "{url}"
        );
    }
}

#[test]
fn a_secret_of_31_bytes_is_too_short_and_one_of_32_is_not() {
    let program = Program::new();
    program.output(&["migrate"]);
    for (length, code) in [(0, 1), (31, 1), (32, 0)] {
        let mut command = program.command(&["token", "--role", "SUPERADMIN"]);
        command.env("QUIETLINE_JWT_SECRET", "x".repeat(length));
        let ended = end(command);
        assert_eq!(ended.code, code, "{length}: {ended:?}");
        assert_eq!(
            ended.stderr.contains("QUIETLINE_JWT_SECRET"),
            code == 1,
            "{ended:?}"
        );
    }
}

#[test]
fn a_database_that_cannot_be_reached_is_named_without_its_password() {
    let program = Program::new();
    let table = [
        (
            "postgres://user:hunter2@127.0.0.1:1/db",
            "postgres://user:***@127.0.0.1:1/db",
        ),
        (
            "sqlite://no/such/folder/x.db",
            "sqlite://no/such/folder/x.db",
        ),
    ];
    for (url, shown) in table {
        let mut command = program.command(&["org", "list"]);
        command.env("QUIETLINE_DATABASE_URL", url);
        let ended = end(command);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended:?}");
        assert!(ended.stderr.contains(shown), "{ended:?}");
        assert!(!ended.stderr.contains("hunter2"), "{ended:?}");
    }
}

#[test]
fn flags_override_the_environment_and_the_environment_overrides_the_file() {
    let program = Program::new();
    let file = program.folder.path().join("quietline.toml");
    fs::write(&file, "database_url = \"sqlite://from-file.db\"\n").unwrap();
    let database = |environment: Option<&str>, flags: &[&str]| {
        let arguments = [&["migrate", "--json", "--config", "quietline.toml"], flags].concat();
        let mut command = program.unconfigured(&arguments);
        command.envs(environment.map(|url| ("QUIETLINE_DATABASE_URL", url)));
        let ended = end(command);
        assert_eq!(ended.code, 0, "{ended:?}");
        text(&serde_json::from_str(&ended.stdout).unwrap(), "database")
    };
    let flags = ["--database-url", "sqlite://from-flag.db"];
    let environment = Some("sqlite://from-environment.db");
    assert_eq!(database(None, &[]), "sqlite://from-file.db");
    assert_eq!(database(environment, &[]), "sqlite://from-environment.db");
    assert_eq!(database(environment, &flags), "sqlite://from-flag.db");
}

#[test]
fn without_any_setting_the_database_is_a_file_in_the_working_directory() {
    let program = Program::new();
    let ended = end(program.unconfigured(&["org", "create", "--name", "One", "--json"]));
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(program.folder.path().join("quietline.db").is_file());
}

#[test]
fn problems_of_the_file_are_reported_with_those_of_the_environment() {
    let program = Program::new();
    let file = program.folder.path().join("quietline.toml");
    fs::write(&file, "listen = \"nowhere\"\nno_such_key = 1\n").unwrap();
    let mut command = program.unconfigured(&["serve", "--config", "quietline.toml"]);
    command.env("QUIETLINE_JWT_SECRET", "short");
    let ended = end(command);
    assert_eq!(ended.code, 1, "{ended:?}");
    for name in ["listen", "no_such_key", "QUIETLINE_JWT_SECRET"] {
        assert!(ended.stderr.contains(name), "{name}: {}", ended.stderr);
    }
}

#[test]
fn commands_on_existing_data_do_not_create_a_database() {
    let program = Program::new();
    for arguments in [
        &["org", "list"][..],
        &[
            "key",
            "list",
            "--org",
            "0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3",
        ],
        &["audit", "verify"],
        &["audit", "export", "--output", "export.jsonl"],
    ] {
        let mut command = program.unconfigured(arguments);
        command.args(["--database-url", "sqlite://typo.db"]);
        let ended = end(command);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(
            ended
                .stderr
                .contains("there is no database sqlite://typo.db"),
            "{ended:?}"
        );
        assert!(!program.folder.path().join("typo.db").exists());
    }
}
