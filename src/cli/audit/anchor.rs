//! `quietline audit anchor` and `anchor-key`: anchors that outlive the database, and the key that
//! signs anchors.

use std::io::{self, Write};
use std::path::Path;

use serde_json::json;
use zeroize::Zeroizing;

use crate::cli::context::{Context, Outcome};
use crate::cli::output::{Output, create_private, print_error};
use crate::error::BoxError;
use crate::operator::audit::anchors::{AnchorKey, NewAnchorKey, Statements};
use crate::operator::audit::verify::verify_all;
use crate::secret_file;

use super::verify::{fault_line, read_statements};

/// Verifies all logs and prints a signed statement of their ends, which continues the file
/// `previous`. Prints nothing if there is a fault.
pub(super) fn run(context: &Context, key: &AnchorKey, previous: Option<&str>) -> Outcome {
    let mut previous = match previous {
        Some(path) => read_statements(path, key.public(), None)?,
        None => Statements::default(),
    };
    let anchors = std::mem::take(&mut previous.anchors);
    let summary = verify_all(&context.db, anchors)?;
    if !summary.faults.is_empty() {
        // On standard error, because standard output is appended to the file of anchors.
        for fault in &summary.faults {
            print_error(&fault_line(fault));
        }
        return Ok(false);
    }
    // After the verification, so that no signed entry is later than the statement.
    let line = key.sign(&summary.heads, &previous, context.clock.now())?;
    // Without `Output`, which would report success for a statement lost in a closed pipe.
    writeln!(io::stdout().lock(), "{line}")?;
    Ok(true)
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
        let pem = Zeroizing::new(secret_file::read(Path::new(path))?);
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
