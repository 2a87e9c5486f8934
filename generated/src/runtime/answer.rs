// @generated from openapi/templates/runtime/answer.rs; edit that file.
//! Builds the response to a request that succeeded. Failures are rendered by the trait.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;

use super::{Operation, Rejection};

/// Room for a usual response, so that serialising it allocates once.
const USUAL_BYTES: usize = 1024;

/// A response in the making.
pub struct Answer(HttpResponseBuilder);

impl Answer {
    /// Starts a response with a status that the spec documents for `operation`.
    pub fn new(operation: &'static Operation, status: StatusCode) -> Self {
        debug_assert!(
            operation.statuses.contains(&status.as_u16()),
            "{} documents no {status}",
            operation.id
        );
        Self(HttpResponse::build(status))
    }

    /// Sets a header; `name` is in lower case.
    pub fn header(mut self, name: &'static str, value: impl ToString) -> Result<Self, Rejection> {
        let value = HeaderValue::try_from(value.to_string())
            .map_err(|error| Rejection::Internal(format!("response header {name}: {error}")))?;
        self.0.insert_header((HeaderName::from_static(name), value));
        Ok(self)
    }

    /// Finishes with a JSON body.
    pub fn json(mut self, body: &impl Serialize) -> Result<HttpResponse, Rejection> {
        let mut bytes = Vec::with_capacity(USUAL_BYTES);
        serde_json::to_writer(&mut bytes, body)
            .map_err(|error| Rejection::Internal(format!("response body: {error}")))?;
        Ok(self.0.content_type("application/json").body(bytes))
    }

    /// Finishes without a body.
    pub fn empty(mut self) -> Result<HttpResponse, Rejection> {
        Ok(self.0.finish())
    }
}
