//! Grammar of the command line. It is public, because scripts depend on it.

use clap::{Arg, ArgGroup, ArgMatches, Args, FromArgMatches, Parser, Subcommand};

use crate::config::settings::{Flags, SETTINGS, Setting};
use crate::domain::organization::OrganizationKind;
use crate::domain::registry::RegistrationStatus;

use super::audit::AuditCommand;
use super::moment::Moment;
use super::operator::OperatorArgs;
use super::token_args::TokenArgs;
use super::values::text_enum;

/// Keeps the SMS and MMS settings of many organizations, checks each change, and records who made
/// it.
#[derive(Parser)]
#[command(name = "quietline", version, after_help = without_flag())]
#[command(mut_subcommands = refer_to_settings)]
pub(super) struct Cli {
    /// Print JSON (no effect on `serve`, tokens, exports and anchors)
    #[arg(long, global = true)]
    pub(super) json: bool,
    // After the other flags, because its heading would hold them as well.
    #[command(flatten)]
    pub(super) settings: SettingArgs,
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
    let value_name = setting.flag?;
    let arg = Arg::new(setting.name).long(setting.long_flag());
    let arg = arg.value_name(value_name).help(help(setting));
    // Below the flag, because many lines would be too wide beside it.
    Some(arg.next_line_help(true).global(true))
}

fn help(setting: &Setting) -> String {
    let variable = setting.variable();
    let default = setting.default.map(|text| format!(" [default: {text}]"));
    format!(
        "{}\n[env: {variable}]{}",
        setting.help,
        default.unwrap_or_default()
    )
}

/// Lists the settings that have an environment variable but no flag.
fn without_flag() -> String {
    let settings = SETTINGS.iter().filter(|setting| setting.flag.is_none());
    let lines =
        settings.map(|setting| format!("\n  {}\n          {}", setting.variable(), setting.help));
    format!(
        "Settings without a flag, by environment variable:{}",
        lines.collect::<String>()
    )
}

/// Replaces the settings in the help of `command` and its subcommands by a reference, because they
/// are several times as long as the rest. The flags work all the same.
fn refer_to_settings(command: clap::Command) -> clap::Command {
    let flags = SETTINGS.iter().filter_map(to_arg);
    command
        // Own copies, because hiding the inherited flags would hide them in the main help too.
        .args(flags.map(|flag| flag.hide(true)))
        .after_help("Settings, such as --database-url, are listed by `quietline --help`.")
        .mut_subcommands(refer_to_settings)
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Serve both APIs
    Serve,
    /// Bring the schema of the database up to date
    Migrate,
    /// Create a demonstration organization with keys and tokens, or show it. Never in production
    Demo(OperatorArgs),
    /// Create, show and list organizations
    #[command(subcommand)]
    Org(OrgCommand),
    /// Create, list and revoke API keys of the AgentMessage dialect
    #[command(subcommand)]
    Key(ApiKeyCommand),
    /// Record brands in the local mirror of the registry (registers nothing with carriers)
    #[command(subcommand)]
    Brand(BrandCommand),
    /// Record campaigns in the local mirror of the registry (registers nothing with carriers)
    #[command(subcommand)]
    Campaign(CampaignCommand),
    /// Sign a token of the Tether dialect with the configured secret, or revoke tokens
    Token(TokenArgs),
    /// List, verify, export and anchor the audit log
    #[command(subcommand)]
    Audit(AuditCommand),
}

#[derive(Subcommand)]
pub(super) enum OrgCommand {
    /// Create an organization
    Create(NewOrgArgs),
    /// Show an organization
    Show {
        /// Id or external id of the organization
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
    /// Kind of the organization: commercial or personal
    #[arg(long, default_value = "commercial", value_parser = text_enum::<OrganizationKind>)]
    pub(super) kind: OrganizationKind,
    /// Id of the organization in another system
    #[arg(long, value_name = "ID")]
    pub(super) external_id: Option<String>,
    /// Email address for invoices
    #[arg(long, value_name = "EMAIL")]
    pub(super) billing_email: Option<String>,
    #[command(flatten)]
    pub(super) operator: OperatorArgs,
}

#[derive(Subcommand)]
pub(super) enum ApiKeyCommand {
    /// Create a key, which is shown only once
    Create(NewApiKeyArgs),
    /// List an organization's keys, newest first
    List {
        /// Id or external id of the organization
        #[arg(long)]
        org: String,
    },
    /// Revoke a key, or the keys of an organization. Servers then refuse them within a second
    Revoke(RevokeKeyArgs),
}

#[derive(Args)]
pub(super) struct NewApiKeyArgs {
    /// Id or external id of the organization
    #[arg(long)]
    pub(super) org: String,
    /// Display name of the key, 1 to 100 characters
    #[arg(long)]
    pub(super) label: String,
    /// Comma-separated: org:read, org:admin:write, apikeys:read, apikeys:write, audit:read
    #[arg(long, value_delimiter = ',', required = true)]
    pub(super) scopes: Vec<String>,
    /// Time from which the key is refused, or lifetime, such as 90d [default: never]
    #[arg(long, value_name = "TIME")]
    pub(super) expires: Option<Moment>,
    #[command(flatten)]
    pub(super) operator: OperatorArgs,
}

#[derive(Args)]
#[command(group(ArgGroup::new("selection").required(true).args(["id", "org"])))]
pub(super) struct RevokeKeyArgs {
    /// Id of the key
    #[arg(value_name = "KEY_ID")]
    pub(super) id: Option<String>,
    /// Also revoke every key that the key issued, directly or through keys that it issued
    #[arg(long, conflicts_with = "org")]
    pub(super) issued: bool,
    /// Revoke keys of this organization (id or external id), all of them unless limited
    #[arg(long)]
    pub(super) org: Option<String>,
    /// Only keys that this key issued, directly or through keys that it issued
    #[arg(long, value_name = "KEY_ID", conflicts_with = "id")]
    pub(super) issued_by: Option<String>,
    /// Only keys created since this time, or in this span up to now, such as 2h
    #[arg(long, value_name = "TIME", conflicts_with = "id")]
    pub(super) since: Option<Moment>,
    /// Show the keys and revoke none
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) operator: OperatorArgs,
}

#[derive(Subcommand)]
pub(super) enum BrandCommand {
    /// Record a brand of an organization in the local mirror of the registry
    Add(NewBrandArgs),
    /// Mark a brand and its campaigns as deleted
    Delete {
        /// Id of the brand
        #[arg(value_name = "BRAND_ID")]
        id: String,
        #[command(flatten)]
        operator: OperatorArgs,
    },
}

#[derive(Args)]
pub(super) struct NewBrandArgs {
    /// Id or external id of the organization
    #[arg(long)]
    pub(super) org: String,
    /// Name of the brand
    #[arg(long)]
    pub(super) name: String,
    /// Status: PENDING or ACTIVE
    #[arg(long, default_value = "ACTIVE", value_parser = live_status)]
    pub(super) status: RegistrationStatus,
    #[command(flatten)]
    pub(super) operator: OperatorArgs,
}

#[derive(Subcommand)]
pub(super) enum CampaignCommand {
    /// Record a campaign of a brand in the local mirror of the registry
    Add(NewCampaignArgs),
    /// Mark a campaign as deleted
    Delete {
        /// Id of the campaign
        #[arg(value_name = "CAMPAIGN_ID")]
        id: String,
        #[command(flatten)]
        operator: OperatorArgs,
    },
}

#[derive(Args)]
pub(super) struct NewCampaignArgs {
    /// Id of the brand
    #[arg(long)]
    pub(super) brand: String,
    /// Name of the campaign
    #[arg(long)]
    pub(super) name: String,
    /// Status: PENDING or ACTIVE
    #[arg(long, default_value = "ACTIVE", value_parser = live_status)]
    pub(super) status: RegistrationStatus,
    #[command(flatten)]
    pub(super) operator: OperatorArgs,
}

fn live_status(text: &str) -> Result<RegistrationStatus, String> {
    text.parse::<RegistrationStatus>()
        .ok()
        // Only `delete` sets this status, because deleting a brand also deletes its campaigns.
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
