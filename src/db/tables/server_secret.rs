//! Rows of `server_secrets`, which migrations make. What they are used for is not known here.

use diesel::prelude::*;

use crate::domain::cursor::CursorKey;
use crate::error::{Error, Result};

use crate::db::engine::connection::DbConn;
use crate::db::tables::schema::server_secrets;

// Not tenant-scoped: they belong to the servers.

/// What the cursors of lists are signed with.
pub(in crate::db) fn find_cursor_key(conn: &mut DbConn) -> Result<CursorKey> {
    let secret: Vec<u8> = server_secrets::table
        .filter(server_secrets::name.eq("cursors"))
        .select(server_secrets::secret)
        .get_result(conn)?;
    CursorKey::from_stored(secret).ok_or_else(|| Error::internal("the secret is not 32 bytes"))
}
