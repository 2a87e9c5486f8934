//! Operator of a command that writes, as the audit log records it. By default the user of the
//! system who ran the command, also behind `sudo`.

use clap::Args;
use nix::unistd::{Uid, User};

use crate::config;
use crate::domain::operator::Operator;
use crate::error::Violation;

/// Arguments of every command that writes.
#[derive(Args, Clone)]
pub(super) struct OperatorArgs {
    /// Your name, recorded in the audit log and hidden from customers [default: the system's user]
    #[arg(id = "operator", long = "as", value_name = "NAME", value_parser = name)]
    name: Option<String>,
    /// Why, recorded in the audit log and shown to the customer
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
}

impl OperatorArgs {
    /// Returns the operator whom the arguments name.
    pub(super) fn operator(&self) -> Operator {
        Operator {
            name: self.name.clone().unwrap_or_else(system_user),
            reason: self.reason.clone(),
        }
    }
}

/// Returns the name of the user who ran the command, or the number of a user without a name.
fn system_user() -> String {
    let uid = Uid::current();
    // First the user who called `sudo`, because `quietline-admin` changes to the server's user.
    let named = |text: String| Operator::parse_name(&text).ok();
    config::sudo_user().and_then(named).unwrap_or_else(|| {
        let user = User::from_uid(uid).ok().flatten();
        let name = user.and_then(|user| named(user.name));
        name.unwrap_or_else(|| format!("uid {uid}"))
    })
}

fn name(text: &str) -> Result<String, String> {
    Operator::parse_name(text).map_err(rule)
}

fn reason(text: &str) -> Result<String, String> {
    Operator::parse_reason(text).map_err(rule)
}

fn rule(violation: Violation) -> String {
    violation.message.into_owned()
}
