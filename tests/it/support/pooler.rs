//! A pooler in front of PostgreSQL that pools transactions: all clients share one session. Only for
//! clients that begin no transaction.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Type of the message after which a server waits for the next request.
const READY_FOR_QUERY: u8 = b'Z';

/// Types of the messages that a server answers with [`READY_FOR_QUERY`].
const QUERY_OR_SYNC: [u8; 2] = [b'Q', b'S'];

/// Session that all clients share.
type Session = Arc<Mutex<Option<TcpStream>>>;

/// Begins to pool the server at `host:port`. Ends with the process.
pub fn start(server: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (session, server) = (Session::default(), server.to_owned());
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (session, server) = (Arc::clone(&session), server.clone());
            // The client or the server may close the connection at any time.
            std::thread::spawn(move || serve(client, &server, &session).unwrap_or_default());
        }
    });
    address
}

/// Lets a client log in on a session of its own, and then use the shared one.
fn serve(mut client: TcpStream, server: &str, session: &Session) -> io::Result<()> {
    let mut own = TcpStream::connect(server)?;
    let startup = read_message(&mut client, 0)?;
    own.write_all(&startup)?;
    loop {
        let message = read_message(&mut own, 1)?;
        client.write_all(&message)?;
        match message[..] {
            [READY_FOR_QUERY, ..] => break,
            // A request of the authentication, other than its success and its last message.
            [b'R', _, _, _, _, _, _, _, kind, ..] if kind != 0 && kind != 12 => {
                own.write_all(&read_message(&mut client, 1)?)?;
            }
            _ => {}
        }
    }
    session.lock().unwrap().get_or_insert(own);
    let mut requests = Vec::new();
    loop {
        let request = read_message(&mut client, 1)?;
        requests.extend_from_slice(&request);
        if QUERY_OR_SYNC.contains(&request[0]) {
            exchange(&mut client, &requests, session)?;
            requests.clear();
        }
    }
}

/// Sends `requests` to the shared session and passes the replies on.
fn exchange(client: &mut TcpStream, requests: &[u8], session: &Session) -> io::Result<()> {
    let mut session = session.lock().unwrap();
    let server = session.as_mut().expect("a client has logged in");
    server.write_all(requests)?;
    loop {
        let reply = read_message(server, 1)?;
        client.write_all(&reply)?;
        if reply[0] == READY_FOR_QUERY {
            return Ok(());
        }
    }
}

/// Reads a message: `tag` bytes of type, then the length of the rest.
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html>
fn read_message(stream: &mut TcpStream, tag: usize) -> io::Result<Vec<u8>> {
    let mut message = vec![0; tag + 4];
    stream.read_exact(&mut message)?;
    let mut length = [0; 4];
    length.copy_from_slice(&message[tag..]);
    message.resize(tag + u32::from_be_bytes(length) as usize, 0);
    stream.read_exact(&mut message[tag + 4..])?;
    Ok(message)
}
