//! Response, and accessors for its parts.

use actix_web::http::header::HeaderMap;
use actix_web::web::Bytes;
use serde_json::Value;

/// Response to a request of a test.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Bytes,
}

impl Response {
    /// Parses the body as JSON. Panics if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|error| panic!("{error}: {:?}", self.bytes))
    }

    /// Returns the text of a header. Panics if the header is missing.
    pub fn header(&self, name: &str) -> &str {
        let value = self
            .headers
            .get(name)
            .unwrap_or_else(|| panic!("no {name}: {self:?}"));
        value.to_str().expect("visible ASCII")
    }

    /// Returns the error code of the AgentMessage dialect.
    pub fn code(&self) -> String {
        self.text("/error/code")
    }

    /// Returns the `details` of the AgentMessage dialect.
    pub fn details(&self) -> Value {
        self.json()["error"]["details"].clone()
    }

    /// Returns a string of the body by its JSON pointer.
    pub fn text(&self, pointer: &str) -> String {
        let json = self.json();
        let text = json.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("no {pointer}: {json}"))
            .to_owned()
    }
}
