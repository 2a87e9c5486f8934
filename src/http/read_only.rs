//! Read-only resources outside the specs: GET, HEAD, and OPTIONS that lists these methods.

use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, web};
use quietline_api_runtime::Rejection;

use crate::handlers::agentmessage::envelope;

const METHODS: &str = "GET, HEAD";

/// Creates the resource at `path` with the handler `read`.
pub(super) fn resource<F, Args>(path: &str, read: F) -> Resource
where
    F: Handler<Args>,
    F::Output: Responder + 'static,
    Args: FromRequest + 'static,
{
    web::resource(path)
        .route(web::get().to(read.clone()))
        // A route of actix-web for GET does not serve HEAD.
        .route(web::head().to(read))
        .route(web::method(Method::OPTIONS).to(methods))
        .default_service(web::to(not_allowed))
}

async fn methods() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((ALLOW, METHODS))
        .finish()
}

async fn not_allowed(request: HttpRequest) -> HttpResponse {
    let allow = METHODS.to_owned();
    envelope::render(&request, Rejection::MethodNotAllowed { allow })
}
