//! Serving the application on a socket: connection limits, signals and graceful shutdown.

use std::future::ready;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::pin::pin;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol};
use actix_service::{ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::{AppConfig, Server};
use actix_web::rt::net::TcpStream;
use actix_web::rt::signal::unix::{Signal, SignalKind, signal};
use actix_web::{rt, web};
use futures_util::future::{Either, select};
use tokio::sync::oneshot;

use crate::state::AppState;

use super::Options;
use super::capacity::{Capacity, Networks, raise_file_limit};
use super::connection::Connection;

/// Time for which an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Time for a connection to end after its last response.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Connections that the system accepts before a worker takes them.
const BACKLOG: i32 = 1024;

/// Time for open requests to finish during shutdown, in seconds.
const SHUTDOWN_TIMEOUT_SECS: u64 = 20;

/// Address, threads and settings to serve with.
pub struct Serving<'a> {
    pub listen: &'a str,
    /// Number of threads that serve requests.
    pub workers: usize,
    /// Files that may be open beside connections: of the database and the log.
    pub reserved_files: usize,
    /// Time to keep serving, but not ready, after a stop signal.
    pub drain: Duration,
    /// Signals of [`hangups`].
    pub hangups: Signal,
    pub options: Options,
}

/// Takes SIGHUP, which would end the process. Call it first: a closing terminal, log rotation and a
/// reload of the service send the signal during the start too.
///
/// # Errors
/// Errors of the system.
pub fn hangups() -> io::Result<Signal> {
    signal(SignalKind::hangup())
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
    let files = raise_file_limit();
    let capacity = Capacity::of(files, serving.reserved_files, serving.workers);
    let listeners = bind(serving.listen)?;
    let addresses = listeners.iter().map(TcpListener::local_addr);
    let addresses = addresses.collect::<io::Result<Vec<_>>>()?;
    let server = build(&serving, &state, capacity, listeners)?;
    // Registered before the announcement, because its reader may send a signal at once.
    let mut signals = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    reload_on_hangup(serving.hangups, state.clone());
    announce(&addresses)?;
    log::info!(
        "at most {} connections, {} of one client address, {} of one IPv6 site, \
         with {files} open files",
        capacity.total,
        capacity.per_address,
        capacity.per_site
    );
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

/// Listens on every address of `listen` that can be bound, and on at least one.
fn bind(listen: &str) -> io::Result<Vec<TcpListener>> {
    let (mut listeners, mut failure) = (Vec::new(), io::ErrorKind::NotFound.into());
    for address in listen.to_socket_addrs()? {
        match TcpListener::bind(address) {
            Ok(listener) => {
                // Replaces the shorter backlog of the standard library.
                rustix::net::listen(&listener, BACKLOG)?;
                listeners.push(listener);
            }
            Err(error) => failure = error,
        }
    }
    if listeners.is_empty() {
        return Err(failure);
    }
    Ok(listeners)
}

fn build(
    serving: &Serving<'_>,
    state: &web::Data<AppState>,
    capacity: Capacity,
    listeners: Vec<TcpListener>,
) -> io::Result<Server> {
    // Handled by `serve`, because actix would stop without the drain time.
    let mut server = Server::build()
        .disable_signals()
        .workers(serving.workers)
        .max_concurrent_connections(capacity.total / serving.workers)
        .shutdown_timeout(SHUTDOWN_TIMEOUT_SECS);
    let networks = Networks::new(capacity);
    for listener in listeners {
        let (state, options) = (state.clone(), serving.options.clone());
        let (networks, stop) = (networks.clone(), server.graceful_shutdown_signal());
        let stopping = move || {
            let stop = stop.clone();
            async move { stop.notified().await }
        };
        server = server.listen("http", listener, move || {
            http_service(&state, &options, &networks, stopping.clone())
        })?;
    }
    Ok(server.run())
}

/// Creates the service of one worker. It takes connections and serves their requests.
fn http_service<S, F>(
    state: &web::Data<AppState>,
    options: &Options,
    networks: &Networks,
    stopping: S,
) -> impl ServiceFactory<TcpStream, Config = ()> + use<S, F>
where
    S: Fn() -> F + 'static,
    F: Future<Output = ()> + 'static,
{
    let app = super::create_app(state.clone(), options.clone());
    let http = HttpService::build()
        .graceful_shutdown_signal(stopping)
        .keep_alive(KEEP_ALIVE)
        // A connection has its own deadline for every head.
        .client_request_timeout(Duration::ZERO)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        .on_connect_ext(|connection: &Connection, data| {
            data.insert(connection.head());
        })
        .finish(map_config(app, |()| AppConfig::default()));
    let (state, networks) = (state.clone(), networks.clone());
    fn_service(move |stream| ready(admit(stream, &state, &networks))).and_then(http)
}

/// Takes a connection, unless its client address has too many. A refused connection is closed.
fn admit(
    stream: TcpStream,
    state: &AppState,
    networks: &Networks,
) -> Result<(Connection, Protocol, Option<SocketAddr>), DispatchError> {
    let peer = stream.peer_addr()?;
    let permit = match state.limits.networks_of_peer(peer.ip()) {
        // Its connections carry the requests of many clients.
        None => None,
        Some(own) => {
            let refused = || io::Error::from(io::ErrorKind::QuotaExceeded);
            Some(networks.admit(own).ok_or_else(refused)?)
        }
    };
    Ok((Connection::new(stream, permit), Protocol::Http1, Some(peer)))
}

/// Reads the keys of tokens again on SIGHUP.
fn reload_on_hangup(mut hangups: Signal, state: web::Data<AppState>) {
    rt::spawn(async move {
        while hangups.recv().await.is_some() {
            log::info!("SIGHUP: reading the keys of tokens again, other settings need a restart");
            state.jwt_keys.request_reload();
        }
    });
}

async fn stop_signal((terminate, interrupt): &mut (Signal, Signal)) {
    select(pin!(terminate.recv()), pin!(interrupt.recv())).await;
}
