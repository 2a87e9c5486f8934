// @generated from openapi/templates/runtime/document.rs; edit that file.
//! The parts that every spec's served document is put together from, with utoipa. It decides
//! nothing about the API: the generated `document` modules do.

use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{HttpMethod, OperationBuilder};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Object, Paths, Ref, RefOr, Response, ResponsesBuilder, Schema};

use super::Operation;

/// An operation with all that its [`Operation`] says; `responses` are in the order of its statuses.
pub fn operation<const N: usize>(
    operation: &Operation,
    extensions: Option<Extensions>,
    responses: [RefOr<Response>; N],
) -> OperationBuilder {
    assert_eq!(operation.statuses.len(), N, "{}", operation.id);
    let statuses = operation.statuses.iter().map(u16::to_string);
    let responses = ResponsesBuilder::new().responses_from_iter(statuses.zip(responses));
    let mut extensions = extensions.unwrap_or_default();
    if let Some(role) = operation.minimum_role {
        extensions.insert("x-minimum-role".to_owned(), role.into());
    }
    let made = OperationBuilder::new()
        .operation_id(Some(operation.id))
        .responses(responses)
        .extensions(Some(extensions));
    match operation.scheme {
        Some(scheme) => made.security(SecurityRequirement::new(scheme, operation.scopes.to_vec())),
        None => made,
    }
}

/// Adds an operation under its path and method.
pub fn add(paths: &mut Paths, operation: &Operation, made: OperationBuilder) {
    let method = match operation.method {
        "GET" => HttpMethod::Get,
        "PUT" => HttpMethod::Put,
        "POST" => HttpMethod::Post,
        "DELETE" => HttpMethod::Delete,
        "PATCH" => HttpMethod::Patch,
        other => panic!("{}: the method {other} has no document", operation.id),
    };
    paths.add_path_operation(operation.path, vec![method], made.build());
}

/// The schema of a type, changed where the derive has no attribute for it.
pub fn described<T: ToSchema>(change: impl FnOnce(&mut Object)) -> RefOr<Schema> {
    let mut schema = T::schema();
    match &mut schema {
        RefOr::T(Schema::Object(object)) => change(object),
        _ => panic!("{} is neither a struct nor an enum", T::name()),
    }
    schema
}

/// A reference to the schema of a type.
pub fn reference<T: ToSchema>() -> Ref {
    Ref::from_schema_name(T::name())
}

/// Authentication with a bearer token.
pub fn bearer(
    format: Option<&str>,
    description: Option<&str>,
    extensions: Option<Extensions>,
) -> SecurityScheme {
    let mut scheme = Http::new(HttpAuthScheme::Bearer);
    scheme.bearer_format = format.map(str::to_owned);
    scheme.description = description.map(str::to_owned);
    scheme.extensions = extensions;
    SecurityScheme::Http(scheme)
}

/// Vendor extensions, and members that utoipa has no field for.
pub fn extensions<const N: usize>(entries: [(&str, Value); N]) -> Option<Extensions> {
    (N > 0).then(|| Extensions::from_iter(entries))
}

/// A value that the generator wrote as JSON.
pub fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("build.rs writes JSON")
}
