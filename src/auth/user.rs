//! Users of the Tether dialect: a verified token becomes a caller, with every name of the
//! organization that the token belongs to.

use actix_web::HttpRequest;

use crate::db;
use crate::domain::access::{Caller, Credential, OwnOrganization};
use crate::domain::actor::Role;
use crate::domain::ids::OrganizationRef;
use crate::error::Error;
use crate::error::Result;
use crate::request::{self, KnownCaller};
use crate::state::AppState;

use super::bearer_token;

/// Finds out which user made `request`, which is about the organization `named`.
///
/// # Errors
/// [`Error::Unauthenticated`] for a missing or invalid token.
pub async fn authenticate(
    state: &AppState,
    request: &HttpRequest,
    named: Option<&OrganizationRef>,
) -> Result<Caller> {
    let claims = state
        .jwt_keys
        .verify(bearer_token(request)?, state.clock.now())
        .map_err(Error::Unauthenticated)?;
    request::note(request, |context| {
        context.caller = Some(KnownCaller::User(claims.subject.clone()));
    });
    let role = claims.role.parse().ok();
    let organization = match claims
        .organization
        .as_deref()
        .and_then(OrganizationRef::parse)
    {
        Some(claimed) => Some(own_organization(state, claimed, role, named).await?),
        None => None,
    };
    let credential = Credential::User {
        subject: claims.subject,
        role,
        organization,
    };
    Ok(Caller {
        credential,
        request_id: request::id_of(request),
        prefetched: None,
    })
}

/// The token's organization. Its other name is looked up only where that can decide anything: an
/// admin's path names an organization by its id and the token by its external id, or the other way
/// round.
async fn own_organization(
    state: &AppState,
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
    let name = claimed.clone();
    let found = state
        .db
        .read(move |conn| db::organization::find(conn, &name))
        .await?;
    let alias = found.and_then(|organization| match claimed {
        OrganizationRef::Id(_) => organization.external_id.map(OrganizationRef::External),
        OrganizationRef::External(_) => Some(OrganizationRef::Id(organization.id)),
    });
    Ok(OwnOrganization { claimed, alias })
}
