//! Serving the application on a socket: limits on connections, and an orderly end.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use actix_web::rt::signal::unix::{Signal, SignalKind, signal};
use actix_web::{HttpServer, rt, web};
use futures_util::future::{Either, select};
use tokio::sync::oneshot;

use crate::state::AppState;

use super::docs::Docs;

/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Connections that one worker serves at once; further ones wait to be accepted.
const CONNECTIONS_PER_WORKER: usize = 10_000;

/// How long requests may take to finish once the server is told to stop, in seconds.
const SHUTDOWN_TIMEOUT_SECS: u64 = 20;

/// Where and how to serve.
pub struct Serving<'a> {
    /// Address and port.
    pub listen: &'a str,
    /// Threads that serve requests.
    pub workers: usize,
    /// How long to serve on, not ready any more, when told to stop.
    pub drain: Duration,
    /// The pages of `/docs` and `/openapi`, if they are served.
    pub docs: Option<Docs>,
}

/// Serves `state` until SIGTERM or SIGINT; `announce` is told the bound addresses.
///
/// # Errors
/// When the address cannot be bound.
pub async fn serve(
    serving: Serving<'_>,
    state: web::Data<AppState>,
    announce: impl FnOnce(&[SocketAddr]) -> io::Result<()>,
) -> io::Result<()> {
    let (shared, docs) = (state.clone(), serving.docs);
    let server = HttpServer::new(move || super::create_app(shared.clone(), docs.clone()))
        .workers(serving.workers)
        .max_connections(CONNECTIONS_PER_WORKER)
        .client_request_timeout(HEAD_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(SHUTDOWN_TIMEOUT_SECS)
        .disable_signals()
        .bind(serving.listen)?;
    // Heard from here on: whoever reads the announcement may send a signal at once.
    let mut signals = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    announce(&server.addrs())?;
    let server = server.run();
    let handle = server.handle();
    let (asked_again, is_impatient) = oneshot::channel();
    rt::spawn(async move {
        stop_signal(&mut signals).await;
        // From now on it is not ready; whoever balances load has this time to see it.
        state.begin_draining();
        let stopping = pin!(async {
            rt::time::sleep(serving.drain).await;
            log::info!("stopping: open requests have {SHUTDOWN_TIMEOUT_SECS} s to finish");
            handle.stop(true).await;
        });
        let asked = pin!(stop_signal(&mut signals));
        if let Either::Right(_) = select(stopping, asked).await {
            // It fails when the server has stopped meanwhile.
            let _told = asked_again.send(());
        }
    });
    match select(pin!(server), pin!(is_impatient)).await {
        Either::Left((outcome, _)) => outcome,
        // Whoever asks twice does not want to wait.
        Either::Right((Ok(()), _)) => Ok(()),
        Either::Right((Err(_), server)) => server.await,
    }
}

async fn stop_signal((terminate, interrupt): &mut (Signal, Signal)) {
    select(pin!(terminate.recv()), pin!(interrupt.recv())).await;
}
