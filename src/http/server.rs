//! Serving the application on a socket: limits on connections, and an orderly end.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use actix_web::rt::signal::unix::{Signal, SignalKind, signal};
use actix_web::{HttpServer, rt, web};
use futures_util::future::{Either, select};

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
    // Heard from here on: whoever reads the announcement may send a signal at once.
    let mut signals = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    announce(&server.addrs())?;
    let server = server.run();
    let handle = server.handle();
    rt::spawn(async move {
        stop_signal(&mut signals).await;
        log::info!("stopping: open requests have {SHUTDOWN_TIMEOUT_SECS} s to finish");
        state.begin_draining();
        let draining = handle.stop(true);
        // Whoever asks twice does not want to wait.
        let asked_again = pin!(stop_signal(&mut signals));
        if let Either::Right(_) = select(pin!(draining), asked_again).await {
            handle.stop(false).await;
        }
    });
    server.await
}

async fn stop_signal((terminate, interrupt): &mut (Signal, Signal)) {
    select(pin!(terminate.recv()), pin!(interrupt.recv())).await;
}
