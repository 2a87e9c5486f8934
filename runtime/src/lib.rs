//! Base of the generated code: reads a request, checks it against the spec's own schemas, and
//! responds. It knows no single operation and nothing of the server behind it.

#![warn(missing_docs)]

mod answer;
mod api;
mod body;
mod caught;
mod input;
mod json;
mod message;
mod parameter;
mod rejection;
mod routes;
mod schema;

#[cfg(test)]
mod request_tests;
#[cfg(test)]
mod schema_tests;

pub use answer::{Answer, Recorded};
pub use api::{Api, route};
pub use input::Input;
pub use parameter::path_parameter;
pub use rejection::{Rejection, Violation};
pub use routes::Routes;

/// What the spec says of one operation beyond its types.
#[derive(Debug, PartialEq, Eq)]
pub struct Operation {
    /// The operationId, as the spec writes it.
    pub id: &'static str,
    /// HTTP method in capitals.
    pub method: &'static str,
    /// Path template, such as `/v1/api-keys/{id}`.
    pub path: &'static str,
    /// Name of the security scheme; `None` when the spec asks for no credential.
    pub scheme: Option<&'static str>,
    /// Scopes that the credential must carry, all of them.
    pub scopes: &'static [&'static str],
    /// The operation's `x-minimum-role`.
    pub minimum_role: Option<&'static str>,
    /// Every documented status.
    pub statuses: &'static [u16],
}

/// `deserialize_with` of a property that is optional but not nullable: what is there is a value.
pub fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}
