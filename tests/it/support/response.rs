//! An answer, and short ways to look into it.

use actix_web::http::header::HeaderMap;
use actix_web::web::Bytes;
use serde_json::Value;

/// What came back.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Bytes,
}

impl Response {
    /// The body, which has to be JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|error| panic!("{error}: {:?}", self.bytes))
    }

    /// A header's text; panics when it is missing.
    pub fn header(&self, name: &str) -> &str {
        let value = self
            .headers
            .get(name)
            .unwrap_or_else(|| panic!("no {name}: {self:?}"));
        value.to_str().expect("visible ASCII")
    }

    /// The error code of the AgentMessage dialect.
    pub fn code(&self) -> String {
        self.text("/error/code")
    }

    /// The `details` of the AgentMessage dialect.
    pub fn details(&self) -> Value {
        self.json()["error"]["details"].clone()
    }

    /// A string of the body, by JSON pointer.
    pub fn text(&self, pointer: &str) -> String {
        let json = self.json();
        let text = json.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("no {pointer}: {json}"))
            .to_owned()
    }
}
