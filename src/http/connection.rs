//! A client's connection: it ends if the client is too slow with a request head, or takes nothing
//! of a response. Not here: request bodies, whose deadline is the handler's.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::dev::ServiceRequest;
use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::capacity::Permit;

/// Time for a whole request head, from its first byte. For the first head of a connection, from the
/// connection's start.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Time within which a client must take more of a response that waits to be sent.
const READER_TIMEOUT: Duration = Duration::from_secs(30);

/// Response to a request head that is late.
const HEAD_IS_LATE: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Stream of a client, with deadlines.
///
/// Works around actix-http, which limits the time of a connection's first request head only, and
/// waits for the reader of a response without a limit:
/// <https://github.com/actix/actix-web/issues/928>. Remove when actix-http limits both.
pub(super) struct Connection {
    stream: TcpStream,
    head: Rc<HeadProgress>,
    /// Time until which the client must take more of a response. `None` while nothing waits.
    reader_deadline: Option<Instant>,
    /// Wakes the connection. May be due before the present deadline, because a deadline that moves
    /// with every request would otherwise cost a timer per request.
    alarm: Pin<Box<Sleep>>,
    _permit: Option<Permit>,
}

/// Progress of the request head that a connection is waiting for. The stream sees its bytes, and
/// the outermost middleware its end.
#[derive(Debug)]
pub(super) struct HeadProgress {
    /// `None` if no head has begun.
    deadline: Cell<Option<Instant>>,
    /// While a request is processed, bytes belong to its body, or to a head that must wait.
    is_in_request: Cell<bool>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, permit: Option<Permit>) -> Self {
        let deadline = Instant::now() + HEAD_TIMEOUT;
        Self {
            stream,
            head: Rc::new(HeadProgress {
                deadline: Cell::new(Some(deadline)),
                is_in_request: Cell::new(false),
            }),
            reader_deadline: None,
            alarm: Box::pin(sleep_until(deadline)),
            _permit: permit,
        }
    }

    /// Returns the state that the middleware shares.
    pub(super) fn head(&self) -> Rc<HeadProgress> {
        Rc::clone(&self.head)
    }

    /// Returns ready if `deadline` has passed. Otherwise the connection is woken then or before.
    fn poll_deadline(&mut self, deadline: Instant, context: &mut Context<'_>) -> Poll<()> {
        if self.alarm.is_elapsed() || self.alarm.deadline() > deadline {
            self.alarm.as_mut().reset(deadline);
        }
        ready!(self.alarm.as_mut().poll(context));
        if deadline <= Instant::now() {
            return Poll::Ready(());
        }
        self.alarm.as_mut().reset(deadline);
        self.alarm.as_mut().poll(context)
    }
}

impl HeadProgress {
    fn begin(&self) {
        if !self.is_in_request.get() && self.deadline.get().is_none() {
            self.deadline.set(Some(Instant::now() + HEAD_TIMEOUT));
        }
    }
}

/// Request of a connection that is being processed.
pub(super) struct RequestInProgress(Option<Rc<HeadProgress>>);

impl RequestInProgress {
    /// Ends the deadline of the head of `request`, which is complete.
    pub(super) fn new(request: &ServiceRequest) -> Self {
        let head = request.request().conn_data::<Rc<HeadProgress>>().cloned();
        if let Some(head) = &head {
            head.deadline.set(None);
            head.is_in_request.set(true);
        }
        Self(head)
    }
}

impl Drop for RequestInProgress {
    fn drop(&mut self) {
        if let Some(head) = &self.0 {
            head.is_in_request.set(false);
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let had = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > had {
            self.head.begin();
        }
        if outcome.is_pending()
            // The client may be reading the response before.
            && self.reader_deadline.is_none()
            && let Some(deadline) = self.head.deadline.get()
        {
            ready!(self.poll_deadline(deadline, context));
            // The client may be gone, or may read nothing.
            self.stream.try_write(HEAD_IS_LATE).unwrap_or_default();
            // The end of the stream, after which actix-http closes it.
            return Poll::Ready(Ok(()));
        }
        outcome
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(context, bytes) {
            Poll::Pending => {
                let deadline = *self
                    .reader_deadline
                    .get_or_insert_with(|| Instant::now() + READER_TIMEOUT);
                ready!(self.poll_deadline(deadline, context));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            outcome => {
                self.reader_deadline = None;
                outcome
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
