//! Builder of requests to the application under test.

use std::net::SocketAddr;
use std::rc::Rc;

use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use actix_web::{test, web};
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use quietline::http::{Options, create_app};
use quietline::state::AppState;
use serde_json::Value;

use super::app::{TestApp, with_docs};
use super::response::Response;
use super::spec;

/// Request to the application under test.
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

    /// Sends the request to another server on the same database.
    pub fn on(mut self, state: web::Data<AppState>) -> Self {
        self.other_server = Some(state);
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.append_header((name, value));
        self
    }

    /// Adds a header whose value may be other than ASCII.
    pub fn header_bytes(mut self, name: &str, value: &[u8]) -> Self {
        let value = HeaderValue::from_bytes(value).expect("bytes that a header may have");
        self.request = self.request.append_header((name, value));
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// Sets the address of the peer.
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

    /// Adds a body without a `Content-Type`.
    pub fn payload(mut self, body: impl Into<web::Bytes>) -> Self {
        self.request = self.request.set_payload(body);
        self
    }

    /// Sends the body without a `Content-Length`, as chunks.
    pub fn chunked(mut self) -> Self {
        self.is_chunked = true;
        self
    }

    /// Sends the request and checks the response against the spec.
    pub async fn send(self) -> Response {
        let state = self.other_server.as_ref().unwrap_or(&self.app.state);
        let server = TestServer::configured(state.clone(), self.app.options.clone()).await;
        self.send_to(&server).await
    }

    /// Sends the request to a running server and checks the response against the spec.
    pub async fn send_to(self, server: &TestServer) -> Response {
        (server.respond)(self.request, self.is_chunked).await
    }
}

/// Server that is started once for many requests.
pub struct TestServer {
    respond: Box<dyn Fn(test::TestRequest, bool) -> LocalBoxFuture<'static, Response>>,
}

impl TestServer {
    pub async fn start(state: web::Data<AppState>) -> Self {
        Self::configured(state, with_docs()).await
    }

    async fn configured(state: web::Data<AppState>, options: Options) -> Self {
        let service = Rc::new(test::init_service(create_app(state, options)).await);
        let respond = move |request: test::TestRequest, is_chunked| {
            let service = service.clone();
            let mut request = request.to_request();
            if is_chunked {
                request.headers_mut().remove(CONTENT_LENGTH);
            }
            async move {
                let (method, path) = (request.method().clone(), request.path().to_owned());
                let response = test::call_service(&*service, request).await;
                let response = Response {
                    status: response.status().as_u16(),
                    headers: response.headers().clone(),
                    bytes: test::read_body(response).await,
                };
                spec::check(&method, &path, &response);
                response
            }
            .boxed_local()
        };
        Self {
            respond: Box::new(respond),
        }
    }
}
