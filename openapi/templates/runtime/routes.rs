//! Registers operations grouped by path, so that a known path answers any method.

use std::collections::BTreeMap;
use std::future::ready;

use actix_web::{HttpRequest, HttpResponse, Route, web};

use super::Operation;

/// The routes of one spec, by path and method.
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

    /// Registers every path. `refuse` answers a method that the path does not have, with the
    /// value of the `Allow` header.
    pub fn register<F>(self, cfg: &mut web::ServiceConfig, refuse: F)
    where
        F: Fn(&HttpRequest, String) -> HttpResponse + Clone + 'static,
    {
        for (path, methods) in self.0 {
            let allow = methods.keys().copied().collect::<Vec<_>>().join(", ");
            let refuse = refuse.clone();
            let refusal = move |request: HttpRequest| ready(refuse(&request, allow.clone()));
            let mut resource = web::resource(path).default_service(web::to(refusal));
            for (method, route) in methods {
                let method = method
                    .parse()
                    .expect("build.rs admits standard methods only");
                resource = resource.route(route.method(method));
            }
            cfg.service(resource);
        }
    }
}
