//! The outermost middleware: gives every request its id, sets `X-Request-Id`, and logs the request
//! once it has a response.

use std::rc::Rc;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};

use crate::domain::ids::RequestId;
use crate::request::{RequestContext, network_of};
use crate::state::AppState;

use super::connection::RequestInProgress;
use super::cors::Cors;
use super::unread_body::UnreadBody;
use super::{access_log, response_headers};

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub(super) async fn with_request_id(
    cors: Option<Rc<Cors>>,
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let id = RequestId::generate();
    let _in_progress = RequestInProgress::new(&request);
    let state = request.app_data::<web::Data<AppState>>();
    let state = state.expect("the application has a state");
    let client = state.limits.client_address(request.request());
    let mut context = RequestContext::new(id, client);
    if state.records_client_networks {
        context.recorded_network = Some(network_of(client));
    }
    let pending = access_log::Pending::new(id, client, request.method());
    // Before a handler can take the body.
    let unread_body = UnreadBody::of(&mut request);
    // Before any handler or error runs, because all of them note facts in the context.
    request.extensions_mut().insert(context);
    let mut response = match cors {
        Some(cors) => cors.share(request, next).await?,
        None => next.call(request).await?,
    };
    let value = id.with_text(HeaderValue::from_str);
    let value = value.expect("a ULID is letters and digits");
    response.headers_mut().insert(X_REQUEST_ID.clone(), value);
    response_headers::add(&mut response);
    // After all headers, and before the body is sent: the log does not wait for a slow client.
    pending.complete(&response);
    close_if_draining(&mut response);
    Ok(unread_body.discard(response).await)
}

/// Ends the connection after `response` while the server drains. Otherwise the client would lose
/// its next request if it sends it when the drain time ends.
fn close_if_draining(response: &mut ServiceResponse<BoxBody>) {
    let state = response.request().app_data::<web::Data<AppState>>();
    if state.is_some_and(|state| state.is_draining()) {
        let head = response.response_mut().head_mut();
        head.set_connection_type(ConnectionType::Close);
    }
}
