//! Connections of requests whose response is ready before their body has arrived.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::HttpMessage;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::TRANSFER_ENCODING;
use actix_web::web::Bytes;
use futures_util::{Stream, stream};

/// Body of a request, as far as its connection needs care after the response. Usually empty,
/// because actix-http handles most requests correctly.
pub(super) struct UnreadBody {
    /// Chunked body, held until the response is sent. Works around unbounded draining: actix-http
    /// reads and discards the rest of a dropped chunked body, for as long as the client sends. For
    /// a held body actix-http sends `Connection: close` and closes after a second, as for a body of
    /// known length. Introduced by <https://github.com/actix/actix-web/pull/3936>. Remove when
    /// actix-http bounds the draining of dropped chunked bodies.
    chunks: Option<Rc<RefCell<Payload>>>,
    /// True if the request asks for a protocol upgrade, which this server does not support.
    is_upgrade: bool,
}

impl UnreadBody {
    /// Shares the body of `request` if it is chunked.
    pub(super) fn of(request: &mut ServiceRequest) -> Self {
        let is_chunked = request.headers().contains_key(TRANSFER_ENCODING);
        Self {
            chunks: is_chunked.then(|| share(request)),
            is_upgrade: request.head().upgrade(),
        }
    }

    /// Keeps the body until `response` is sent, so that actix closes the connection if the body was
    /// not read.
    pub(super) fn close_connection_if_unread(
        self,
        mut response: ServiceResponse<BoxBody>,
    ) -> ServiceResponse<BoxBody> {
        if self.is_upgrade {
            let head = response.response_mut().head_mut();
            head.set_connection_type(ConnectionType::Close);
        }
        match self.chunks {
            None => response,
            Some(payload) => response.map_body(|_head, body| {
                BoxBody::new(Holding {
                    body,
                    _payload: payload,
                })
            }),
        }
    }
}

/// Shares the body of `request`. The handler reads it as before.
fn share(request: &mut ServiceRequest) -> Rc<RefCell<Payload>> {
    let payload = Rc::new(RefCell::new(request.take_payload()));
    let read = Rc::clone(&payload);
    let chunks =
        stream::poll_fn(move |context| Pin::new(&mut *read.borrow_mut()).poll_next(context));
    request.set_payload(Payload::Stream {
        payload: Box::pin(chunks),
    });
    payload
}

/// Response body that holds the request's body until it is sent.
struct Holding {
    body: BoxBody,
    _payload: Rc<RefCell<Payload>>,
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
