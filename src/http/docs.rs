//! `/openapi/…` and `/docs`: both documents for programs, and Swagger UI over them for people.
//!
//! All pages are made once, before the server starts, and are served from memory. Not here: the
//! content of the documents, which is the specs' own JSON.

use std::borrow::Cow;
use std::future::ready;
use std::sync::Arc;

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ETAG, EntityTag, Header, IF_MATCH,
    IfMatch, IfNoneMatch, LOCATION,
};
use actix_web::{HttpRequest, HttpResponse, web};
use quietline_api::{agentmessage, tether_relay};
use sha2::{Digest, Sha256};
use utoipa::openapi::OpenApi;

use crate::error::{BoxError, Error, Precondition};
use crate::handlers::agentmessage::envelope;

use super::read_only;

/// Policy that lets the page run its own scripts and call its own server. Swagger UI draws its
/// icons from `data:`, and the hash is the hash of its only style element.
const POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// Files of Swagger UI that the page uses.
const SWAGGER_UI: [(&str, &str); 5] = [
    ("favicon-32x32.png", "image/png"),
    ("index.css", "text/css; charset=utf-8"),
    ("swagger-ui-bundle.js", SCRIPT),
    ("swagger-ui-standalone-preset.js", SCRIPT),
    ("swagger-ui.css", "text/css; charset=utf-8"),
];
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Constant response.
struct Page {
    path: String,
    content_type: &'static str,
    is_gzip: bool,
    bytes: web::Bytes,
    entity_tag: EntityTag,
}

/// Pages of `/openapi` and `/docs`.
#[derive(Clone)]
pub struct Docs(Vec<Arc<Page>>);

/// Failure to make a page.
#[derive(Debug, thiserror::Error)]
#[error("{page} cannot be served")]
pub struct DocsError {
    page: String,
    #[source]
    cause: BoxError,
}

impl Docs {
    /// Makes all pages.
    ///
    /// # Errors
    /// [`DocsError`] for a spec that utoipa cannot read as an OpenAPI document.
    pub fn load() -> Result<Self, DocsError> {
        let mut pages = Vec::new();
        pages.extend(document("agentmessage", agentmessage::SPEC_JSON)?);
        pages.extend(document("tether-relay", tether_relay::SPEC_JSON)?);
        let index = &include_bytes!("docs/index.html")[..];
        let initializer = &include_bytes!("docs/initializer.js")[..];
        pages.push(page("/docs/", "text/html; charset=utf-8", index));
        pages.push(page("/docs/initializer.js", SCRIPT, initializer));
        for (name, content_type) in SWAGGER_UI {
            pages.push(swagger_ui(name, content_type)?);
        }
        Ok(Self(pages.into_iter().map(Arc::new).collect()))
    }

    pub(super) fn configure(self, cfg: &mut web::ServiceConfig) {
        for page in self.0 {
            let path = page.path.clone();
            let serve = move |request: HttpRequest| ready(respond(&page, &request));
            cfg.service(read_only::resource(&path, serve));
        }
        cfg.service(read_only::resource("/docs", to_index));
    }
}

fn respond(page: &Page, request: &HttpRequest) -> HttpResponse {
    if is_other_version(page, request) {
        return envelope::render(request, Error::PreconditionFailed(Precondition::IfMatch));
    }
    let is_cached = is_cached(page, request);
    let mut response = if is_cached {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response
        .insert_header((ETAG, page.entity_tag.to_string()))
        // Caches must ask each time, so that a page never describes an older server.
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY));
    if is_cached {
        return response.finish();
    }
    if page.is_gzip {
        // Regardless of `Accept-Encoding`, because the files are kept compressed only.
        response.insert_header((CONTENT_ENCODING, "gzip"));
    }
    response
        .content_type(page.content_type)
        .body(page.bytes.clone())
}

/// Returns whether `If-Match` demands another version than this (RFC 9110, section 13.1.1).
fn is_other_version(page: &Page, request: &HttpRequest) -> bool {
    request.headers().contains_key(IF_MATCH)
        && match IfMatch::parse(request) {
            Ok(IfMatch::Any) => false,
            Ok(IfMatch::Items(tags)) => !tags.iter().any(|tag| tag.strong_eq(&page.entity_tag)),
            Err(_) => true,
        }
}

/// Returns whether the client has cached this version of the page.
fn is_cached(page: &Page, request: &HttpRequest) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(&page.entity_tag)),
        Err(_) => false,
    }
}

/// Redirects to the slash, so that the page's relative addresses are right, behind a proxy's prefix
/// as well.
async fn to_index() -> HttpResponse {
    HttpResponse::TemporaryRedirect()
        .insert_header((LOCATION, "docs/"))
        .finish()
}

/// Returns a document as JSON and as YAML. Serves the text itself, because utoipa's model lacks
/// `info.summary`, `required` of a header and an `example` that is null.
fn document(name: &str, json: &'static str) -> Result<[Page; 2], DocsError> {
    let path = format!("/openapi/{name}");
    let failed = |cause: BoxError| DocsError {
        page: format!("{path}.json"),
        cause,
    };
    serde_json::from_str::<OpenApi>(json).map_err(|error| failed(error.into()))?;
    // Transcoded instead of parsed, so that keys keep the order of the spec.
    let mut source = serde_json::Deserializer::from_str(json);
    let yaml = serde_saphyr::to_string(&serde_transcode::Transcoder::new(&mut source))
        .map_err(|error| failed(error.into()))?;
    Ok([
        page(&format!("{path}.json"), "application/json", json),
        page(&format!("{path}.yaml"), "application/yaml", yaml),
    ])
}

fn swagger_ui(name: &str, content_type: &'static str) -> Result<Page, DocsError> {
    let path = format!("/docs/{name}");
    let found = utoipa_swagger_ui::serve(name, Arc::default()).map_err(|error| error.to_string());
    let file = found.and_then(|file| file.ok_or_else(|| "no such file".to_owned()));
    let file = file.map_err(|cause| DocsError {
        page: path.clone(),
        cause: cause.into(),
    })?;
    let bytes = match file.bytes {
        Cow::Borrowed(bytes) => web::Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    Ok(Page {
        is_gzip: file.gzpipped,
        ..page(&path, content_type, bytes)
    })
}

fn page(path: &str, content_type: &'static str, bytes: impl Into<web::Bytes>) -> Page {
    let bytes = bytes.into();
    // A hash instead of a version, because the pages of a development build change without one.
    let digest = Sha256::digest(&bytes);
    let tag = hex::encode(&digest[..16]);
    Page {
        path: path.to_owned(),
        content_type,
        is_gzip: false,
        bytes,
        entity_tag: EntityTag::new_strong(tag),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_is_not_openapi_is_an_error_with_its_name_and_cause() {
        for text in [
            "{",
            r#"{"openapi": "3.0.3", "info": {"title": "A", "version": "1"}, "paths": {}}"#,
            r#"{"openapi": "3.1.0", "info": {"title": "A"}, "paths": {}}"#,
            r#"{"openapi": "3.1.0", "info": {"title": "A", "version": "1"}, "paths": 5}"#,
        ] {
            let Err(error) = document("a", text) else {
                panic!("{text} was accepted");
            };
            assert_eq!(error.to_string(), "/openapi/a.json cannot be served");
            assert!(!error.cause.to_string().is_empty());
        }
    }

    #[test]
    fn keys_keep_the_order_of_the_spec_in_both_forms() {
        let text = r#"{"openapi": "3.1.0", "info": {"version": "1", "title": "A"}, "paths": {}}"#;
        let pages = document("a", text).expect("a document");
        for page in &pages {
            let text = std::str::from_utf8(&page.bytes).expect("UTF-8");
            let position = |key: &str| text.find(key).expect("a key of the document");
            let keys = ["openapi", "version", "title", "paths"].map(position);
            assert!(keys.is_sorted(), "{text}");
        }
    }
}
