//! Registers operations by path, so that a known path responds to every method.

use std::collections::BTreeMap;
use std::future::ready;

use actix_web::guard::fn_guard;
use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::{HttpRequest, HttpResponse, Route, web};

use super::Operation;

/// Routes of one spec, by path and method.
#[derive(Default)]
pub struct Routes(BTreeMap<&'static str, BTreeMap<&'static str, Route>>);

impl Routes {
    /// Adds the route that serves `operation`.
    pub fn add(&mut self, operation: &'static Operation, route: Route) {
        self.0
            .entry(operation.path)
            .or_default()
            .insert(operation.method, route);
    }

    /// Registers every path. HEAD is served as GET without a body (RFC 9110, section 9.3.2), and
    /// OPTIONS lists the methods of the spec. Other methods get the response of `refuse`, which
    /// takes the value of `Allow`.
    pub fn register<F>(self, cfg: &mut web::ServiceConfig, refuse: F)
    where
        F: Fn(&HttpRequest, String) -> HttpResponse + Clone + 'static,
    {
        // Paths without parameters first, because the router tries one path after the other, and
        // comparing text is faster than matching a pattern.
        let mut paths: Vec<_> = self.0.into_iter().collect();
        paths.sort_by_key(|(path, _)| path.contains('{'));
        for (path, methods) in paths {
            let allow = methods.keys().copied().collect::<Vec<_>>().join(", ");
            let declared = allow.clone();
            let options = move || ready(no_content(&declared));
            let refuse = refuse.clone();
            let refusal = move |request: HttpRequest| ready(refuse(&request, allow.clone()));
            // Otherwise actix-web would respond 405 without the envelope of the dialect.
            let mut resource = web::resource(path).default_service(web::to(refusal));
            for (method, route) in methods {
                resource = resource.route(guarded(route, method));
            }
            cfg.service(resource.route(web::method(Method::OPTIONS).to(options)));
        }
    }
}

/// Restricts `route` to requests with `method`.
fn guarded(route: Route, method: &str) -> Route {
    match method {
        "GET" => route.guard(fn_guard(|request| {
            matches!(request.head().method, Method::GET | Method::HEAD)
        })),
        other => route.method(
            other
                .parse()
                .expect("codegen/ admits standard methods only"),
        ),
    }
}

fn no_content(allow: &str) -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((ALLOW, allow))
        .finish()
}
