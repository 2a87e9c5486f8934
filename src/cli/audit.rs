//! `quietline audit`: reading and verifying the log, and producing evidence to keep elsewhere.

mod anchor;
mod args;
mod export;
mod list;
mod verify;

use crate::config::Config;

use super::context::{Outcome, open_existing};
use super::output::Output;

pub(super) use args::AuditCommand;

/// Verifies an export, which needs neither database nor configuration. Returns `None` for every
/// other command.
pub(super) fn run_without_config(command: &AuditCommand, out: &mut Output) -> Option<Outcome> {
    let AuditCommand::Verify(args) = command else {
        return None;
    };
    let path = args.file.as_deref()?;
    Some(verify::run_on_file(path, args, out))
}

pub(super) async fn run(config: &Config, command: AuditCommand, out: &mut Output) -> Outcome {
    match command {
        AuditCommand::Verify(args) => verify::run(&open_existing(config)?, args, out).await,
        AuditCommand::List(args) => list::run(&open_existing(config)?, args, out).await,
        AuditCommand::Export(args) => export::run(&open_existing(config)?, args, out).await,
        AuditCommand::Anchor(args) => {
            let key = anchor::read_key(args.key.as_deref(), config.anchor_key_file.as_deref())?;
            anchor::run(&open_existing(config)?, &key, args.previous.as_deref())
        }
        AuditCommand::AnchorKey { output } => anchor::make_key(&output, out),
    }
}
