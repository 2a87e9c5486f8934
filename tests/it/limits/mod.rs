//! Rate limits: the refused requests, their messages and the time to wait.

mod addresses;
mod changes;
mod documented;
mod failures;
mod requests;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::http::Method;
use quietline::clock::Clock;
use quietline::limits::{LimitSettings, Limits};
use serde_json::json;

use crate::support::TestApp;
use crate::support::app::now;
use crate::support::response::Response;

const ORGANIZATION: &str = "/v1/organization";

/// Server with rate limits, and its clock.
struct Limited {
    app: TestApp,
    millis: Arc<AtomicU64>,
}

impl Limited {
    async fn new(settings: LimitSettings) -> Self {
        let millis = Arc::new(AtomicU64::new(0));
        let clock = Clock::Moved(now(), millis.clone());
        let app = TestApp::with(|state| {
            state.limits = Limits::new(settings, &clock);
            state.clock = clock;
        });
        Self {
            app: app.await,
            millis,
        }
    }

    /// Moves the clock forward.
    fn advance(&self, millis: u64) {
        self.millis.fetch_add(millis, Ordering::Relaxed);
    }

    /// Sends GET of the organization with an API key.
    async fn read(&self, key: &str) -> Response {
        self.app.get(ORGANIZATION, key).await
    }

    /// Sends GET of the missed-call message with a token.
    async fn read_message(&self, token: &str) -> Response {
        self.app.get(&self.app.missed_call_path(), token).await
    }

    /// Sends GET of the organization with an API key over a connection from `address`.
    async fn read_from(&self, address: &str, key: &str) -> Response {
        let request = self.app.request(Method::GET, ORGANIZATION).bearer(key);
        request.from(address).send().await
    }
}

fn per_minute(quota: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(quota)
}

/// Returns the two header fields of the rate-limit draft, `RateLimit-Policy` first.
fn limit_fields(response: &Response) -> [&str; 2] {
    ["ratelimit-policy", "ratelimit"].map(|name| response.header(name))
}

/// Asserts a refusal by the limit `policy` for so many seconds, in the envelope of its dialect.
fn assert_refused(response: &Response, (policy, quota): (&str, u32), seconds: u64) {
    assert_eq!(response.status, 429, "{response:?}");
    assert_eq!(response.header("retry-after"), seconds.to_string());
    let expected = [
        format!("\"{policy}\";q={quota};w=60"),
        format!("\"{policy}\";r=0;t={seconds}"),
    ];
    assert_eq!(limit_fields(response), expected);
    let request_id = response.header("x-request-id");
    let bodies = [
        json!({
            "success": false,
            "error": {"code": "RATE_LIMITED", "message": "rate limited", "request_id": request_id},
        }),
        json!({
            "error": "Too many requests",
            "details": "Retry after the number of seconds in the Retry-After header",
        }),
    ];
    assert!(bodies.contains(&response.json()), "{response:?}");
}
