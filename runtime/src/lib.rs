//! Base of the generated code: reads a request, checks it against the spec's own schemas, and
//! responds. Independent of any single operation and of the server behind it.

#![warn(missing_docs)]

mod api;
mod body;
mod catch_panic;
mod input;
mod json;
mod message;
mod parameter;
mod rejection;
mod response;
mod routes;
mod schema;
mod timestamp;

#[cfg(test)]
mod request_tests;
#[cfg(test)]
mod schema_tests;

pub use api::{Api, route};
pub use input::Input;
pub use parameter::path_parameter;
pub use rejection::{Rejection, Violation};
pub use response::{Recorded, ResponseBuilder};
pub use routes::Routes;
pub use timestamp::Timestamp;

/// Properties of one operation of a spec, except its types.
#[derive(Debug, PartialEq, Eq)]
pub struct Operation {
    /// `operationId` of the spec.
    pub id: &'static str,
    /// HTTP method in capitals.
    pub method: &'static str,
    /// Path template, such as `/v1/api-keys/{id}`.
    pub path: &'static str,
    /// Name of the security scheme. `None` when no credential is needed.
    pub scheme: Option<&'static str>,
    /// Scopes, all of which the credential must have.
    pub scopes: &'static [&'static str],
    /// `x-minimum-role` of the spec.
    pub minimum_role: Option<&'static str>,
    /// Every documented status.
    pub statuses: &'static [u16],
}

/// Deserializes a property that is optional but not nullable, for `deserialize_with`.
pub fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    // Deserializing an `Option` would accept null and treat it as absent.
    T::deserialize(deserializer).map(Some)
}
