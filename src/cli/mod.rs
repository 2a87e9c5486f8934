//! Command line: parses the arguments and runs the command.

mod api_key;
mod args;
mod audit;
mod context;
mod demo;
mod moment;
mod operator;
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
use context::{Context, Outcome, describe, open, open_existing};
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
        Command::Demo(operator) => demo::run(config, &operator, out).await,
        Command::Org(command) => match command {
            OrgCommand::Create(new) => {
                // May create the database, because the other commands need an organization first.
                organization::create(&open(config)?.session(&new.operator), new, out).await
            }
            OrgCommand::Show { id } => organization::show(&open_existing(config)?, &id, out).await,
            OrgCommand::List => organization::list(&open_existing(config)?, out).await,
        },
        Command::Key(command) => key(open_existing(config)?, command, out).await,
        Command::Brand(command) => brand(open_existing(config)?, command, out).await,
        Command::Campaign(command) => campaign(open_existing(config)?, command, out).await,
        Command::Token(args) => token::run(config, args, out).await,
        Command::Audit(command) => audit::run(config, command, out).await,
    }
}

async fn key(context: Context, command: ApiKeyCommand, out: &mut Output) -> Outcome {
    match command {
        ApiKeyCommand::Create(new) => {
            api_key::create(&context.session(&new.operator), new, out).await
        }
        ApiKeyCommand::List { org } => api_key::list(&context, &org, out).await,
        ApiKeyCommand::Revoke(args) => {
            api_key::revoke(&context.session(&args.operator), args, out).await
        }
    }
}

async fn brand(context: Context, command: BrandCommand, out: &mut Output) -> Outcome {
    match command {
        BrandCommand::Add(new) => {
            registry::add_brand(&context.session(&new.operator), new, out).await
        }
        BrandCommand::Delete { id, operator } => {
            registry::delete_brand(&context.session(&operator), &id, out).await
        }
    }
}

async fn campaign(context: Context, command: CampaignCommand, out: &mut Output) -> Outcome {
    match command {
        CampaignCommand::Add(new) => {
            registry::add_campaign(&context.session(&new.operator), new, out).await
        }
        CampaignCommand::Delete { id, operator } => {
            registry::delete_campaign(&context.session(&operator), &id, out).await
        }
    }
}

fn fail(message: &str) -> ExitCode {
    // Log lines that led to the failure come before its message.
    logging::flush();
    output::print_error(message);
    ExitCode::FAILURE
}
