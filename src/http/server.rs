//! Serving the application on a socket: limits on connections, and an orderly end.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use actix_web::rt::signal::unix::{SignalKind, signal};
use actix_web::{HttpServer, rt, web};

use crate::state::AppState;

/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Connections that one worker serves at once; further ones wait to be accepted.
const CONNECTIONS_PER_WORKER: usize = 10_000;

/// How long requests may take to finish once the server is told to stop, in seconds.
const SHUTDOWN_TIMEOUT_SECS: u64 = 20;

/// Serves `state` on `listen` until SIGTERM or SIGINT; `announce` is told the bound addresses.
///
/// # Errors
/// When the address cannot be bound.
pub async fn serve(
    listen: &str,
    workers: usize,
    state: web::Data<AppState>,
    announce: impl FnOnce(&[SocketAddr]) -> io::Result<()>,
) -> io::Result<()> {
    let shared = state.clone();
    let server = HttpServer::new(move || super::create_app(shared.clone()))
        .workers(workers)
        .max_connections(CONNECTIONS_PER_WORKER)
        .client_request_timeout(HEAD_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(SHUTDOWN_TIMEOUT_SECS)
        .disable_signals()
        .bind(listen)?;
    announce(&server.addrs())?;
    let server = server.run();
    let handle = server.handle();
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    rt::spawn(async move {
        futures_util::future::select(Box::pin(terminate.recv()), Box::pin(interrupt.recv())).await;
        log::info!(
            "stopping: no new connections, at most {SHUTDOWN_TIMEOUT_SECS} s for open requests"
        );
        state.begin_draining();
        handle.stop(true).await;
    });
    server.await
}
