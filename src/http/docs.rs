//! `/openapi/…` and `/docs`: both documents for programs, and Swagger UI over them for people.
//!
//! Everything is made once and served from memory; nothing of it asks another server for anything.
//! Not here: what the documents say, which the generated code does.

mod ordered;

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ETAG, EntityTag, Header, IfNoneMatch,
    LOCATION, REFERRER_POLICY,
};
use actix_web::{HttpRequest, HttpResponse, web};
use quietline_api::{agentmessage, tether_relay};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::read_only;

use ordered::Ordered;

/// The page runs its own scripts and talks to its own server; Swagger UI draws its icons from
/// `data:`, and the hash is that of the one style element that it makes.
const POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// The files of Swagger UI that the page uses.
const SWAGGER_UI: [(&str, &str); 5] = [
    ("favicon-32x32.png", "image/png"),
    ("index.css", "text/css; charset=utf-8"),
    ("swagger-ui-bundle.js", SCRIPT),
    ("swagger-ui-standalone-preset.js", SCRIPT),
    ("swagger-ui.css", "text/css; charset=utf-8"),
];
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Something that is served as it is.
struct Page {
    path: String,
    content_type: &'static str,
    is_gzip: bool,
    bytes: web::Bytes,
    entity_tag: EntityTag,
}

static PAGES: LazyLock<Vec<Page>> = LazyLock::new(|| {
    let mut pages = Vec::new();
    pages.extend(document(
        "agentmessage",
        &agentmessage::document::document(),
    ));
    pages.extend(document(
        "tether-relay",
        &tether_relay::document::document(),
    ));
    let (index, initializer) = (
        include_bytes!("docs/index.html"),
        include_bytes!("docs/initializer.js"),
    );
    pages.push(page("/docs/", "text/html; charset=utf-8", &index[..]));
    pages.push(page("/docs/initializer.js", SCRIPT, &initializer[..]));
    pages.extend(SWAGGER_UI.map(|(name, content_type)| swagger_ui(name, content_type)));
    pages
});

/// Registers all of it. The documents are made on the first call only.
pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    for page in PAGES.iter() {
        let serve = move |request: HttpRequest| async move { answer(page, &request) };
        cfg.service(read_only::resource(&page.path, serve));
    }
    cfg.service(read_only::resource("/docs", to_index));
}

fn answer(page: &'static Page, request: &HttpRequest) -> HttpResponse {
    let mut response = match is_known(page, request) {
        true => HttpResponse::NotModified(),
        false => HttpResponse::Ok(),
    };
    response
        .insert_header((ETAG, page.entity_tag.to_string()))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((REFERRER_POLICY, "no-referrer"));
    if is_known(page, request) {
        return response.finish();
    }
    if page.is_gzip {
        // Also for those who do not ask for it: the files are kept compressed only.
        response.insert_header((CONTENT_ENCODING, "gzip"));
    }
    response
        .content_type(page.content_type)
        .body(page.bytes.clone())
}

/// Whether the client already has this version of the page.
fn is_known(page: &Page, request: &HttpRequest) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(&page.entity_tag)),
        Err(_) => false,
    }
}

/// With the slash the page's relative addresses are right, behind a proxy's prefix as well.
async fn to_index() -> HttpResponse {
    HttpResponse::TemporaryRedirect()
        .insert_header((LOCATION, "docs/"))
        .finish()
}

/// A document in both forms.
fn document(name: &str, document: &impl Serialize) -> [Page; 2] {
    let document = Ordered::new(document);
    let json = serde_json::to_string(&document).expect("a document is JSON");
    let yaml = serde_saphyr::to_string(&document).expect("JSON can be written as YAML");
    let path = format!("/openapi/{name}");
    [
        page(&format!("{path}.json"), "application/json", json),
        page(&format!("{path}.yaml"), "application/yaml", yaml),
    ]
}

fn swagger_ui(name: &str, content_type: &'static str) -> Page {
    let file = utoipa_swagger_ui::serve(name, Arc::default())
        .ok()
        .flatten()
        .expect("a file of Swagger UI");
    let bytes = match file.bytes {
        Cow::Borrowed(bytes) => web::Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    Page {
        is_gzip: file.gzpipped,
        ..page(&format!("/docs/{name}"), content_type, bytes)
    }
}

fn page(path: &str, content_type: &'static str, bytes: impl Into<web::Bytes>) -> Page {
    let bytes = bytes.into();
    let digest = Sha256::digest(&bytes);
    let tag = digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Page {
        path: path.to_owned(),
        content_type,
        is_gzip: false,
        bytes,
        entity_tag: EntityTag::new_strong(tag),
    }
}
