//! Command line: parses the arguments and runs the command.

mod api_key;
mod args;
mod audit;
mod context;
mod demo;
mod organization;
mod output;
mod registry;
mod serve;
mod token;
mod token_args;
mod values;

use std::process::ExitCode;

use actix_web::rt::System;
use clap::Parser;

use crate::config::Config;
use crate::error::BoxError;
use crate::logging;

use args::{ApiKeyCommand, BrandCommand, CampaignCommand, Cli, Command, OrgCommand};
use context::{Outcome, describe, open, open_existing};
use output::Output;

/// Parses the command line, runs the command and returns its exit code.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let mut output = Output::new(cli.json);
    // Before the configuration, because an auditor verifies an export on a machine without one.
    if let Command::Audit(command) = &cli.command
        && let Some(outcome) = audit::run_without_config(command, &mut output)
    {
        return exit_code(outcome);
    }
    let config = match Config::load(cli.settings.0) {
        Ok(config) => config,
        Err(problems) => return fail(&format!("invalid configuration:\n{problems}")),
    };
    let guard = logging::init(&config.log, config.log_format);
    exit_code(
        guard
            .map_err(BoxError::from)
            // The guard outlives the command, because dropping it writes the queued lines.
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
            // May create the database, because the other commands need an organization first.
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
        Command::Token(args) => token::run(config, args, out).await,
        Command::Audit(command) => audit::run(config, command, out).await,
    }
}

fn fail(message: &str) -> ExitCode {
    // Log lines that led to the failure come before its message.
    logging::flush();
    output::print_error(message);
    ExitCode::FAILURE
}
