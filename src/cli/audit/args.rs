//! Grammar of `quietline audit`.

use clap::{Args, Subcommand, value_parser};

#[derive(Subcommand)]
pub(in crate::cli) enum AuditCommand {
    /// Verify the hash chains of the log or of an export, and fail if one is broken
    Verify(VerifyArgs),
    /// List the newest entries of an organization, newest first
    List(ListArgs),
    /// Export the log as JSON Lines, for `audit verify --file` and for safekeeping
    Export(ExportArgs),
    /// Sign the current end of each log, and print one line per log. Append them to a file with >>
    Anchor(AnchorArgs),
    /// Create a key that signs anchors, and print the public key that verifies them
    AnchorKey {
        /// File for the private key, which must not exist yet
        #[arg(long, value_name = "FILE")]
        output: String,
    },
}

#[derive(Args)]
pub(in crate::cli) struct VerifyArgs {
    /// Id or external id of the organization [default: all organizations]
    #[arg(long)]
    pub(super) org: Option<String>,
    /// Verify this export file instead of the database (- for standard input)
    #[arg(long, value_name = "FILE", conflicts_with = "org")]
    pub(super) file: Option<String>,
    /// Also check the logs against the anchors in this file
    #[arg(long, value_name = "FILE", requires = "anchor_public_key")]
    pub(super) anchors: Option<String>,
    /// Public key (PEM) that verifies the anchors
    #[arg(long, value_name = "FILE", requires = "anchors")]
    pub(super) anchor_public_key: Option<String>,
}

#[derive(Args)]
pub(in crate::cli) struct ListArgs {
    /// Id or external id of the organization
    #[arg(long)]
    pub(super) org: String,
    /// Maximum number of entries
    #[arg(long, default_value_t = 50, value_parser = value_parser!(i64).range(1..=10_000))]
    pub(super) limit: i64,
    /// Show only entries before this sequence number, to continue a list
    #[arg(long, value_name = "SEQ")]
    pub(super) before: Option<i64>,
}

#[derive(Args)]
pub(in crate::cli) struct ExportArgs {
    /// Id or external id of the organization [default: all organizations]
    #[arg(long)]
    pub(super) org: Option<String>,
    /// File for the export, which must not exist yet [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<String>,
}

#[derive(Args)]
pub(in crate::cli) struct AnchorArgs {
    /// Id or external id of the organization [default: all organizations]
    #[arg(long)]
    pub(super) org: Option<String>,
    /// Private key, Ed25519 (PKCS#8, PEM) [default: the file named by
    /// QUIETLINE_ANCHOR_KEY_FILE]
    #[arg(long, value_name = "FILE")]
    pub(super) key: Option<String>,
}
