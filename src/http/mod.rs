//! HTTP layer on actix-web: the application that both the program and the tests serve.

mod access_log;
mod capacity;
mod connection;
mod cors;
pub mod docs;
mod health;
mod read_only;
mod request_id;
mod response_headers;
mod root;
pub mod server;
mod unread_body;

use std::rc::Rc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::{App, HttpRequest, HttpResponse, web};
use quietline_api::{agentmessage, tether_relay};

use crate::handlers;
use crate::handlers::agentmessage::AgentMessage;
use crate::handlers::failure::Failure;
use crate::handlers::tether_relay::TetherRelay;
use crate::state::AppState;

use cors::Cors;
use docs::Docs;

/// Settings of the application apart from its state.
#[derive(Clone, Default)]
pub struct Options {
    /// Pages of `/docs` and `/openapi`. `None` serves neither.
    pub docs: Option<Docs>,
    /// Origins whose pages may read responses (CORS).
    pub cors_origins: Vec<String>,
}

/// Creates the whole application over `state`. Cheap enough to be called once per worker.
pub fn create_app(
    state: web::Data<AppState>,
    options: Options,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    let agent_message = web::Data::new(AgentMessage::new(state.clone()));
    let tether_relay = web::Data::new(TetherRelay::new(state.clone()));
    let Options { docs, cors_origins } = options;
    let has_docs = docs.is_some();
    let cors = Cors::new(&cors_origins).map(Rc::new);
    let with_request_id =
        from_fn(move |request, next| request_id::with_request_id(cors.clone(), request, next));
    App::new()
        .app_data(state)
        .configure(|cfg| agentmessage::configure(cfg, agent_message))
        .configure(|cfg| tether_relay::configure(cfg, tether_relay))
        .configure(health::configure)
        .configure(|cfg| root::configure(cfg, has_docs))
        .configure(|cfg| {
            if let Some(docs) = docs {
                docs.configure(cfg);
            }
        })
        .default_service(web::to(no_such_path))
        .wrap(with_request_id)
}

/// Refuses an unknown path, in the envelope of the dialect that the path belongs to.
async fn no_such_path(request: HttpRequest) -> HttpResponse {
    let is_tether = request.path() == "/api" || request.path().starts_with("/api/");
    if is_tether {
        handlers::tether_relay::envelope::render(&request, Failure::NoSuchPath)
    } else {
        handlers::agentmessage::envelope::render(&request, Failure::NoSuchPath)
    }
}
