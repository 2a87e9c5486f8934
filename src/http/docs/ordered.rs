//! A document whose keys stay as utoipa writes them (of a schema: in the order of the spec), and
//! which comes out the same every time: the entity tags depend on it.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A JSON value that keeps the order of its keys.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Ordered {
    Object(IndexMap<String, Ordered>),
    Array(Vec<Ordered>),
    Single(Value),
}

impl Ordered {
    pub(super) fn new(document: &impl Serialize) -> Self {
        let json = serde_json::to_string(document).expect("a document is JSON");
        let mut made: Self = serde_json::from_str(&json).expect("the same JSON");
        made.sort_extensions();
        made
    }

    /// utoipa keeps vendor extensions in no order; here they follow the rest by name.
    fn sort_extensions(&mut self) {
        match self {
            Self::Object(members) => {
                members.sort_by(|one, _, other, _| extension(one).cmp(&extension(other)));
                members.values_mut().for_each(Self::sort_extensions);
            }
            Self::Array(items) => items.iter_mut().for_each(Self::sort_extensions),
            Self::Single(_) => {}
        }
    }
}

fn extension(name: &str) -> Option<&str> {
    Some(name).filter(|name| name.starts_with("x-"))
}

#[cfg(test)]
mod tests {
    use quietline_api::{agentmessage, tether_relay};

    use super::Ordered;

    fn written() -> [String; 2] {
        let documents = [
            agentmessage::document::document(),
            tether_relay::document::document(),
        ];
        documents.map(|document| {
            serde_json::to_string(&Ordered::new(&document)).expect("a document is JSON")
        })
    }

    #[test]
    fn a_document_is_written_the_same_every_time() {
        let first = written();
        for _ in 0..5 {
            assert!(written() == first);
        }
    }

    #[test]
    fn fields_are_in_the_order_of_the_spec() {
        let [document, _] = written();
        let place = |text: &str| document.find(text).expect("it is there");
        assert!(document.starts_with("{\"openapi\":\"3.1.0\",\"info\":{\"title\":"));
        assert!(place("\"start\":{") < place("\"end\":{"));
        assert!(place("\"paths\":{") < place("\"components\":{"));
    }
}
