//! What becomes of a connection whose request is answered before its body has arrived.

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

/// What is to be done about the body of a request once the answer is there; usually nothing,
/// because the HTTP layer does what is right.
pub(super) struct UnreadBody {
    /// A body of chunks, held until the answer is sent. The HTTP layer reads the rest of one that
    /// nobody holds any more for as long as its sender likes; if somebody does, it says
    /// `Connection: close` and ends the connection after a second, as for a body of known length.
    chunks: Option<Rc<RefCell<Payload>>>,
    /// Whether what follows is meant for another protocol, which this server has not.
    is_upgrade: bool,
}

impl UnreadBody {
    /// Shares the body of `request` if need be.
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
            Some(held) => response.map_body(|_head, answer| {
                BoxBody::new(Holding {
                    answer,
                    _held: held,
                })
            }),
        }
    }
}

/// The body of `request`, which its handler reads as before.
fn share(request: &mut ServiceRequest) -> Rc<RefCell<Payload>> {
    let held = Rc::new(RefCell::new(request.take_payload()));
    let read = Rc::clone(&held);
    let chunks =
        stream::poll_fn(move |context| Pin::new(&mut *read.borrow_mut()).poll_next(context));
    request.set_payload(Payload::Stream {
        payload: Box::pin(chunks),
    });
    held
}

/// The body of an answer, and that of its request.
struct Holding {
    answer: BoxBody,
    _held: Rc<RefCell<Payload>>,
}

impl MessageBody for Holding {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.answer.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.answer).poll_next(context)
    }
}
