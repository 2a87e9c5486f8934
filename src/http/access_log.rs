//! One line per request, `key=value`. Never in it: credentials, bodies, query strings.

use std::borrow::Cow;
use std::time::Duration;

use actix_web::HttpMessage;
use actix_web::dev::ServiceResponse;
use log::{Level, log_enabled};

use crate::error::{self, Error};
use crate::request::RequestContext;

/// Logs the answer to a request, and for a 5xx what caused it.
pub(super) fn write<B>(response: &ServiceResponse<B>, duration: Duration) {
    if !log_enabled!(Level::Info) {
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
    // The template and not the path: it names no organization, and there are only so many.
    let route = match context.route {
        Some(route) => Cow::Borrowed(route),
        None => request
            .match_pattern()
            .map_or(Cow::Borrowed("-"), Cow::Owned),
    };
    log::info!(
        "request_id={} method={} route={} status={} duration_us={} actor={} error={code:?} cause={:?}",
        context.id,
        request.method(),
        route,
        response.status().as_u16(),
        duration.as_micros(),
        context.actor.as_deref().unwrap_or("-"),
        cause.map(Error::to_string).unwrap_or_default(),
    );
    if let Some(cause) = cause.filter(|_| response.status().is_server_error()) {
        log::error!("request_id={} failed: {}", context.id, error::chain(cause));
    }
}
