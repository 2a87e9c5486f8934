//! `quietline audit anchor` and `anchor-key`: anchors that outlive the database, and the key that
//! signs anchors.

use std::fs;
use std::io::{self, BufWriter, Write};

use serde_json::json;
use zeroize::Zeroizing;

use crate::cli::context::{Context, Outcome};
use crate::cli::organization::find;
use crate::cli::output::{Output, create_private, print_error};
use crate::error::BoxError;
use crate::operator::audit::anchors::{self, AnchorKey, NewAnchorKey};

/// Prints anchors of one organization's log, or of all logs.
pub(super) async fn run(context: &Context, key: &AnchorKey, org: Option<String>) -> Outcome {
    let only = match org {
        Some(name) => Some(find(&context.db, &name).await?.id),
        None => None,
    };
    let mut stdout = BufWriter::new(io::stdout().lock());
    let now = context.clock.now();
    let unreadable = anchors::anchor(&context.db, only, key, now, &mut stdout).await?;
    for (org_id, reason) in &unreadable {
        print_error(&format!(
            "{org_id}: cannot read the end of the log: {reason}"
        ));
    }
    Ok(unreadable.is_empty())
}

/// Reads the key from the file that the flag names, or from the configured file.
pub(super) fn read_key(
    flag: Option<&str>,
    configured: Option<&str>,
) -> Result<AnchorKey, BoxError> {
    let path = flag
        .or(configured)
        .ok_or("no anchor key: give --key or set QUIETLINE_ANCHOR_KEY_FILE")?;
    let read = || -> Result<AnchorKey, BoxError> {
        let pem = Zeroizing::new(fs::read_to_string(path)?);
        Ok(AnchorKey::from_pem(&pem)?)
    };
    read().map_err(|error| format!("{path}: {error}").into())
}

/// Writes a new private key to `path` and prints the public key.
pub(super) fn make_key(path: &str, out: &mut Output) -> Outcome {
    let new = NewAnchorKey::generate()?;
    let write = || -> io::Result<()> {
        let mut file = create_private(path)?;
        file.write_all(new.private_pem.as_bytes())?;
        // Durable before the public key is printed, because the operator relies on it from then on.
        file.sync_all()
    };
    write().map_err(|error| format!("{path}: {error}"))?;
    let value = json!({"private_key_file": path, "public_key": new.public_pem});
    out.print(&value, new.public_pem.trim_end())?;
    Ok(true)
}
