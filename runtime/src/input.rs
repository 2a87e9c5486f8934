//! Input of one operation: its parameters and its body, with validators that are compiled once.

use actix_web::{HttpRequest, web};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::parameter::{Location, Parameter, Raw, resolve};
use super::schema::Schema;
use super::{Operation, Rejection, Violation, body, json};

/// Compiled input of one operation.
#[derive(Debug)]
pub struct Input {
    operation: &'static Operation,
    parameters: Vec<(Location, Vec<Parameter>)>,
    body: Option<Body>,
}

#[derive(Debug)]
struct Body {
    schema: Schema,
    is_object: bool,
}

impl Input {
    /// Compiles the parameters and the body of `operation` in `spec`.
    ///
    /// # Panics
    /// When the spec lacks the operation or has a schema that cannot be compiled. A test of the
    /// generated code finds this before a server does.
    pub fn compile(spec: &Value, operation: &'static Operation) -> Self {
        Self::try_compile(spec, operation)
            .unwrap_or_else(|why| panic!("operation {}: {why}", operation.id))
    }

    fn try_compile(spec: &Value, operation: &'static Operation) -> Result<Self, String> {
        let item = &spec["paths"][operation.path];
        let object = &item[operation.method.to_ascii_lowercase().as_str()];
        let mut parameters = Vec::new();
        for location in [Location::Path, Location::Query, Location::Header] {
            let compiled = declared(spec, item, object)
                .into_iter()
                .filter(|parameter| parameter["in"] == location.keyword())
                .map(|parameter| Parameter::compile(spec, parameter, location))
                .collect::<Result<Vec<_>, _>>()?;
            if !compiled.is_empty() {
                parameters.push((location, compiled));
            }
        }
        let request_body = resolve(spec, &object["requestBody"]);
        let body = match request_body.pointer("/content/application~1json/schema") {
            Some(schema) => Some(Body {
                schema: Schema::compile(spec, schema)?,
                is_object: resolve(spec, schema)["type"] == "object",
            }),
            None => None,
        };
        Ok(Self {
            operation,
            parameters,
            body,
        })
    }

    /// Reads the parameters: of the path, then of the query, then of the headers.
    pub fn parameters<T: DeserializeOwned>(&self, request: &HttpRequest) -> Result<T, Rejection> {
        let mut values = Map::new();
        for (location, parameters) in &self.parameters {
            let raw = Raw::of(*location, request, self.operation.path);
            let mut violations: Vec<Violation> = parameters
                .iter()
                .filter_map(|parameter| parameter.read(&raw, &mut values))
                .collect();
            if !violations.is_empty() {
                violations.sort_by(|a, b| a.path.cmp(&b.path));
                return Err(match location {
                    Location::Path => Rejection::InvalidPath(violations),
                    Location::Query => Rejection::InvalidQuery(violations),
                    Location::Header => Rejection::InvalidHeader(violations),
                });
            }
        }
        self.convert(Value::Object(values))
    }

    /// Reads the body.
    pub async fn body<T: DeserializeOwned>(
        &self,
        request: &HttpRequest,
        payload: web::Payload,
    ) -> Result<T, Rejection> {
        let bytes = body::read(request, payload).await?;
        self.parse_body(&bytes)
    }

    /// Parses and validates the bytes of a body.
    pub(super) fn parse_body<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, Rejection> {
        let Some(body) = &self.body else {
            return Err(Rejection::Internal(format!(
                "{} has no body",
                self.operation.id
            )));
        };
        let value = json::parse(bytes).map_err(Rejection::MalformedJson)?;
        // Before the schema, because a violation of the whole body has no field to name.
        if body.is_object && !value.is_object() {
            let message = "request body must be a JSON object";
            return Err(Rejection::MalformedJson(message.to_owned()));
        }
        let violations = body.schema.violations(&value);
        if !violations.is_empty() {
            return Err(Rejection::InvalidBody(violations));
        }
        self.convert(value)
    }

    /// Converts a valid value. A value that does not fit its generated type is a defect of the
    /// templates.
    fn convert<T: DeserializeOwned>(&self, value: Value) -> Result<T, Rejection> {
        serde_json::from_value(value)
            .map_err(|error| Rejection::Internal(format!("{}: {error}", self.operation.id)))
    }
}

/// Returns the parameters of an operation, and the parameters of its path that the operation does
/// not override.
fn declared<'a>(spec: &'a Value, item: &'a Value, object: &'a Value) -> Vec<&'a Value> {
    let list = |holder: &'a Value| {
        let parameters = holder["parameters"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        parameters
            .iter()
            .map(move |parameter| resolve(spec, parameter))
    };
    let mut declared: Vec<&Value> = list(object).collect();
    for inherited in list(item) {
        let is_same =
            |own: &&Value| own["name"] == inherited["name"] && own["in"] == inherited["in"];
        if !declared.iter().any(is_same) {
            declared.push(inherited);
        }
    }
    declared
}
