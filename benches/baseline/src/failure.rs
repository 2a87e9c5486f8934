//! Errors of requests and their responses. The Tether API has its own envelope for errors, which no
//! workload measures, so one envelope serves both APIs.

use actix_web::http::StatusCode;
use actix_web::http::header::WWW_AUTHENTICATE;
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;
use ulid::Ulid;

use crate::model::Faults;

#[derive(Debug)]
pub enum Failure {
    Unauthorized,
    Forbidden,
    NotFound,
    Malformed,
    Invalid(Faults),
    Internal(String),
}

impl From<diesel::result::Error> for Failure {
    fn from(error: diesel::result::Error) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<diesel::r2d2::PoolError> for Failure {
    fn from(error: diesel::r2d2::PoolError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<actix_web::error::BlockingError> for Failure {
    fn from(error: actix_web::error::BlockingError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl ResponseError for Failure {
    fn error_response(&self) -> HttpResponse {
        let (status, code, message) = match self {
            Self::Unauthorized => (401, "UNAUTHORIZED", "authentication failed"),
            Self::Forbidden => (403, "FORBIDDEN", "missing required scope"),
            Self::NotFound => (404, "NOT_FOUND", "not found"),
            Self::Malformed => (400, "INVALID_INPUT", "request body is not valid"),
            Self::Invalid(_) => (422, "VALIDATION_FAILED", "validation failed"),
            Self::Internal(_) => (500, "INTERNAL", "internal error"),
        };
        let request_id = Ulid::generate().to_string();
        let mut error = json!({ "code": code, "message": message, "request_id": request_id });
        if let Self::Invalid(faults) = self {
            error["details"] = json!(faults);
        }
        if let Self::Internal(cause) = self {
            eprintln!("request_id={request_id} failed: {cause}");
        }
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        response.insert_header(("X-Request-Id", request_id));
        if status == StatusCode::UNAUTHORIZED {
            response.insert_header((WWW_AUTHENTICATE, "Bearer"));
        }
        response.json(json!({ "success": false, "error": error }))
    }
}
