//! Proxy in front of PostgreSQL that loses a single reply together with its connection.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Proxy that passes everything on until [`LossyProxy::lose_reply_to`].
pub struct LossyProxy {
    address: SocketAddr,
    pattern: Pattern,
}

/// Part of the request whose reply is lost.
type Pattern = Arc<Mutex<Option<&'static str>>>;

impl LossyProxy {
    /// Starts a proxy for the server at `host:port`.
    pub fn start(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let pattern = Pattern::default();
        let armed = Arc::clone(&pattern);
        // The threads end with the process.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(&server).expect("the server");
                pass_on(client, server, Arc::clone(&armed));
            }
        });
        Self { address, pattern }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Loses the reply to the next request that contains `pattern`. The server executes it.
    pub fn lose_reply_to(&self, pattern: &'static str) {
        *self.pattern.lock().unwrap() = Some(pattern);
    }

    /// Returns whether the reply was lost.
    pub fn has_lost(&self) -> bool {
        self.pattern.lock().unwrap().is_none()
    }
}

fn pass_on(client: TcpStream, server: TcpStream, pattern: Pattern) {
    let is_lost = Arc::new(AtomicBool::new(false));
    let loses = Arc::clone(&is_lost);
    copy(&client, &server, move |request| {
        let mut pattern = pattern.lock().unwrap();
        let is_match = |text: &str| request.windows(text.len()).any(|at| at == text.as_bytes());
        if pattern.is_some_and(is_match) {
            *pattern = None;
            loses.store(true, Ordering::SeqCst);
        }
        true
    });
    copy(&server, &client, move |_| !is_lost.load(Ordering::SeqCst));
}

/// Copies from one stream to another while `is_passed` accepts the bytes. Then closes both.
fn copy(from: &TcpStream, to: &TcpStream, is_passed: impl Fn(&[u8]) -> bool + Send + 'static) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if !is_passed(&buffer[..length]) || to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        for stream in [from, to] {
            // The peer may have closed the stream already.
            stream.shutdown(Shutdown::Both).unwrap_or_default();
        }
    });
}
