//! A proxy in front of PostgreSQL whose connections can fall silent.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Accepts connections and passes bytes to and from the server, until it is told otherwise.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Connections that were accepted before the latest [`Proxy::freeze`] pass nothing on.
    frozen: AtomicUsize,
    accepted: AtomicUsize,
    is_silent: AtomicBool,
}

impl Proxy {
    /// Begins to accept connections for the server at `host:port`.
    pub fn start(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (shared, server) = (Arc::new(Shared::default()), server.to_owned());
        let own = Arc::clone(&shared);
        // Ends with the process, like the threads of its connections.
        std::thread::spawn(move || accept(&listener, &server, &own));
        Self { address, shared }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Silences the connections of this moment. New connections work.
    pub fn freeze(&self) {
        let accepted = self.shared.accepted.load(Ordering::SeqCst);
        self.shared.frozen.store(accepted, Ordering::SeqCst);
    }

    /// Silences all connections, also new ones, or ends that.
    pub fn silence(&self, is_silent: bool) {
        self.shared.is_silent.store(is_silent, Ordering::SeqCst);
    }
}

fn accept(listener: &TcpListener, server: &str, shared: &Arc<Shared>) {
    for client in listener.incoming().flatten() {
        let number = shared.accepted.fetch_add(1, Ordering::SeqCst);
        if let Ok(server) = TcpStream::connect(server) {
            connect(&client, &server, number, shared);
        }
    }
}

/// Passes bytes in both directions, on a thread each.
fn connect(client: &TcpStream, server: &TcpStream, number: usize, shared: &Arc<Shared>) {
    for (from, to) in [(client, server), (server, client)] {
        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        let shared = Arc::clone(shared);
        std::thread::spawn(move || pass_on(from, to, number, &shared));
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, number: usize, shared: &Shared) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        while number < shared.frozen.load(Ordering::SeqCst)
            || shared.is_silent.load(Ordering::SeqCst)
        {
            std::thread::sleep(Duration::from_millis(10));
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    for stream in [from, to] {
        // It may be closed already.
        stream
            .shutdown(std::net::Shutdown::Both)
            .unwrap_or_default();
    }
}
