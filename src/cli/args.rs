//! The grammar of the command line. It is public: scripts depend on it.

use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use strum::VariantArray;

use crate::config::Overrides;
use crate::domain::actor::Role;
use crate::domain::organization::OrganizationKind;
use crate::domain::registry::RegistrationStatus;

use super::audit::AuditCommand;

/// Organization messaging settings and guardrails: one server, two public APIs.
#[derive(Parser)]
#[command(name = "quietline", version)]
pub(super) struct Cli {
    #[command(flatten)]
    settings: SettingArgs,
    /// Print data as JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Each of these can also be set as QUIETLINE_… in the environment or in the TOML file.
#[derive(Args)]
#[command(next_help_heading = "Settings")]
struct SettingArgs {
    /// TOML file to read settings from
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<String>,
    /// sqlite://PATH or postgres://… [default: sqlite://quietline.db]
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// Connections to PostgreSQL, 1 to 256 [default: 16]
    #[arg(long, global = true, value_name = "N")]
    database_pool_size: Option<String>,
    /// Address and port to serve on [default: 127.0.0.1:8080]
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Threads that serve requests [default: processors + 1]
    #[arg(long, global = true, value_name = "N")]
    workers: Option<String>,
    /// Seconds to serve on, not ready, when told to stop [default: 0]
    #[arg(long, global = true, value_name = "N")]
    drain_seconds: Option<String>,
    /// Whether /docs and /openapi are served, on or off [default: on]
    #[arg(long, global = true, value_name = "ON|OFF")]
    docs: Option<String>,
    /// File with the public keys (JWK set) of tokens
    #[arg(long, global = true, value_name = "FILE")]
    jwks_file: Option<String>,
    /// `iss` that tokens must have
    #[arg(long, global = true, value_name = "TEXT")]
    jwt_issuer: Option<String>,
    /// `aud` that tokens must have
    #[arg(long, global = true, value_name = "TEXT")]
    jwt_audience: Option<String>,
    /// Requests in a minute with one API key or of one user, 0 for any number [default: 0]
    #[arg(long, global = true, value_name = "N")]
    credential_requests_per_minute: Option<String>,
    /// Requests in a minute for one organization [default: 0]
    #[arg(long, global = true, value_name = "N")]
    organization_requests_per_minute: Option<String>,
    /// Requests in a minute from one client address [default: 0]
    #[arg(long, global = true, value_name = "N")]
    address_requests_per_minute: Option<String>,
    /// Requests in a minute without a valid credential, from one client address [default: 0]
    #[arg(long, global = true, value_name = "N")]
    address_failures_per_minute: Option<String>,
    /// Proxies that are believed about client addresses, such as 10.0.0.0/8,::1
    #[arg(long, global = true, value_name = "NETWORKS")]
    trusted_proxies: Option<String>,
    /// Origins whose pages may read answers, such as https://app.example.com
    #[arg(long, global = true, value_name = "ORIGINS")]
    cors_origins: Option<String>,
    /// What is logged [default: info,actix_server=warn,actix_http=off,r2d2=off]
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
    /// text or json [default: text]
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl Cli {
    /// The settings that were given as flags.
    pub(super) fn overrides(&self) -> Overrides {
        let settings = &self.settings;
        Overrides {
            config_file: settings.config.clone(),
            database_url: settings.database_url.clone(),
            database_pool_size: settings.database_pool_size.clone(),
            listen: settings.listen.clone(),
            workers: settings.workers.clone(),
            drain_seconds: settings.drain_seconds.clone(),
            docs: settings.docs.clone(),
            jwks_file: settings.jwks_file.clone(),
            jwt_issuer: settings.jwt_issuer.clone(),
            jwt_audience: settings.jwt_audience.clone(),
            credential_requests_per_minute: settings.credential_requests_per_minute.clone(),
            organization_requests_per_minute: settings.organization_requests_per_minute.clone(),
            address_requests_per_minute: settings.address_requests_per_minute.clone(),
            address_failures_per_minute: settings.address_failures_per_minute.clone(),
            trusted_proxies: settings.trusted_proxies.clone(),
            cors_origins: settings.cors_origins.clone(),
            log: settings.log.clone(),
            log_format: settings.log_format.clone(),
        }
    }
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
    match (Duration::from_secs(1)..=TEN_YEARS).contains(&ttl) {
        true => Ok(ttl),
        false => Err("must be one second to ten years".to_owned()),
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

    /// Its defaults are those that hold, as a test of `config` says.
    const EXAMPLE: &str = include_str!("../../.env.example");

    #[test]
    fn help_states_the_defaults_that_hold() {
        let command = Cli::command();
        let settings = EXAMPLE
            .lines()
            .filter_map(|line| line.strip_prefix("# QUIETLINE_"));
        let mut stated = 0;
        for (name, default) in settings.filter_map(|setting| setting.split_once('=')) {
            let flag = name.to_ascii_lowercase().replace('_', "-");
            let is_meant = |argument: &&clap::Arg| argument.get_long() == Some(flag.as_str());
            let Some(argument) = command.get_arguments().find(is_meant) else {
                continue;
            };
            if !default.is_empty() {
                let help = argument
                    .get_help()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                assert!(help.ends_with(&format!("[default: {default}]")), "{help}");
                stated += 1;
            }
        }
        assert_eq!(stated, 11);
    }
}
