//! One line per request, `key=value`. Never in it: credentials, bodies, query strings.

use std::error::Error as _;
use std::time::Duration;

use actix_web::HttpMessage;
use actix_web::dev::ServiceResponse;
use log::{error, info, log_enabled};

use crate::error::Error;
use crate::request::RequestContext;

/// Logs the answer to a request, and for a 5xx what caused it.
pub(super) fn write<B>(response: &ServiceResponse<B>, duration: Duration) {
    if !log_enabled!(log::Level::Info) {
        return;
    }
    let request = response.request();
    let extensions = request.extensions();
    let Some(context) = extensions.get::<RequestContext>() else {
        return;
    };
    let (code, cause) = match &context.failure {
        Some((code, cause)) => (*code, Some(cause)),
        None => ("-", None),
    };
    info!(
        "request_id={} method={} route={} status={} duration_us={} actor={} error={code:?} cause={:?}",
        context.id,
        request.method(),
        // The pattern and not the path: it names no organization, and there are only so many.
        request.match_pattern().as_deref().unwrap_or("-"),
        response.status().as_u16(),
        duration.as_micros(),
        context.actor.as_deref().unwrap_or("-"),
        cause.map(Error::to_string).unwrap_or_default(),
    );
    if let Some(cause) = cause.filter(|_| response.status().is_server_error()) {
        error!("request_id={} failed: {}", context.id, chain(cause));
    }
}

/// An error and everything that it was caused by.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
