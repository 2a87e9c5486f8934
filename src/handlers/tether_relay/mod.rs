//! The Tether dialect: tokens and roles, bare answers.

pub mod envelope;
mod missed_call_message;

use std::pin::pin;

use actix_web::{HttpRequest, HttpResponse, web};
use quietline_api_runtime::{Api, Operation, path_parameter};

use crate::auth;
use crate::domain::access::{OrgAccess, Target};
use crate::domain::ids::OrganizationRef;
use crate::error::{Error, Result};
use crate::request;
use crate::state::AppState;

/// Serves the Tether spec.
pub struct TetherRelay {
    state: web::Data<AppState>,
}

impl TetherRelay {
    /// Serves it from `state`.
    pub fn new(state: web::Data<AppState>) -> Self {
        Self { state }
    }
}

impl Api for TetherRelay {
    type Caller = OrgAccess;
    type Error = Error;

    /// The organization that the path names is part of the question, and is answered with it.
    async fn authenticate(
        &self,
        request: &HttpRequest,
        operation: &'static Operation,
    ) -> Result<OrgAccess> {
        request::note(request, |context| context.route = Some(operation.path));
        let named = path_parameter(request, operation, "organizationId");
        let named = named.as_deref().and_then(OrganizationRef::parse);
        let authentication = auth::user::authenticate(&self.state, request, named.as_ref());
        let authentication = pin!(authentication);
        let caller = auth::limits::within(&self.state, request, authentication).await?;
        caller.require(super::demand(operation), Target::Named(named.as_ref()))
    }

    fn render(&self, request: &HttpRequest, error: Error) -> HttpResponse {
        envelope::render(request, error)
    }
}
