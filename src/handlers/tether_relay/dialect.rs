//! The dialect as a service: authenticates every request and renders every failure.

use std::pin::pin;

use actix_web::{HttpRequest, HttpResponse, web};
use quietline_api_runtime::{Api, Operation, path_parameter};

use crate::auth;
use crate::auth::user::Tokens;
use crate::domain::access::{Authorized, Target};
use crate::domain::ids::OrganizationRef;
use crate::handlers::failure::{Failure, Result};
use crate::handlers::{change_kind, preconditions, requirements};
use crate::request;
use crate::state::AppState;

use super::envelope;

/// Service of the Tether spec.
pub struct TetherRelay {
    pub(super) state: web::Data<AppState>,
}

impl TetherRelay {
    /// Creates the service over `state`.
    pub fn new(state: web::Data<AppState>) -> Self {
        Self { state }
    }
}

impl Api for TetherRelay {
    type Caller = Authorized;
    type Error = Failure;

    /// Authenticates the caller together with the organization in the path, because the permission
    /// depends on both.
    async fn authenticate(
        &self,
        request: &HttpRequest,
        operation: &'static Operation,
    ) -> Result<Authorized> {
        // Before authentication, so that the access log has the route of refused requests too.
        request::note(request, |context| context.route = Some(operation.path));
        let named = path_parameter(request, operation, "organizationId");
        let named = named.as_deref().and_then(OrganizationRef::parse);
        let AppState {
            db,
            clock,
            jwt_keys: keys,
            revocations,
            limits,
            ..
        } = &**self.state;
        let now = clock.now();
        let tokens = Tokens {
            db,
            keys,
            revocations,
        };
        let authentication = auth::user::authenticate(tokens, now, request, named.as_ref());
        let find_id = async |name: &_| auth::user::organization_id(db, name).await;
        let caller = limits
            .within(request, || false, pin!(authentication), find_id)
            .await?;
        let mut caller = caller.require(requirements(operation), Target::Named(named.as_ref()))?;
        caller.preconditions = preconditions::of(request);
        // After `require`, so that callers without permission do not use up the limit of changes.
        if let Some(kind) = change_kind(operation) {
            let access = &caller.access;
            limits.take_change(request, access, kind, find_id).await?;
        }
        Ok(caller)
    }

    fn render(&self, request: &HttpRequest, failure: Failure) -> HttpResponse {
        envelope::render(request, failure)
    }
}
