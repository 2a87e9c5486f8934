//! `quietline serve` and `quietline migrate`.

use std::net::SocketAddr;
use std::panic::PanicHookInfo;

use actix_web::web;
use rustix::process::{Resource, Rlimit, setrlimit};
use serde_json::json;

use crate::auth::jwt::JwtKeys;
use crate::config::Config;
use crate::http::Options;
use crate::http::docs::Docs;
use crate::http::server::{self, Serving};
use crate::jobs;
use crate::limits::Limits;
use crate::logging;
use crate::state::AppState;

use super::context::{Outcome, jwt_keys, open};
use super::output::{self, Output};

pub(super) async fn run(config: &Config) -> Outcome {
    // First, so that a panic during the start is logged as well.
    std::panic::set_hook(Box::new(log_panic));
    disable_core_dumps();
    let hangups = server::hangups()?;
    let keys = jwt_keys(config)?;
    // A wrong address must not look like a set that refuses every token.
    keys.download_set()
        .await
        .map_err(|problem| format!("cannot download the JWK set: {problem}"))?;
    warn_about_keys(&keys);
    let risky_limits = config.risky_limits();
    if !risky_limits.is_empty() {
        log::warn!(
            "other machines can connect, and these rate limits are off: {}",
            risky_limits.join(", ")
        );
    }
    // Loaded even if not served, because a server must not start with a spec that utoipa refuses.
    let docs = Docs::load()?;
    let context = open(config)?;
    let limits = Limits::new(config.limits.clone(), &context.clock);
    let mut state = AppState::new(context.db, context.clock, keys, limits);
    state.records_client_networks = config.records_client_networks;
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
        reserved_files: reserved_files(config),
        drain: config.drain,
        hangups,
        options: Options {
            docs: config.has_docs.then_some(docs),
            cors_origins: config.cors_origins.clone(),
        },
    };
    let jobs = jobs::start(&state);
    let served = server::serve(serving, state, announce).await;
    // Before the error of the server, so that the jobs store what they hold in either case.
    jobs.stop().await?;
    served.map_err(|error| format!("cannot serve on {}: {error}", config.listen))?;
    Ok(true)
}

/// Warns about keys that are missing, or weaker than they look.
fn warn_about_keys(keys: &JwtKeys) {
    match (keys.has_secret(), keys.has_public_keys()) {
        // Only a warning, because the AgentMessage dialect works without tokens.
        (false, false) => log::warn!(
            "neither a JWT secret nor a JWK set is configured: every Tether request is refused"
        ),
        (true, true) => log::warn!(
            "a JWT secret and a JWK set are configured: holders of the secret can sign tokens of \
             any user and role"
        ),
        (true, false) | (false, true) => {}
    }
}

/// Returns how many files may be open beside the clients' connections.
fn reserved_files(config: &Config) -> usize {
    // Standard streams, listeners, a runtime and a SQLite reader per worker, the SQLite writer.
    const OTHERS: usize = 64;
    const PER_WORKER: usize = 8;
    OTHERS + PER_WORKER * config.workers + config.database_pool_size as usize
}

pub(super) fn migrate(config: &Config, out: &mut Output) -> Outcome {
    // Opening the database brings its schema up to date.
    let _context = open(config)?;
    let url = config.database_url.to_string();
    out.print(
        &json!({ "database": url }),
        &format!("the schema of {url} is up to date"),
    )?;
    Ok(true)
}

/// Keeps the kernel from writing a core dump of this process, because it would hold credentials of
/// requests, the JWT secret and the database password.
fn disable_core_dumps() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        log::warn!("cannot disable core dumps: {error}");
    }
}

/// Logs a panic as one line, like every event. Omits the panic's message, because it may quote
/// data.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    log::error!("panicked at {location}");
    // The process may end before the log writer runs again.
    logging::flush();
}
