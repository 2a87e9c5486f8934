//! The common part of every API: callers, errors, and how an operation becomes a route.

use std::pin::pin;

use actix_web::{HttpRequest, HttpResponse, Route, web};

use crate::catch_panic::catch_panic;
use crate::{Operation, Rejection};

/// Server of one spec. The generated traits, one per tag, add the operations.
#[expect(
    async_fn_in_trait,
    reason = "a request stays on its worker thread; no Send bound is wanted"
)]
pub trait Api: 'static {
    /// Caller of an operation.
    type Caller;
    /// Failure of a request.
    type Error: From<Rejection>;

    /// Authenticates the caller, and checks the scopes and the role that `operation` requires. Runs
    /// before anything else of the request is read.
    async fn authenticate(
        &self,
        request: &HttpRequest,
        operation: &'static Operation,
    ) -> Result<Self::Caller, Self::Error>;

    /// Renders a failure. Every error of the generated code passes through here.
    fn render(&self, request: &HttpRequest, error: Self::Error) -> HttpResponse;
}

/// Makes a route that runs `operation` and renders its failure.
pub fn route<A: Api>(
    api: &web::Data<A>,
    operation: impl AsyncFn(&A, &HttpRequest, web::Payload) -> Result<HttpResponse, A::Error>
    + Clone
    + 'static,
) -> Route {
    let api = api.clone();
    web::to(move |request: HttpRequest, payload: web::Payload| {
        // The future owns both, because actix-web keeps it longer than this call.
        let (api, operation) = (api.clone(), operation.clone());
        async move {
            match catch_panic(pin!(operation(&api, &request, payload))).await {
                Ok(Ok(response)) => response,
                Ok(Err(error)) => api.render(&request, error),
                Err(rejection) => api.render(&request, rejection.into()),
            }
        }
    })
}
