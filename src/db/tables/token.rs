//! Rows of `issued_tokens` and `token_revocations`: appended and read, never updated or deleted.

use diesel::prelude::*;

use crate::domain::ids::{ExternalId, OrgId, OrganizationRef, RevocationId, TokenId};
use crate::domain::token::{IssuedToken, Revocation, Revocations, RevokedTokens};
use crate::error::{Error, Result};

use crate::db::engine::connection::{DbConn, on_each_backend};
use crate::db::tables::schema::{issued_tokens, organizations, token_revocations};
use crate::db::tables::types::StoredTime;

// Not tenant-scoped: tokens may belong to no organization, and only the operator lists them.

pub fn insert_issued(conn: &mut DbConn, token: &IssuedToken) -> Result<()> {
    let IssuedToken {
        id,
        org_id,
        issuer,
        subject,
        role,
        issued_at,
        expires_at,
        issued_by,
        reason,
    } = token;
    let row = (
        issued_tokens::id.eq(id),
        issued_tokens::org_id.eq(org_id),
        issued_tokens::issuer.eq(issuer),
        issued_tokens::subject.eq(subject),
        issued_tokens::role.eq(role.into_str()),
        issued_tokens::issued_at.eq(StoredTime::from(*issued_at)),
        issued_tokens::expires_at.eq(StoredTime::from(*expires_at)),
        issued_tokens::issued_by.eq(issued_by),
        issued_tokens::reason.eq(reason),
    );
    diesel::insert_into(issued_tokens::table)
        .values(row)
        .execute(conn)?;
    Ok(())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = issued_tokens)]
struct IssuedRow {
    id: TokenId,
    org_id: Option<OrgId>,
    issuer: Option<String>,
    subject: String,
    role: String,
    issued_at: StoredTime,
    expires_at: StoredTime,
    issued_by: String,
    reason: Option<String>,
}

/// Lists signed tokens in order of their ids, starting after a given id.
pub fn list_issued(
    conn: &mut DbConn,
    after: Option<&TokenId>,
    limit: i64,
) -> Result<Vec<IssuedToken>> {
    let rows: Vec<IssuedRow> = issued_tokens::table
        .filter(issued_tokens::id.gt(after.unwrap_or(&TokenId::LEAST)))
        .order(issued_tokens::id.asc())
        .limit(limit)
        .select(IssuedRow::as_select())
        .load(conn)?;
    let into_domain = |row: IssuedRow| {
        Ok(IssuedToken {
            id: row.id,
            org_id: row.org_id,
            issuer: row.issuer,
            subject: row.subject,
            role: row.role.parse().map_err(Error::internal)?,
            issued_at: row.issued_at.utc(),
            expires_at: row.expires_at.utc(),
            issued_by: row.issued_by,
            reason: row.reason,
        })
    };
    rows.into_iter().map(into_domain).collect()
}

pub fn insert_revocation(conn: &mut DbConn, revocation: &Revocation) -> Result<()> {
    let Revocation {
        id,
        tokens,
        issued_before,
        revoked_at,
        revoked_by,
        reason,
    } = revocation;
    let (org_id, issuer, subject) = match tokens {
        RevokedTokens::OfOrganization(org_id) => (Some(org_id), None, None),
        RevokedTokens::OfSubject { subject, issuer } => (None, issuer.as_ref(), Some(subject)),
    };
    let row = (
        token_revocations::id.eq(id),
        token_revocations::org_id.eq(org_id),
        token_revocations::issuer.eq(issuer),
        token_revocations::subject.eq(subject),
        token_revocations::issued_before.eq(StoredTime::from(*issued_before)),
        token_revocations::revoked_at.eq(StoredTime::from(*revoked_at)),
        token_revocations::revoked_by.eq(revoked_by),
        token_revocations::reason.eq(reason),
    );
    diesel::insert_into(token_revocations::table)
        .values(row)
        .execute(conn)?;
    Ok(())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = token_revocations)]
struct RevocationRow {
    id: RevocationId,
    org_id: Option<OrgId>,
    issuer: Option<String>,
    subject: Option<String>,
    issued_before: StoredTime,
    revoked_at: StoredTime,
    revoked_by: String,
    reason: Option<String>,
}

/// Lists revocations in order of their ids, starting after a given id.
pub fn list_revocations(
    conn: &mut DbConn,
    after: Option<&RevocationId>,
    limit: i64,
) -> Result<Vec<Revocation>> {
    let rows: Vec<RevocationRow> = token_revocations::table
        .filter(token_revocations::id.gt(after.unwrap_or(&RevocationId::LEAST)))
        .order(token_revocations::id.asc())
        .limit(limit)
        .select(RevocationRow::as_select())
        .load(conn)?;
    rows.into_iter().map(RevocationRow::into_domain).collect()
}

impl RevocationRow {
    fn into_domain(self) -> Result<Revocation> {
        let issuer = self.issuer;
        let tokens = match (self.org_id, self.subject) {
            (Some(org_id), None) => RevokedTokens::OfOrganization(org_id),
            (None, Some(subject)) => RevokedTokens::OfSubject { subject, issuer },
            (Some(_), Some(_)) | (None, None) => {
                let id = self.id;
                return Err(Error::internal(format!("revocation {id} is of nothing")));
            }
        };
        Ok(Revocation {
            id: self.id,
            tokens,
            issued_before: self.issued_before.utc(),
            revoked_at: self.revoked_at.utc(),
            revoked_by: self.revoked_by,
            reason: self.reason,
        })
    }
}

/// Returns the number of revocations.
pub(in crate::db) fn count_revocations(conn: &mut DbConn) -> Result<i64> {
    let counted: QueryResult<i64> =
        on_each_backend!(conn => token_revocations::table.count().get_result(conn));
    Ok(counted?)
}

type EffectRow = (
    Option<OrgId>,
    Option<ExternalId>,
    Option<String>,
    Option<String>,
    StoredTime,
);

/// Returns all revocations as verification needs them, and their number.
pub(in crate::db) fn find_revocations(conn: &mut DbConn) -> Result<(i64, Revocations)> {
    let rows: Vec<EffectRow> = token_revocations::table
        .left_join(organizations::table)
        .select((
            token_revocations::org_id,
            organizations::external_id.nullable(),
            token_revocations::subject,
            token_revocations::issuer,
            token_revocations::issued_before,
        ))
        .load(conn)?;
    let (mut count, mut revocations) = (0, Revocations::default());
    for (org_id, external_id, subject, issuer, before) in rows {
        count += 1;
        let before = before.utc();
        // Tokens may have either name.
        let names = [
            org_id.map(OrganizationRef::Id),
            external_id.map(OrganizationRef::External),
        ];
        for name in names.into_iter().flatten() {
            revocations.add_organization(name, before);
        }
        if let Some(subject) = subject {
            revocations.add_subject(subject, issuer, before);
        }
    }
    Ok((count, revocations))
}
