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

/// What is to be done about the body of a request once the answer is there.
///
/// The HTTP layer reads the rest of a body of chunks that nobody holds any more, for as long as its
/// sender likes; if somebody does, it says `Connection: close` and ends the connection after a
/// second, as it does for a body of known length.
pub(super) enum UnreadBody {
    /// Nothing: the HTTP layer does what is right.
    None,
    /// Hold the body of chunks until the answer is sent.
    Chunks(Rc<RefCell<Payload>>),
    /// End the connection: what follows is taken for another protocol, which this server has not.
    Upgrade,
}

impl UnreadBody {
    /// Shares the body of `request` if need be.
    pub(super) fn of(request: &mut ServiceRequest) -> Self {
        if request.head().upgrade() {
            return Self::Upgrade;
        }
        if !request.headers().contains_key(TRANSFER_ENCODING) {
            return Self::None;
        }
        let held = Rc::new(RefCell::new(request.take_payload()));
        let read = Rc::clone(&held);
        let chunks =
            stream::poll_fn(move |context| Pin::new(&mut *read.borrow_mut()).poll_next(context));
        request.set_payload(Payload::Stream {
            payload: Box::pin(chunks),
        });
        Self::Chunks(held)
    }

    /// Does it.
    pub(super) fn attend(self, mut response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
        match self {
            Self::None => response,
            Self::Chunks(held) => response.map_body(|_head, answer| {
                BoxBody::new(Holding {
                    answer,
                    _held: held,
                })
            }),
            Self::Upgrade => {
                let head = response.response_mut().head_mut();
                head.set_connection_type(ConnectionType::Close);
                response
            }
        }
    }
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
