//! One line per request, `key=value`. Never in it: credentials, bodies, query strings.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use actix_web::HttpMessage;
use actix_web::dev::ServiceResponse;
use log::{Level, log_enabled};

use crate::error::chain;
use crate::request::RequestContext;

/// Room for a usual line.
const LINE_BYTES: usize = 256;

/// Logs the answer to a request, and for a 5xx what caused it.
pub(super) fn write<B>(response: &ServiceResponse<B>, duration: Duration) {
    let extensions = response.request().extensions();
    let Some(context) = extensions.get::<RequestContext>() else {
        return;
    };
    if log_enabled!(Level::Info) {
        write_line(response, context, duration);
    }
    if let Some((_, cause)) = &context.failure
        && response.status().is_server_error()
    {
        log::error!("request_id={} failed: {}", context.id, chain(cause));
    }
}

fn write_line<B>(response: &ServiceResponse<B>, context: &RequestContext, duration: Duration) {
    let request = response.request();
    // The template and not the path: it names no organization, and there are only so many.
    let route = match context.route {
        Some(route) => Cow::Borrowed(route),
        None => request
            .match_pattern()
            .map_or(Cow::Borrowed("-"), Cow::Owned),
    };
    // Put together first and logged as one piece, which the log has to look through only once.
    let mut line = String::with_capacity(LINE_BYTES);
    // What a client chose stands in quotes, so that it cannot pass for a field of ours.
    let mut written = write!(
        line,
        "request_id={} method={} route={route} status={} duration_us={} actor=\"",
        context.id,
        request.method(),
        response.status().as_u16(),
        duration.as_micros(),
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
