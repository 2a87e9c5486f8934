//! `quietline token`: signs a token of the Tether dialect.

use crate::auth::jwt::Claims;
use crate::clock::Clock;
use crate::config::Config;

use super::args::NewTokenArgs;
use super::context::{Outcome, jwt_keys, jwt_secret};
use super::output::Output;

pub(super) fn run(config: &Config, args: NewTokenArgs, out: &mut Output) -> Outcome {
    let claims = Claims {
        subject: args.subject,
        organization: args.org,
        role: args.role.into_str().to_owned(),
    };
    // Checked first, because its error names the variables.
    jwt_secret(config)?;
    let keys = jwt_keys(config)?;
    let signed = keys.sign(&claims, args.name.as_deref(), Clock::System.now(), args.ttl)?;
    // Plain in both formats, so that a script can put the token into a variable.
    out.print_plain(&signed.text)?;
    Ok(true)
}
