//! One line per request, `key=value`. Never logged: credentials beyond the prefix of an API key,
//! bodies, query strings.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use actix_web::HttpMessage;
use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use log::{Level, log_enabled};

use crate::domain::ids::RequestId;
use crate::error::{Error, chain};
use crate::handlers::failure::Failure;
use crate::request::RequestContext;

/// Initial capacity for a typical line.
const LINE_BYTES: usize = 256;

/// Maximum number of logged characters of a method. Registered methods are shorter, but a client
/// may send any token (RFC 9110, section 9.1).
const METHOD_CHARS: usize = 16;

/// Request without a response so far. A request that is dropped, usually because its client
/// disconnected, is logged as well, because its change may have been stored.
pub(super) struct Pending {
    id: RequestId,
    client: IpAddr,
    method: Method,
    began: Instant,
    has_response: bool,
}

impl Pending {
    /// Starts the timer of a request that has just arrived.
    pub(super) fn new(id: RequestId, client: IpAddr, method: &Method) -> Self {
        Self {
            id,
            client,
            method: method.clone(),
            began: Instant::now(),
            has_response: false,
        }
    }

    /// Logs the response.
    pub(super) fn complete<B>(mut self, response: &ServiceResponse<B>) {
        self.has_response = true;
        write(response, self.began.elapsed());
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.has_response {
            log::info!(
                "request_id={} method={:.METHOD_CHARS$} route=- status=- duration_us={} client={} \
                 key=- actor=\"\"",
                self.id,
                self.method.as_str(),
                self.began.elapsed().as_micros(),
                self.client,
            );
        }
    }
}

/// Logs the response to a request, and the cause of a 5xx response. An orderly shutdown is not an
/// error, although `/readyz` responds 503 then.
fn write<B>(response: &ServiceResponse<B>, duration: Duration) {
    let extensions = response.request().extensions();
    let Some(context) = extensions.get::<RequestContext>() else {
        return;
    };
    if log_enabled!(Level::Info) {
        write_line(response, context, duration);
    }
    if let Some((_, cause)) = &context.failure
        && response.status().is_server_error()
        && !is_shutdown(cause.as_ref())
    {
        log::error!(
            "request_id={} failed: {}",
            context.id,
            chain(cause.as_ref())
        );
    }
}

fn is_shutdown(cause: &(dyn std::error::Error + 'static)) -> bool {
    let failure = cause.downcast_ref::<Failure>();
    matches!(failure, Some(Failure::Error(Error::ShuttingDown)))
}

fn write_line<B>(response: &ServiceResponse<B>, context: &RequestContext, duration: Duration) {
    let request = response.request();
    // The path template, because it names no organization and has few values.
    let route = match context.route {
        Some(route) => Cow::Borrowed(route),
        None => request
            .match_pattern()
            .map_or(Cow::Borrowed("-"), Cow::Owned),
    };
    // Formatted first and logged as one piece, because the logger scans each piece.
    let mut line = String::with_capacity(LINE_BYTES);
    // Values from clients are quoted, so that they cannot imitate a field of the line.
    let mut written = write!(
        line,
        "request_id={} method={:.METHOD_CHARS$} route={route} status={} duration_us={} client={} \
         key={} actor=\"",
        context.id,
        request.method().as_str(),
        response.status().as_u16(),
        duration.as_micros(),
        context.client,
        context.key_prefix.as_deref().unwrap_or("-"),
    );
    if let Some(caller) = &context.caller {
        written = written.and_then(|()| write!(line, "{caller}"));
    }
    line.push('"');
    if let Some((code, cause)) = &context.failure {
        written =
            written.and_then(|()| write!(line, " error={code:?} cause={:?}", cause.to_string()));
    }
    written.expect("a String takes all text");
    log::info!("{line}");
}
