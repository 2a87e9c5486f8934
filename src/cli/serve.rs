//! `quietline serve` and `quietline migrate`.

use std::net::SocketAddr;
use std::panic::PanicHookInfo;

use actix_web::{rt, web};
use serde_json::json;
use tokio::sync::oneshot;

use crate::auth::limits::Limits;
use crate::config::Config;
use crate::http::docs::Docs;
use crate::http::server::{self, Serving};
use crate::jobs;
use crate::logging;
use crate::state::AppState;

use super::output::{self, Output};
use super::{Outcome, jwt_keys, open};

pub(super) async fn run(config: &Config) -> Outcome {
    std::panic::set_hook(Box::new(log_panic));
    let keys = jwt_keys(config)?;
    if keys.is_empty() {
        log::warn!(
            "neither a JWT secret nor a JWKS file is configured: every Tether request is refused"
        );
    }
    let docs = config.has_docs.then(Docs::load).transpose()?;
    let context = open(config)?;
    let mut state = AppState::new(context.db, context.clock, keys);
    state.limits = Limits::new(config.limits.clone(), &state.clock);
    state.cors_origins = config.cors_origins.clone();
    let state = web::Data::new(state);
    let announce = |addresses: &[SocketAddr]| {
        let urls: Vec<String> = addresses
            .iter()
            .map(|address| format!("http://{address}"))
            .collect();
        output::announce(&format!(
            "quietline listens on {}, database {}",
            urls.join(" "),
            config.database_url
        ))
    };
    let serving = Serving {
        listen: &config.listen,
        workers: config.workers,
        drain: config.drain,
        docs,
    };
    let (stop_uses, stopped) = oneshot::channel();
    let key_uses = rt::spawn(jobs::key_uses::run(state.db.clone(), stopped));
    let (stop_sweep, stopped) = oneshot::channel();
    let sweep = jobs::idempotency_records::run(state.clone().into_inner(), stopped);
    let sweep = rt::spawn(sweep);
    let served = server::serve(serving, state, announce).await;
    drop((stop_uses, stop_sweep));
    key_uses.await?;
    sweep.await?;
    served.map_err(|error| format!("cannot serve on {}: {error}", config.listen))?;
    Ok(true)
}

pub(super) fn migrate(config: &Config, out: &mut Output) -> Outcome {
    let _context = open(config)?;
    let url = config.database_url.to_string();
    out.print(
        &json!({ "database": url }),
        &format!("the schema of {url} is up to date"),
    )?;
    Ok(true)
}

/// A panic is one line of the log like everything else. Its message is left out: it may quote data.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    log::error!("panicked at {place}");
    logging::flush();
}
