//! `--help`: the settings of the program once, and a reference to them in every subcommand.

use quietline::config::settings::SETTINGS;

use super::program::{Ended, Program, end};

fn help(arguments: &[&str]) -> String {
    let program = Program::on_sqlite();
    let Ended { code, stdout, .. } = end(program.unconfigured(&[arguments, &["--help"]].concat()));
    assert_eq!(code, 0, "{arguments:?}: {stdout}");
    stdout
}

#[test]
fn the_help_of_the_program_names_the_variable_and_the_flag_of_every_setting() {
    let help = help(&[]);
    for setting in SETTINGS {
        let variable = setting.variable();
        assert!(help.contains(&variable), "{variable}: {help}");
        let flag = format!("--{} <", setting.long_flag());
        assert_eq!(help.contains(&flag), setting.flag.is_some(), "{flag}");
        assert!(help.contains(setting.help), "{}: {help}", setting.help);
    }
    let widest = help.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(120), "{help}");
}

#[test]
fn the_help_of_a_subcommand_refers_to_the_settings() {
    for arguments in [
        &["serve"][..],
        &["org"],
        &["org", "show"],
        &["audit", "verify"],
        &["audit", "anchor"],
    ] {
        let help = help(arguments);
        assert!(help.contains("`quietline --help`"), "{help}");
        assert!(!help.contains("--listen"), "{help}");
        assert!(help.lines().count() <= 25, "{help}");
    }
}

#[test]
fn a_command_without_its_secret_names_the_variables() {
    let program = Program::on_sqlite();
    for arguments in [&["token", "--role", "ADMIN"][..], &["demo"]] {
        let ended = end(program.unconfigured(arguments));
        assert_eq!(ended.code, 1, "{ended:?}");
        for variable in ["QUIETLINE_JWT_SECRET ", "QUIETLINE_JWT_SECRET_FILE"] {
            assert!(ended.stderr.contains(variable), "{ended:?}");
        }
    }
}
