//! Files that hold a secret. Not here: the secrets in them.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

/// Permissions of groups and others.
const GROUP_AND_OTHERS: u32 = 0o077;

/// The same without reading by the group, which a file of root may allow.
const ALL_BUT_GROUP_READS: u32 = 0o037;

/// Reads a file that holds a secret.
///
/// # Errors
/// Errors of the file system, and a file that too many users may read. The rule is libpq's for the
/// keys of clients: <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-CLIENTCERT>.
pub fn read(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    if !is_private(&file.metadata()?) {
        return Err(io::Error::other(
            "other users may read it; its mode must be 600, or 640 if root owns it",
        ));
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}

fn is_private(file: &Metadata) -> bool {
    let forbidden = if file.uid() == 0 {
        ALL_BUT_GROUP_READS
    } else {
        GROUP_AND_OTHERS
    };
    // A pipe has no lasting content, and only its own processes can open it.
    !file.is_file() || file.permissions().mode() & forbidden == 0
}
