//! Rows of `server_secrets`. Not here: the use of the secrets.

use diesel::prelude::*;

use crate::domain::cursor::CursorKey;
use crate::error::{Error, Result};

use crate::db::engine::connection::{DbConn, on_each_backend};
use crate::db::tables::schema::server_secrets;

// Not tenant-scoped: secrets belong to the servers.

/// Returns the key that signs the cursors of lists. The first server on a database creates it.
pub(in crate::db) fn find_or_create_cursor_key(conn: &mut DbConn) -> Result<CursorKey> {
    const CURSORS: &str = "cursors";
    let secret = match find(conn, CURSORS)? {
        Some(secret) => Some(secret),
        None => {
            insert_random(conn, CURSORS)?;
            // Read back, because a server that starts at the same time may have won.
            find(conn, CURSORS)?
        }
    };
    secret
        .and_then(CursorKey::from_stored)
        .ok_or_else(|| Error::internal("the stored secret must have 32 bytes"))
}

fn find(conn: &mut DbConn, name: &str) -> Result<Option<Vec<u8>>> {
    let secret = server_secrets::table
        .filter(server_secrets::name.eq(name))
        .select(server_secrets::secret)
        .get_result(conn)
        .optional()?;
    Ok(secret)
}

fn insert_random(conn: &mut DbConn, name: &str) -> Result<()> {
    let secret: [u8; 32] = rand::random();
    let row = (
        server_secrets::name.eq(name),
        server_secrets::secret.eq(secret.as_slice()),
    );
    let inserted: QueryResult<usize> = on_each_backend!(conn => {
        diesel::insert_into(server_secrets::table)
            .values(row)
            .on_conflict_do_nothing()
            .execute(conn)
    });
    inserted?;
    Ok(())
}
