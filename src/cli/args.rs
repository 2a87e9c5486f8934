//! Grammar of the command line. It is public, because scripts depend on it.

use std::str::FromStr;
use std::time::Duration;

use clap::{Arg, ArgMatches, Args, FromArgMatches, Parser, Subcommand};
use strum::VariantArray;

use crate::config::settings::{Flags, SETTINGS, Setting};
use crate::domain::actor::Role;
use crate::domain::organization::OrganizationKind;
use crate::domain::registry::RegistrationStatus;

use super::audit::AuditCommand;

/// Organization messaging settings and guardrails: one server, two public APIs.
#[derive(Parser)]
#[command(name = "quietline", version)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) settings: SettingArgs,
    /// Print data as JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Flags of the settings, generated from the table in `config`.
pub(super) struct SettingArgs(pub(super) Flags);

impl Args for SettingArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        command
            .next_help_heading("Settings")
            .args(SETTINGS.iter().filter_map(to_arg))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = SETTINGS
            .iter()
            .filter(|setting| setting.flag.is_some())
            .filter_map(|setting| {
                let text = matches.get_one::<String>(setting.name)?;
                Some((setting.name, text.clone()))
            });
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Makes the flag of `setting`. The default appears in the help only, because `config` must see
/// that a flag is absent.
fn to_arg(setting: &Setting) -> Option<Arg> {
    let flag = setting.flag.as_ref()?;
    let help = match setting.default {
        Some(default) => format!("{} [default: {default}]", flag.help),
        None => flag.help.to_owned(),
    };
    let arg = Arg::new(setting.name).long(setting.long_flag());
    Some(arg.value_name(flag.value_name).help(help).global(true))
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Serve both APIs
    Serve,
    /// Bring the database's schema up to date
    Migrate,
    /// Make a demonstration organization with keys and tokens, or show the one that is there
    Demo,
    /// Organizations
    #[command(subcommand)]
    Org(OrgCommand),
    /// API keys of the AgentMessage dialect
    #[command(subcommand)]
    Key(ApiKeyCommand),
    /// Brands of the registry
    #[command(subcommand)]
    Brand(BrandCommand),
    /// Campaigns of the registry
    #[command(subcommand)]
    Campaign(CampaignCommand),
    /// Sign a token of the Tether dialect with the configured secret
    Token(NewTokenArgs),
    /// The audit log
    #[command(subcommand)]
    Audit(AuditCommand),
}

#[derive(Subcommand)]
pub(super) enum OrgCommand {
    /// Create an organization
    Create(NewOrgArgs),
    /// Show an organization
    Show {
        /// Its id or its external id
        id: String,
    },
    /// List all organizations
    List,
}

#[derive(Args)]
pub(super) struct NewOrgArgs {
    /// Display name, 1 to 200 characters
    #[arg(long)]
    pub(super) name: String,
    /// commercial or personal
    #[arg(long, default_value = "commercial", value_parser = text_enum::<OrganizationKind>)]
    pub(super) kind: OrganizationKind,
    /// The id that another system knows it by
    #[arg(long, value_name = "X")]
    pub(super) external_id: Option<String>,
    /// Where invoices go
    #[arg(long, value_name = "E")]
    pub(super) billing_email: Option<String>,
}

#[derive(Subcommand)]
pub(super) enum ApiKeyCommand {
    /// Create a key; it is shown once
    Create(NewApiKeyArgs),
    /// List an organization's keys, newest first
    List {
        /// The organization's id or external id
        #[arg(long)]
        org: String,
    },
    /// Revoke a key; servers refuse it within a second
    Revoke {
        /// The key's id
        #[arg(value_name = "KEY_ID")]
        id: String,
    },
}

#[derive(Args)]
pub(super) struct NewApiKeyArgs {
    /// The organization's id or external id
    #[arg(long)]
    pub(super) org: String,
    /// What people call the key, 1 to 100 characters
    #[arg(long)]
    pub(super) label: String,
    /// Scopes, separated by commas
    #[arg(long, value_delimiter = ',', required = true)]
    pub(super) scopes: Vec<String>,
}

#[derive(Subcommand)]
pub(super) enum BrandCommand {
    /// Add a brand to an organization
    Add(NewBrandArgs),
    /// Mark a brand and its campaigns as deleted
    Delete {
        /// The brand's id
        #[arg(value_name = "BRAND_ID")]
        id: String,
    },
}

#[derive(Args)]
pub(super) struct NewBrandArgs {
    /// The organization's id or external id
    #[arg(long)]
    pub(super) org: String,
    /// The brand's name
    #[arg(long)]
    pub(super) name: String,
    /// PENDING or ACTIVE
    #[arg(long, default_value = "ACTIVE", value_parser = live_status)]
    pub(super) status: RegistrationStatus,
}

#[derive(Subcommand)]
pub(super) enum CampaignCommand {
    /// Add a campaign to a brand
    Add(NewCampaignArgs),
    /// Mark a campaign as deleted
    Delete {
        /// The campaign's id
        #[arg(value_name = "CAMPAIGN_ID")]
        id: String,
    },
}

#[derive(Args)]
pub(super) struct NewCampaignArgs {
    /// The brand's id
    #[arg(long)]
    pub(super) brand: String,
    /// The campaign's name
    #[arg(long)]
    pub(super) name: String,
    /// PENDING or ACTIVE
    #[arg(long, default_value = "ACTIVE", value_parser = live_status)]
    pub(super) status: RegistrationStatus,
}

#[derive(Args)]
pub(super) struct NewTokenArgs {
    /// SUPERADMIN, ADMIN, DEPARTMENT_HEAD or SALES_REP
    #[arg(long, value_parser = text_enum::<Role>)]
    pub(super) role: Role,
    /// The user's organization, by id or external id
    #[arg(long)]
    pub(super) org: Option<String>,
    /// Who the user is (`sub`)
    #[arg(long, default_value = "command-line")]
    pub(super) subject: String,
    /// The user's full name, for other readers of the token
    #[arg(long, value_name = "FULLNAME")]
    pub(super) name: Option<String>,
    /// How long the token is valid, such as 15m or 1h
    #[arg(long, default_value = "1h", value_parser = ttl)]
    pub(super) ttl: Duration,
}

fn text_enum<T>(text: &str) -> Result<T, String>
where
    T: FromStr + VariantArray + Copy + Into<&'static str>,
{
    let all: Vec<&str> = T::VARIANTS.iter().map(|value| (*value).into()).collect();
    let parsed = text.parse();
    parsed.map_err(|_other_text| format!("must be one of: {}", all.join(", ")))
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

fn live_status(text: &str) -> Result<RegistrationStatus, String> {
    text.parse::<RegistrationStatus>()
        .ok()
        .filter(|status| *status != RegistrationStatus::Deleted)
        .ok_or_else(|| "must be one of: PENDING, ACTIVE".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_flag_of_a_setting_becomes_its_setting() {
        Cli::command().debug_assert();
        for setting in SETTINGS {
            let flag = format!("--{}", setting.long_flag());
            let parsed = Cli::try_parse_from(["quietline", "org", "list", &flag, "x"]);
            let given = parsed.ok().and_then(|cli| {
                let SettingArgs(flags) = cli.settings;
                flags.get(setting).cloned()
            });
            assert_eq!(
                given.as_deref(),
                setting.flag.as_ref().map(|_| "x"),
                "{flag}"
            );
        }
    }
}
