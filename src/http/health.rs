//! `/healthz` (the process runs) and `/readyz` (it can serve), for those who operate it.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::error::Error;
use crate::handlers::agentmessage::envelope;
use crate::state::AppState;

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    let resource = |path: &str| web::resource(path).default_service(web::to(not_allowed));
    cfg.service(
        resource("/healthz")
            .route(web::get().to(alive))
            .route(web::head().to(alive)),
    );
    cfg.service(
        resource("/readyz")
            .route(web::get().to(ready))
            .route(web::head().to(ready)),
    );
}

async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok" })
}

async fn ready(state: web::Data<AppState>, request: HttpRequest) -> HttpResponse {
    if state.is_draining() {
        return envelope::render(&request, Error::unavailable("the server is shutting down"));
    }
    match state.db.ping().await {
        Ok(()) => HttpResponse::Ok().json(Health { status: "ready" }),
        Err(error) => envelope::render(&request, error),
    }
}

async fn not_allowed(request: HttpRequest) -> HttpResponse {
    envelope::render(&request, Error::MethodNotAllowed("GET, HEAD".to_owned()))
}
