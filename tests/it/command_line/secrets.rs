//! Secrets of the configuration: no message shows them, and no file that others may read has them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::program::{Program, end};

fn set_mode(path: &str, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Method: the halves of a password around special characters that a URL must not have there.
/// Nothing listens on port 1.
#[test]
fn no_message_shows_a_part_of_the_database_password() {
    let program = Program::on_sqlite();
    for special in [
        "%zz", "%", "@", "/", "?", "#", ":", "&", "=", "[", "]", " ", "%00", "%ff",
    ] {
        let password = format!("CANA{special}RYpw");
        // With an `@` this is a good URL of another server.
        let unfinished = password.replace('@', ":");
        for url in [
            format!("postgres://user:{password}@127.0.0.1:1/db"),
            format!("postgres://user:{unfinished}"),
            format!("postgres://127.0.0.1:1/db?password={password}"),
            format!("postgres://127.0.0.1:1?sslpassword={password}&sslmode=disable"),
        ] {
            let mut command = program.command(&["migrate"]);
            command.env("QUIETLINE_DATABASE_URL", &url);
            command.env("QUIETLINE_LOG", "trace");
            let ended = end(command);
            assert_eq!(ended.code, 1, "{url}: {ended:?}");
            let shown = ended.stdout + &ended.stderr;
            assert!(
                !shown.contains("CANA") && !shown.contains("RYpw"),
                "{url}: {shown}"
            );
        }
    }
}

#[test]
fn the_database_url_is_read_from_a_private_file() {
    let program = Program::new();
    let file = program.file("url", &format!("{}\n", program.database.url_text()));
    for (mode, code) in [(0o644, 1), (0o604, 1), (0o600, 0)] {
        set_mode(&file, mode);
        let mut command = program.unconfigured(&["migrate"]);
        command.env("QUIETLINE_DATABASE_URL_FILE", &file);
        let ended = end(command);
        assert_eq!(ended.code, code, "{mode:o}: {ended:?}");
        assert_eq!(
            ended.stderr.contains("other users may read it"),
            code == 1,
            "{ended:?}"
        );
    }
}

#[test]
fn a_jwt_secret_and_an_anchor_key_that_others_may_read_are_refused() {
    let program = Program::new();
    program.organization("One");
    let secret = program.file("secret", &"s".repeat(32));
    program.output(&["audit", "anchor-key", "--output", "key.pem"]);
    let key = program.folder.path().join("key.pem");
    for (mode, code) in [(0o644, 1), (0o600, 0)] {
        set_mode(&secret, mode);
        let mut command = program.unconfigured(&["token", "--role", "SUPERADMIN"]);
        command.env("QUIETLINE_JWT_SECRET_FILE", &secret);
        command.env("QUIETLINE_DATABASE_URL", program.database.url_text());
        let ended = end(command);
        assert_eq!(ended.code, code, "{mode:o}: {ended:?}");
        set_mode(key.to_str().unwrap(), mode);
        let ended = program.run(&["audit", "anchor", "--key", "key.pem"]);
        assert_eq!(ended.code, code, "{mode:o}: {ended:?}");
        assert_eq!(
            ended.stderr.contains("other users may read it"),
            code == 1,
            "{ended:?}"
        );
    }
}

#[test]
fn a_sqlite_file_that_others_may_read_is_a_warning() {
    let program = Program::on_sqlite();
    program.organization("One");
    for (mode, is_warned) in [(0o600, false), (0o640, false), (0o644, true)] {
        set_mode(&program.sqlite_file(), mode);
        let ended = program.run(&["org", "list"]);
        assert_eq!(ended.code, 0, "{ended:?}");
        let warning = "other users may read the SQLite file";
        assert_eq!(
            ended.stderr.contains(warning),
            is_warned,
            "{mode:o}: {ended:?}"
        );
    }
}

#[test]
fn names_of_the_command_line_can_be_seen() {
    let program = Program::new();
    let org = program.organization("One");
    for name in ["\u{200b}", "\u{3164}", "a\u{202e}b", "\u{e0041}"] {
        for arguments in [
            &["org", "create", "--name", name][..],
            &["brand", "add", "--org", &org, "--name", name],
            &[
                "key", "create", "--org", &org, "--scopes", "org:read", "--label", name,
            ],
        ] {
            let error = program.error_output(arguments);
            assert!(error.contains("must have "), "{arguments:?}: {error}");
        }
    }
}
