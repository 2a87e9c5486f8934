//! The command line: its grammar, and the way from there to a running command.

mod api_key;
mod args;
mod audit;
mod demo;
mod organization;
mod output;
mod registry;
mod serve;
mod token;

use std::process::ExitCode;

use actix_web::rt::System;
use clap::Parser;

use crate::auth::jwt::JwtKeys;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{DatabaseUrl, Db};
use crate::error::{BoxError, Error, chain};
use crate::logging;

use args::{ApiKeyCommand, BrandCommand, CampaignCommand, Cli, Command, OrgCommand};
use output::Output;

/// What a command ends with: whether it found everything in order.
type Outcome = Result<bool, BoxError>;

/// Parses the command line, runs the command and says how it went.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let mut output = Output::new(cli.json);
    if let Command::Audit(command) = &cli.command
        && let Some(outcome) = audit::run_without_config(command, &mut output)
    {
        return exit_code(outcome);
    }
    let config = match Config::load(cli.settings.0) {
        Ok(config) => config,
        Err(problems) => return fail(&format!("the configuration is not usable:\n{problems}")),
    };
    let guard = logging::init(&config.log, config.log_format);
    exit_code(
        guard
            .map_err(BoxError::from)
            .and_then(|_guard| System::new().block_on(dispatch(cli.command, &config, output))),
    )
}

fn exit_code(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => fail(&describe(error.as_ref())),
    }
}

async fn dispatch(command: Command, config: &Config, mut output: Output) -> Outcome {
    let out = &mut output;
    match command {
        Command::Serve => serve::run(config).await,
        Command::Migrate => serve::migrate(config, out),
        Command::Demo => demo::run(config, out).await,
        Command::Org(OrgCommand::Create(new)) => {
            organization::create(&open(config)?, new, out).await
        }
        Command::Org(OrgCommand::Show { id }) => {
            organization::show(&open_existing(config)?, &id, out).await
        }
        Command::Org(OrgCommand::List) => organization::list(&open_existing(config)?, out).await,
        Command::Key(ApiKeyCommand::Create(new)) => {
            api_key::create(&open_existing(config)?, new, out).await
        }
        Command::Key(ApiKeyCommand::List { org }) => {
            api_key::list(&open_existing(config)?, &org, out).await
        }
        Command::Key(ApiKeyCommand::Revoke { id }) => {
            api_key::revoke(&open_existing(config)?, &id, out).await
        }
        Command::Brand(BrandCommand::Add(new)) => {
            registry::add_brand(&open_existing(config)?, new, out).await
        }
        Command::Brand(BrandCommand::Delete { id }) => {
            registry::delete_brand(&open_existing(config)?, &id, out).await
        }
        Command::Campaign(CampaignCommand::Add(new)) => {
            registry::add_campaign(&open_existing(config)?, new, out).await
        }
        Command::Campaign(CampaignCommand::Delete { id }) => {
            registry::delete_campaign(&open_existing(config)?, &id, out).await
        }
        Command::Token(new) => token::run(config, new, out),
        Command::Audit(command) => audit::run(config, command, out).await,
    }
}

/// What commands that work on the database share.
struct Context {
    db: Db,
    clock: Clock,
}

/// Opens the database; its schema is brought up to date on the way, as by every command.
fn open(config: &Config) -> Result<Context, BoxError> {
    let db = Db::open(&config.database_url, config.database_pool_size)
        .map_err(|error| format!("database {}: {}", config.database_url, describe(&error)))?;
    Ok(Context {
        db,
        clock: Clock::System,
    })
}

/// As [`open`], for commands on what is there: a mistyped name would make an empty database, in
/// which everything is in order.
fn open_existing(config: &Config) -> Result<Context, BoxError> {
    if let DatabaseUrl::Sqlite(path) = &config.database_url
        && path.try_exists().is_ok_and(|exists| !exists)
    {
        return Err(format!("there is no database {}", config.database_url).into());
    }
    open(config)
}

fn jwt_keys(config: &Config) -> Result<JwtKeys, BoxError> {
    JwtKeys::new(&config.jwt).map_err(|problems| problems.join("\n").into())
}

fn fail(message: &str) -> ExitCode {
    logging::flush();
    output::complain(message);
    ExitCode::FAILURE
}

/// An error and its causes in one line, with the broken rules where there are any.
fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    if let Some(Error::Invalid(violations)) = error.downcast_ref::<Error>() {
        let rules: Vec<String> = violations
            .iter()
            .map(|rule| format!("{}: {}", rule.path, rule.message))
            .collect();
        return rules.join("; ");
    }
    chain(error)
}
