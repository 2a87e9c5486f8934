//! A request to the application under test, built step by step.

use std::net::SocketAddr;

use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use actix_web::{test, web};
use quietline::http::create_app;
use quietline::state::AppState;
use serde_json::Value;

use super::app::TestApp;
use super::response::Response;
use super::spec;

/// A request to the application under test.
pub struct TestRequest<'a> {
    app: &'a TestApp,
    other_server: Option<web::Data<AppState>>,
    request: test::TestRequest,
    is_chunked: bool,
}

impl<'a> TestRequest<'a> {
    pub fn new(app: &'a TestApp, method: Method, path: &str) -> Self {
        let request = test::TestRequest::default().method(method).uri(path);
        Self {
            app,
            other_server: None,
            request,
            is_chunked: false,
        }
    }

    /// To another server on the same database.
    pub fn on(mut self, state: web::Data<AppState>) -> Self {
        self.other_server = Some(state);
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.append_header((name, value));
        self
    }

    /// A header whose value need not be ASCII.
    pub fn header_bytes(mut self, name: &str, value: &[u8]) -> Self {
        let value = HeaderValue::from_bytes(value).expect("bytes that a header may have");
        self.request = self.request.append_header((name, value));
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// Over a connection from this address.
    pub fn from(mut self, address: &str) -> Self {
        let address = address.parse().expect("an address");
        self.request = self.request.peer_addr(SocketAddr::new(address, 40_000));
        self
    }

    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub fn body(self, content_type: &str, body: impl Into<web::Bytes>) -> Self {
        self.header(CONTENT_TYPE.as_str(), content_type)
            .payload(body)
    }

    /// A body of which only its length is announced.
    pub fn payload(mut self, body: impl Into<web::Bytes>) -> Self {
        self.request = self.request.set_payload(body);
        self
    }

    /// Without a `Content-Length`, as a body that is sent in chunks.
    pub fn chunked(mut self) -> Self {
        self.is_chunked = true;
        self
    }

    /// Sends it; the answer has been held against the spec.
    pub async fn send(self) -> Response {
        let state = self.other_server.unwrap_or_else(|| self.app.state.clone());
        let service = test::init_service(create_app(state)).await;
        let mut request = self.request.to_request();
        if self.is_chunked {
            request.headers_mut().remove(CONTENT_LENGTH);
        }
        let (method, path) = (request.method().clone(), request.path().to_owned());
        let answer = test::call_service(&service, request).await;
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        let bytes = test::read_body(answer).await;
        let response = Response {
            status,
            headers,
            bytes,
        };
        spec::check(&method, &path, &response);
        response
    }
}
