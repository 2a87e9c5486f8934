//! Cross-origin resource sharing (<https://fetch.spec.whatwg.org/#http-cors-protocol>): the origins
//! whose pages may read responses. The browser enforces the rules. This server serves every request
//! alike, and omits the headers for an origin that is not listed.

use std::collections::BTreeSet;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    HeaderValue, ORIGIN, VARY,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse};
use quietline_api::{agentmessage, tether_relay};

/// Request headers that a page may set.
const REQUEST_HEADERS: &str =
    "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key";

/// Response headers that a page may read.
const RESPONSE_HEADERS: &str =
    "ETag, X-Request-Id, Retry-After, RateLimit, RateLimit-Policy, Idempotent-Replayed";

/// Time for which a browser may cache the response to a preflight.
const MAX_AGE_SECS: u64 = 10 * 60;

/// Allowed origins and the headers for them.
pub(super) struct Cors {
    origins: Vec<HeaderValue>,
    methods: HeaderValue,
}

impl Cors {
    /// Allows `origins`, each as a browser writes it. Returns `None` if `origins` is empty.
    pub(super) fn new(origins: &[String]) -> Option<Self> {
        let value = |text: &str| HeaderValue::try_from(text).expect("checked when it was read");
        let operations = [
            agentmessage::api::operations::ALL,
            tether_relay::api::operations::ALL,
        ];
        let methods: BTreeSet<&str> = operations
            .into_iter()
            .flatten()
            .map(|operation| operation.method)
            .collect();
        let methods: Vec<&str> = methods.into_iter().collect();
        (!origins.is_empty()).then(|| Self {
            origins: origins.iter().map(|origin| value(origin)).collect(),
            methods: value(&methods.join(", ")),
        })
    }

    /// Responds to a preflight, and passes every other request to `next`.
    pub(super) async fn share(
        &self,
        request: ServiceRequest,
        next: Next<BoxBody>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let Some(origin) = self.listed_origin(&request) else {
            let mut response = next.call(request).await?;
            // Also without an origin: a cache must not give this response to a listed origin.
            vary(&mut response);
            return Ok(response);
        };
        let is_preflight = *request.method() == Method::OPTIONS
            && request
                .headers()
                .contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        let mut response = if is_preflight {
            // On any path, so that the page can read a 404 too.
            request.into_response(self.preflight())
        } else {
            next.call(request).await?
        };
        vary(&mut response);
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if !is_preflight {
            headers.insert(
                ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static(RESPONSE_HEADERS),
            );
        }
        Ok(response)
    }

    fn listed_origin(&self, request: &ServiceRequest) -> Option<HeaderValue> {
        // Several `Origin` lines are malformed, and no browser sends them.
        let mut given = request.headers().get_all(ORIGIN);
        let origin = given.next().filter(|_| given.next().is_none())?;
        self.origins.contains(origin).then(|| origin.clone())
    }

    fn preflight(&self) -> HttpResponse {
        HttpResponse::NoContent()
            .insert_header((ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone()))
            .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS))
            .insert_header((ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECS))
            .finish()
    }
}

/// Marks the response as specific to an origin, for caches
/// (<https://fetch.spec.whatwg.org/#cors-protocol-and-http-caches>).
fn vary(response: &mut ServiceResponse<BoxBody>) {
    response
        .headers_mut()
        .append(VARY, HeaderValue::from_static("Origin"));
}
