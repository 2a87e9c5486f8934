//! Builds the response to a request that succeeded. Failures are rendered by the trait.

use actix_web::body::MessageBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue, ToStrError};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;

use super::{Operation, Rejection};

/// Initial capacity of a body. Serializing a typical response allocates once.
const TYPICAL_BYTES: usize = 1024;

/// Builder of a successful response.
pub struct ResponseBuilder(HttpResponseBuilder);

impl ResponseBuilder {
    /// Starts a response with a status that the spec documents for `operation`.
    pub fn new(operation: &'static Operation, status: StatusCode) -> Self {
        debug_assert!(
            operation.statuses.contains(&status.as_u16()),
            "{} documents no {status}",
            operation.id
        );
        Self(HttpResponse::build(status))
    }

    /// Sets the header `name`, which is in lower case.
    pub fn header(mut self, name: &'static str, value: impl ToString) -> Result<Self, Rejection> {
        let value = HeaderValue::try_from(value.to_string())
            .map_err(|error| Rejection::Internal(format!("response header {name}: {error}")))?;
        self.0.insert_header((HeaderName::from_static(name), value));
        Ok(self)
    }

    /// Finishes with a JSON body.
    pub fn json(mut self, body: &impl Serialize) -> Result<HttpResponse, Rejection> {
        // Not `HttpResponseBuilder::json`, whose response to a failure would bypass `Api::render`.
        let mut bytes = Vec::with_capacity(TYPICAL_BYTES);
        serde_json::to_writer(&mut bytes, body)
            .map_err(|error| Rejection::Internal(format!("response body: {error}")))?;
        Ok(self.0.content_type("application/json").body(bytes))
    }

    /// Finishes without a body.
    pub fn empty(mut self) -> Result<HttpResponse, Rejection> {
        Ok(self.0.finish())
    }
}

/// Response that can be stored and replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case, each with its value.
    pub headers: Vec<(String, String)>,
    /// Body, byte for byte.
    pub body: Vec<u8>,
}

impl Recorded {
    /// Takes status, headers and body of `response`.
    pub fn of(response: HttpResponse) -> Result<Self, Rejection> {
        let text = |value: &HeaderValue| value.to_str().map(str::to_owned);
        let headers = response.headers().iter();
        let headers = headers
            .map(|(name, value)| Ok((name.to_string(), text(value)?)))
            .collect::<Result<_, ToStrError>>()
            .map_err(|error| Rejection::Internal(format!("response header: {error}")))?;
        let status = response.status().as_u16();
        let body = response.into_body().try_into_bytes();
        let body = body.map_err(|_stream| Rejection::Internal("a streamed response".to_owned()))?;
        Ok(Self {
            status,
            headers,
            body: body.into(),
        })
    }

    /// Replays the response, marked by `Idempotent-Replayed`.
    pub fn respond(self) -> Result<HttpResponse, Rejection> {
        let status = StatusCode::from_u16(self.status)
            .map_err(|error| Rejection::Internal(format!("recorded status: {error}")))?;
        let mut response = HttpResponse::build(status);
        for header in self.headers {
            response.insert_header(header);
        }
        response.insert_header(("idempotent-replayed", "true"));
        Ok(response.body(self.body))
    }
}
