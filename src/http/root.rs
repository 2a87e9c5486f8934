//! `/`: redirects a browser to the docs page and describes the server to a program. Not here: the
//! docs page itself and the documents.

use actix_web::http::header::{Accept, Header, LOCATION, Quality, VARY};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::read_only;

/// Description of the server, with links.
#[derive(Serialize)]
struct Root {
    name: &'static str,
    version: &'static str,
    description: &'static str,
    links: Links,
}

/// Links relative to `/`, so that they also hold behind a proxy's path prefix.
#[derive(Serialize)]
struct Links {
    #[serde(flatten)]
    docs: Option<DocsLinks>,
    healthz: &'static str,
    readyz: &'static str,
}

/// Links that exist only while the docs are served.
#[derive(Serialize)]
struct DocsLinks {
    docs: &'static str,
    openapi: [&'static str; 2],
}

const DOCS: DocsLinks = DocsLinks {
    docs: "docs/",
    openapi: ["openapi/agentmessage.json", "openapi/tether-relay.json"],
};

/// Registers `/`, with links to the docs if they are served.
pub(super) fn configure(cfg: &mut web::ServiceConfig, has_docs: bool) {
    let serve = move |request: HttpRequest| async move { root(&request, has_docs) };
    cfg.service(read_only::resource("/", serve));
}

fn root(request: &HttpRequest, has_docs: bool) -> HttpResponse {
    // Temporary, because browsers would cache a permanent redirect even after the docs are off.
    if has_docs && prefers_html(request) {
        return HttpResponse::TemporaryRedirect()
            .insert_header((LOCATION, DOCS.docs))
            .insert_header((VARY, "Accept"))
            .finish();
    }
    HttpResponse::Ok()
        .insert_header((VARY, "Accept"))
        .json(Root {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            description: env!("CARGO_PKG_DESCRIPTION"),
            links: Links {
                docs: has_docs.then_some(DOCS),
                healthz: "healthz",
                readyz: "readyz",
            },
        })
}

/// Returns whether HTML is accepted by name and preferred to JSON.
///
/// Browsers name `text/html`. Wildcards do not count, because `*/*` is what programs send.
fn prefers_html(request: &HttpRequest) -> bool {
    let Ok(accept) = Accept::parse(request) else {
        return false;
    };
    let quality = |name: &str| {
        let named = accept.iter().filter(|item| item.item.essence_str() == name);
        named.map(|item| item.quality).max().unwrap_or(Quality::MIN)
    };
    quality("text/html") > quality("application/json")
}
