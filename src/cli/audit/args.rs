//! Grammar of `quietline audit`.

use clap::{Args, Subcommand, value_parser};

#[derive(Subcommand)]
pub(in crate::cli) enum AuditCommand {
    /// Check the hash chains of the log, or of an export of it; fails if one is broken
    Verify(VerifyArgs),
    /// Show an organization's newest entries, newest first
    List(ListArgs),
    /// Write the log out as JSON Lines, for `audit verify --file` and for safekeeping
    Export(ExportArgs),
    /// Sign where the logs end now, a line for each, for `audit verify --anchors`
    Anchor(AnchorArgs),
    /// Make a key to sign anchors with, and print the public key that verifies them
    AnchorKey {
        /// File to write the private key to; it must not exist
        #[arg(long, value_name = "FILE")]
        output: String,
    },
}

#[derive(Args)]
pub(in crate::cli) struct VerifyArgs {
    /// The organization's id or external id; all organizations without it
    #[arg(long)]
    pub(super) org: Option<String>,
    /// Export to verify in place of the database, - for standard input; needs no configuration
    #[arg(long, value_name = "FILE", conflicts_with = "org")]
    pub(super) file: Option<String>,
    /// Anchors that the logs have to hold
    #[arg(long, value_name = "FILE", requires = "anchor_public_key")]
    pub(super) anchors: Option<String>,
    /// Public key (PEM) of whoever signed the anchors
    #[arg(long, value_name = "FILE", requires = "anchors")]
    pub(super) anchor_public_key: Option<String>,
}

#[derive(Args)]
pub(in crate::cli) struct ListArgs {
    /// The organization's id or external id
    #[arg(long)]
    pub(super) org: String,
    /// How many entries to show at most
    #[arg(long, default_value_t = 50, value_parser = value_parser!(i64).range(1..=10_000))]
    pub(super) limit: i64,
    /// Show entries with a smaller number than this, to continue a list
    #[arg(long, value_name = "SEQ")]
    pub(super) before: Option<i64>,
}

#[derive(Args)]
pub(in crate::cli) struct ExportArgs {
    /// The organization's id or external id; all organizations without it
    #[arg(long)]
    pub(super) org: Option<String>,
    /// File to write to, readable by its owner only; it must not exist [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<String>,
}

#[derive(Args)]
pub(in crate::cli) struct AnchorArgs {
    /// The organization's id or external id; all organizations without it
    #[arg(long)]
    pub(super) org: Option<String>,
    /// Ed25519 private key (PKCS#8, PEM) to sign with [default: QUIETLINE_ANCHOR_KEY_FILE]
    #[arg(long, value_name = "FILE")]
    pub(super) key: Option<String>,
}
