//! Authenticates users of the Tether dialect: turns a verified token into a caller, with every name
//! of the token's organization.

use actix_web::HttpRequest;
use chrono::{DateTime, Utc};

use crate::db::revocations::TokenRevocations;
use crate::db::{self, Db, Lane};
use crate::domain::access::{Caller, Credential, OwnOrganization};
use crate::domain::actor::Role;
use crate::domain::ids::{OrgId, OrganizationRef};
use crate::domain::organization::Organization;
use crate::domain::token::Claimed;
use crate::error::{Error, Result};
use crate::request::{self, KnownCaller};

use super::bearer_token;
use super::jwt::{JwtKeys, VerifiedToken};

/// Everything that decides about tokens.
pub struct Tokens<'a> {
    pub db: &'a Db,
    pub keys: &'a JwtKeys,
    pub revocations: &'a TokenRevocations,
}

/// Returns the caller of `request`, which is about the organization `named`.
///
/// # Errors
/// [`Error::Unauthenticated`] for a missing, invalid or revoked token, and errors of the database.
pub async fn authenticate(
    tokens: Tokens<'_>,
    now: DateTime<Utc>,
    request: &HttpRequest,
    named: Option<&OrganizationRef>,
) -> Result<Caller> {
    let VerifiedToken {
        claims,
        issuer,
        issued_at,
    } = tokens
        .keys
        .verify(bearer_token(request)?, now)
        .map_err(Error::Unauthenticated)?;
    let claimed = claims
        .organization
        .as_deref()
        .and_then(OrganizationRef::parse);
    let revocations = tokens.revocations.current().await?;
    // Before the caller is noted, because a revoked token authenticates no user.
    let claimed_by = Claimed {
        issuer: issuer.as_deref(),
        subject: &claims.subject,
        organization: claimed.as_ref(),
        issued_at,
    };
    if revocations.revoke(claimed_by, now) {
        return Err(Error::Unauthenticated("revoked token"));
    }
    request::note(request, |context| {
        context.caller = Some(KnownCaller::User(claims.subject.clone()));
    });
    // An unknown role is not an error here. The token is valid, so the response is 403 and not 401.
    let role = claims.role.parse().ok();
    let organization = match claimed {
        Some(claimed) => Some(own_organization(tokens.db, claimed, role, named).await?),
        None => None,
    };
    let credential = Credential::User {
        issuer,
        subject: claims.subject,
        role,
        issued_at,
        organization,
    };
    Ok(Caller {
        credential,
        request_id: request::id_of(request),
        client_network: request::recorded_network(request),
        prefetched: None,
    })
}

/// Returns the organization of the token. Looks up the alias only where it can decide the
/// permission: for an admin, if the path has the id and the token the external id, or the reverse.
async fn own_organization(
    db: &Db,
    claimed: OrganizationRef,
    role: Option<Role>,
    named: Option<&OrganizationRef>,
) -> Result<OwnOrganization> {
    let is_other_kind = named
        .is_some_and(|named| std::mem::discriminant(named) != std::mem::discriminant(&claimed));
    if role != Some(Role::Admin) || !is_other_kind {
        return Ok(OwnOrganization {
            claimed,
            alias: None,
        });
    }
    let found = find(db, claimed.clone()).await?;
    let alias = found.and_then(|organization| match claimed {
        OrganizationRef::Id(_) => organization.external_id.map(OrganizationRef::External),
        OrganizationRef::External(_) => Some(OrganizationRef::Id(organization.id)),
    });
    Ok(OwnOrganization { claimed, alias })
}

/// Returns the id of the organization `name`, `None` for an unknown organization.
///
/// # Errors
/// Only errors of the database.
pub async fn organization_id(db: &Db, name: &OrganizationRef) -> Result<Option<OrgId>> {
    let found = find(db, name.clone()).await?;
    Ok(found.map(|organization| organization.id))
}

async fn find(db: &Db, name: OrganizationRef) -> Result<Option<Organization>> {
    let lane = Lane::of(&name);
    db.read(lane, move |conn| db::organization::find(conn, &name))
        .await
}
