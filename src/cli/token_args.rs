//! Grammar of `quietline token`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Args, Subcommand};

use crate::domain::actor::Role;

use super::operator::OperatorArgs;
use super::values::text_enum;

/// Longest lifetime without `--long-lived`.
const MAX_TTL: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    pub(super) command: Option<TokenCommand>,
    #[command(flatten)]
    pub(super) new: NewTokenArgs,
}

#[derive(Subcommand)]
pub(super) enum TokenCommand {
    /// List the tokens that were signed here, oldest first
    List,
    /// Refuse the tokens of a subject or an organization that were issued until now, for ever
    Revoke(RevokeTokensArgs),
    /// List revocations, oldest first
    #[command(subcommand)]
    Revocation(RevocationCommand),
}

#[derive(Subcommand)]
pub(super) enum RevocationCommand {
    /// List revocations, oldest first
    List,
}

#[derive(Args)]
pub(super) struct NewTokenArgs {
    /// Role of the user: SUPERADMIN, ADMIN, DEPARTMENT_HEAD or SALES_REP
    #[arg(long, required = true, value_parser = text_enum::<Role>)]
    pub(super) role: Option<Role>,
    /// Id or external id of the user's organization, required unless the role is SUPERADMIN
    #[arg(long)]
    pub(super) org: Option<String>,
    /// Id of the user (`sub`) [default: command-line and a random number]
    #[arg(long)]
    pub(super) subject: Option<String>,
    /// Full name of the user, for other services that read the token
    #[arg(long, value_name = "FULLNAME")]
    pub(super) name: Option<String>,
    /// Lifetime of the token, such as 15m or 1h, at most 24h
    #[arg(long, default_value = "1h", value_parser = ttl)]
    pub(super) ttl: Duration,
    /// Allow a lifetime of more than 24 hours
    #[arg(long)]
    pub(super) long_lived: bool,
    #[command(flatten)]
    pub(super) operator: OperatorArgs,
}

impl NewTokenArgs {
    /// Checks that a long lifetime is asked for.
    ///
    /// # Errors
    ///
    /// The violated rule.
    pub(super) fn check_ttl(&self) -> Result<(), &'static str> {
        if self.long_lived || self.ttl <= MAX_TTL {
            Ok(())
        } else {
            Err("--ttl must be at most 24h, or give --long-lived too")
        }
    }
}

#[derive(Args)]
#[command(group(ArgGroup::new("tokens").required(true).args(["subject", "org"])))]
pub(super) struct RevokeTokensArgs {
    /// Id of the user (`sub`)
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub(super) subject: Option<String>,
    /// Only tokens of this issuer (`iss`) [default: of any]
    #[arg(long, requires = "subject", conflicts_with = "org")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(super) issuer: Option<String>,
    /// Id or external id of an organization
    #[arg(long)]
    pub(super) org: Option<String>,
    /// Refuse tokens issued before this time, such as 2026-01-31T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    pub(super) before: Option<DateTime<Utc>>,
    #[command(flatten)]
    pub(super) operator: OperatorArgs,
}

fn ttl(text: &str) -> Result<Duration, String> {
    const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
    let ttl = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if (Duration::from_secs(1)..=TEN_YEARS).contains(&ttl) {
        Ok(ttl)
    } else {
        Err("must be one second to ten years".to_owned())
    }
}
