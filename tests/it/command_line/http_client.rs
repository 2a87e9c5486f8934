//! HTTP/1.1 client on a plain TCP connection that can send a request slowly or in part.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than any timeout of the server.
const PATIENCE: Duration = Duration::from_secs(25);

/// Persistent connection for several requests.
pub struct Connection(BufReader<TcpStream>);

/// Response of the server.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Returns the head of a request with a JSON body of `length` bytes, or without a body.
pub fn head(method: &str, path: &str, token: &str, length: usize) -> String {
    let body = match length {
        0 => String::new(),
        _ => format!("Content-Type: application/json\r\nContent-Length: {length}\r\n"),
    };
    format!("{method} {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\n{body}\r\n")
}

/// Returns a [`head`] with `Expect: 100-continue`. The server sends 100 when it starts to read the
/// body.
pub fn expecting_head(method: &str, path: &str, token: &str, length: usize) -> String {
    let head = head(method, path, token, length);
    head.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n")
}

impl Connection {
    pub fn open(address: &str) -> Self {
        Self::over(TcpStream::connect(address).unwrap())
    }

    pub fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    /// Sends `text` unchanged.
    pub fn send(&mut self, text: &str) -> Result<()> {
        self.0.get_mut().write_all(text.as_bytes())
    }

    /// Sends a request and reads its response.
    pub fn call(&mut self, method: &str, path: &str, token: &str, body: &str) -> Result<Response> {
        self.send(&format!("{}{body}", head(method, path, token, body.len())))?;
        self.response()
    }

    pub fn get(&mut self, path: &str, token: &str) -> Response {
        self.call("GET", path, token, "").unwrap()
    }

    /// Reads one response.
    pub fn response(&mut self) -> Result<Response> {
        let first = self.line()?;
        let status = first
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| Error::new(ErrorKind::InvalidData, first))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut response = Response {
            status,
            headers,
            body: String::new(),
        };
        let length = response
            .header("content-length")
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        response.body = String::from_utf8(body).unwrap();
        Ok(response)
    }

    /// Waits for a response with `text` near its beginning, without reading it.
    pub fn wait_for(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = vec![0; 16_384];
        loop {
            let length = self.0.get_ref().peek(&mut seen).unwrap();
            if String::from_utf8_lossy(&seen[..length]).contains(text) {
                return;
            }
            assert!(Instant::now() < deadline, "{text} does not arrive");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Reads everything until the server closes the connection.
    pub fn rest(&mut self) -> Result<String> {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).map(|_| rest)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}
