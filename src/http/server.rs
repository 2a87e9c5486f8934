//! Serving the application on a socket: connection limits and graceful shutdown.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use actix_web::rt::signal::unix::{Signal, SignalKind, signal};
use actix_web::{HttpServer, rt, web};
use futures_util::future::{Either, select};
use tokio::sync::oneshot;

use crate::state::AppState;

use super::Options;

/// Time within which a client must send the request head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for which an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Connections that one worker serves at once. Further connections wait to be accepted.
const CONNECTIONS_PER_WORKER: usize = 10_000;

/// Time for open requests to finish during shutdown, in seconds.
const SHUTDOWN_TIMEOUT_SECS: u64 = 20;

/// Address, threads and settings to serve with.
pub struct Serving<'a> {
    pub listen: &'a str,
    /// Number of threads that serve requests.
    pub workers: usize,
    /// Time to keep serving, but not ready, after a stop signal.
    pub drain: Duration,
    pub options: Options,
}

/// Serves `state` until SIGTERM or SIGINT. Calls `announce` with the bound addresses.
///
/// # Errors
/// Errors of binding the address and of the server.
pub async fn serve(
    serving: Serving<'_>,
    state: web::Data<AppState>,
    announce: impl FnOnce(&[SocketAddr]) -> io::Result<()>,
) -> io::Result<()> {
    let (shared, options) = (state.clone(), serving.options);
    let server = HttpServer::new(move || super::create_app(shared.clone(), options.clone()))
        .workers(serving.workers)
        .max_connections(CONNECTIONS_PER_WORKER)
        .client_request_timeout(HEAD_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(SHUTDOWN_TIMEOUT_SECS)
        // Handled below, because actix-web would stop without the drain time.
        .disable_signals()
        .bind(serving.listen)?;
    // Registered before the announcement, because its reader may send a signal at once.
    let mut signals = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    announce(&server.addrs())?;
    let server = server.run();
    let handle = server.handle();
    let (send_second_signal, second_signal) = oneshot::channel();
    rt::spawn(async move {
        stop_signal(&mut signals).await;
        // Not ready from here on. Load balancers have the drain time to notice.
        state.begin_draining();
        let stopping = pin!(async {
            rt::time::sleep(serving.drain).await;
            log::info!("stopping: open requests have {SHUTDOWN_TIMEOUT_SECS} s to finish");
            handle.stop(true).await;
        });
        let again = pin!(stop_signal(&mut signals));
        if let Either::Right(_) = select(stopping, again).await {
            // Fails if the server has stopped in the meantime.
            let _sent = send_second_signal.send(());
        }
    });
    match select(pin!(server), pin!(second_signal)).await {
        Either::Left((outcome, _)) => outcome,
        // A second signal stops the server at once.
        Either::Right((Ok(()), _)) => Ok(()),
        // Without a second signal, the graceful shutdown takes its time.
        Either::Right((Err(_), server)) => server.await,
    }
}

async fn stop_signal((terminate, interrupt): &mut (Signal, Signal)) {
    select(pin!(terminate.recv()), pin!(interrupt.recv())).await;
}
