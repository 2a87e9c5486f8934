//! A proxy in front of PostgreSQL whose connections can fall silent, or lose a reply.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
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
    /// Part of the request whose reply is lost.
    pattern: Mutex<Option<&'static str>>,
}

struct Connection {
    number: usize,
    /// The next reply is lost.
    is_lost: AtomicBool,
    shared: Arc<Shared>,
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

    /// Loses the reply to the next request that contains `pattern`, and its connection. The server
    /// executes the request.
    pub fn lose_reply_to(&self, pattern: &'static str) {
        *self.shared.pattern.lock().unwrap() = Some(pattern);
    }

    /// Returns whether the reply was lost.
    pub fn has_lost_reply(&self) -> bool {
        self.shared.pattern.lock().unwrap().is_none()
    }
}

impl Connection {
    /// Looks for the pattern in a request.
    fn inspect(&self, request: &[u8]) {
        let mut pattern = self.shared.pattern.lock().unwrap();
        let is_in = |text: &str| request.windows(text.len()).any(|at| at == text.as_bytes());
        if pattern.is_some_and(is_in) {
            *pattern = None;
            self.is_lost.store(true, Ordering::SeqCst);
        }
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
    let connection = Arc::new(Connection {
        number,
        is_lost: AtomicBool::new(false),
        shared: Arc::clone(shared),
    });
    for (from, to, is_request) in [(client, server, true), (server, client, false)] {
        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        let connection = Arc::clone(&connection);
        std::thread::spawn(move || pass_on(from, to, &connection, is_request));
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, connection: &Connection, is_request: bool) {
    let Connection { number, shared, .. } = connection;
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if is_request {
            connection.inspect(&buffer[..length]);
        } else if connection.is_lost.load(Ordering::SeqCst) {
            break;
        }
        while *number < shared.frozen.load(Ordering::SeqCst)
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
