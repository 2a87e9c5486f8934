//! Tokens that the command line signs, and revocations of tokens of any issuer.

use chrono::{DateTime, Utc};

use crate::db::{self, Db, DbConn, Lane};
use crate::domain::actor::Author;
use crate::domain::audit::event::AuditEvent;
use crate::domain::change::Change;
use crate::domain::ids::{OrgId, RevocationId, TokenId};
use crate::domain::token::{IssuedToken, Revocation, RevokedTokens};
use crate::error::{Result, Violation};

use super::organization;
use super::session::Session;

/// Records a token before it is shown, in the log of its organization too.
///
/// # Errors
/// `NotFound` for an unknown organization.
pub async fn record(session: &Session, token: IssuedToken) -> Result<()> {
    let (now, author) = (session.clock.now(), session.author());
    session
        .db
        .write(Lane::OPERATOR, move |conn| {
            if let Some(org_id) = &token.org_id {
                log(conn, org_id, token.issued(), &author, now)?;
            }
            db::token::insert_issued(conn, &token)
        })
        .await
}

/// Revokes the tokens that were issued before `issued_before`, by default before now. Servers cache
/// revocations for less than a second, so they refuse the tokens within that time.
///
/// # Errors
/// `NotFound` for an unknown organization, `Invalid` for a time to come.
pub async fn revoke(
    session: &Session,
    tokens: RevokedTokens,
    issued_before: Option<DateTime<Utc>>,
) -> Result<Revocation> {
    let (now, author) = (session.clock.now(), session.author());
    // It could not be undone, and would refuse tokens that are issued later.
    if issued_before.is_some_and(|moment| moment > now) {
        return Err(Violation::new("before", "must not be in the future").into());
    }
    let revocation = Revocation {
        id: RevocationId::generate(),
        tokens,
        issued_before: issued_before.unwrap_or(now),
        revoked_at: now,
        revoked_by: author.actor.identity(),
        reason: author.reason.clone(),
    };
    // With the reserve, because a leaked token must be revocable on a full disk.
    session
        .db
        .write_with_reserve(Lane::OPERATOR, move |conn| {
            if let RevokedTokens::OfOrganization(org_id) = &revocation.tokens
                && let Some(event) = revocation.recorded()
            {
                log(conn, org_id, event, &author, now)?;
            }
            db::token::insert_revocation(conn, &revocation)?;
            Ok(revocation.clone())
        })
        .await
}

/// Appends `event` to the log of an organization.
fn log(
    conn: &mut DbConn,
    org_id: &OrgId,
    event: AuditEvent,
    author: &Author,
    now: DateTime<Utc>,
) -> Result<()> {
    let organization = organization::lock(conn, org_id)?;
    let change = Change::logged(organization, author, event, now);
    db::organization::store_locked(conn, change)?;
    Ok(())
}

/// Lists tokens that the command line signed, oldest first, starting after a given id.
///
/// # Errors
/// Only errors of the database.
pub async fn list(db: &Db, after: Option<TokenId>, limit: i64) -> Result<Vec<IssuedToken>> {
    db.read(Lane::OPERATOR, move |conn| {
        db::token::list_issued(conn, after.as_ref(), limit)
    })
    .await
}

/// Lists revocations, oldest first, starting after a given id.
///
/// # Errors
/// Only errors of the database.
pub async fn list_revocations(
    db: &Db,
    after: Option<RevocationId>,
    limit: i64,
) -> Result<Vec<Revocation>> {
    db.read(Lane::OPERATOR, move |conn| {
        db::token::list_revocations(conn, after.as_ref(), limit)
    })
    .await
}
