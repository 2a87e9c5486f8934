//! `/healthz` (the process runs) and `/readyz` (it can serve), for operators and load balancers.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::error::Error;
use crate::handlers::agentmessage::envelope;
use crate::state::AppState;

use super::read_only;

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

#[derive(Serialize)]
struct Readiness {
    status: &'static str,
    /// `ok`, or `failing` while the database takes no writes. Then reads may still be served.
    writes: &'static str,
}

pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(read_only::resource("/healthz", alive));
    cfg.service(read_only::resource("/readyz", ready));
}

async fn alive() -> HttpResponse {
    // Without the database: restarting this process would not bring it back.
    HttpResponse::Ok().json(Health { status: "ok" })
}

async fn ready(state: web::Data<AppState>, request: HttpRequest) -> HttpResponse {
    if state.is_draining() {
        return envelope::render(&request, Error::ShuttingDown);
    }
    match state.db.check().await {
        Ok(()) => HttpResponse::Ok().json(Readiness {
            status: "ready",
            writes: if state.db.are_writes_failing() {
                "failing"
            } else {
                "ok"
            },
        }),
        Err(error) => envelope::render(&request, error),
    }
}
