//! Connections of requests whose response is ready before their body has arrived.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpMessage;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::ConnectionType;
use actix_web::rt::time::timeout;
use actix_web::web::Bytes;
use futures_util::{Stream, poll, stream};
use tokio::task::yield_now;

/// Time that a body has to arrive once the response is ready.
const GRACE: Duration = Duration::from_millis(100);

/// Most bytes of a body that are read and discarded.
const MAX_DISCARDED: usize = 64 * 1024;

/// Body of a request, as far as its connection needs care after the response.
pub(super) struct UnreadBody {
    /// The body, shared with the handler. `None` if the request has none.
    body: Option<Rc<RefCell<Payload>>>,
    /// True if the request asks for a protocol upgrade, which this server does not support.
    is_upgrade: bool,
}

impl UnreadBody {
    /// Shares the body of `request`.
    pub(super) fn of(request: &mut ServiceRequest) -> Self {
        Self {
            body: share(request),
            is_upgrade: request.head().upgrade(),
        }
    }

    /// Reads and discards the rest of the body, so that the connection can be kept.
    /// A body that is too long or too late ends the connection after `response`.
    ///
    /// Works around actix-http, which closes the connection of a response that is ready before the
    /// body was read, even if the body came with the head. It discards a dropped chunked body
    /// instead, but without a limit. A body that is held until the response is sent ends the
    /// connection within a second. Introduced by <https://github.com/actix/actix-web/pull/3936>.
    /// Remove when actix-http discards any small body and bounds the time.
    pub(super) async fn discard(
        self,
        mut response: ServiceResponse<BoxBody>,
    ) -> ServiceResponse<BoxBody> {
        if self.is_upgrade {
            let head = response.response_mut().head_mut();
            head.set_connection_type(ConnectionType::Close);
        }
        let Some(body) = self.body else {
            return response;
        };
        if has_ended(&body).await {
            return response;
        }
        response.map_body(|_head, sent| {
            BoxBody::new(Holding {
                body: sent,
                _request_body: body,
            })
        })
    }
}

/// Reads `body` to its end, if it ends in time and is not too long. Returns whether it has ended.
async fn has_ended(body: &RefCell<Payload>) -> bool {
    let mut rest = pin!(read_to_end(body));
    if let Poll::Ready(has_ended) = poll!(&mut rest) {
        return has_ended;
    }
    // actix-http hands over what came with the head now. The usual body is complete then, and the
    // timer does not start.
    yield_now().await;
    timeout(GRACE, rest).await == Ok(true)
}

/// Returns whether `body` ends within [`MAX_DISCARDED`] bytes.
async fn read_to_end(body: &RefCell<Payload>) -> bool {
    let mut left = MAX_DISCARDED;
    while let Some(chunk) = poll_fn(|context| poll_chunk(body, context)).await {
        match chunk.ok().and_then(|chunk| left.checked_sub(chunk.len())) {
            Some(fewer) => left = fewer,
            None => return false,
        }
    }
    true
}

fn poll_chunk(
    body: &RefCell<Payload>,
    context: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, PayloadError>>> {
    Pin::new(&mut *body.borrow_mut()).poll_next(context)
}

/// Shares the body of `request`, if it has one. The handler reads it as before.
fn share(request: &mut ServiceRequest) -> Option<Rc<RefCell<Payload>>> {
    let body = match request.take_payload() {
        Payload::None => return None,
        body => Rc::new(RefCell::new(body)),
    };
    let read = Rc::clone(&body);
    let chunks = stream::poll_fn(move |context| poll_chunk(&read, context));
    request.set_payload(Payload::Stream {
        payload: Box::pin(chunks),
    });
    Some(body)
}

/// Response body that holds the request's body until it is sent.
struct Holding {
    body: BoxBody,
    _request_body: Rc<RefCell<Payload>>,
}

impl MessageBody for Holding {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}
