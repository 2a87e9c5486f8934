//! Isolation of organizations. Goal: random calls by 50 credentials of 10 organizations read and
//! write nothing across organizations, whatever ids they name, guess or repeat. Method: every text
//! that an organization stores contains a marker. A model of each organization is built only from
//! the requests and responses of its own callers. Each response is checked against the model when
//! it arrives, and all rows of the database at the end.
//!
//! The calls of one organization are sequential, so that the model is exact. Different
//! organizations call concurrently. Superadmins are left out, because they may act on every
//! organization. `ISOLATION_CALLS` sets the number of calls, `ISOLATION_SEED` the seed.

mod bodies;
mod calls;
mod dice;
mod responses;
mod rows;
mod tenant;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use actix_web::http::Method;
use quietline::clock::Clock;

use crate::db::parallel::in_parallel;
use crate::support::TestApp;
use crate::support::app::{now, state_with_clock};
use crate::support::request::TestServer;
use crate::support::response::Response;

pub use rows::COLUMNS;

use calls::{Call, Target, operations};
use dice::Dice;
use responses::check;
use tenant::{Names, ORGANIZATIONS, Tenant};

/// Number of concurrent clients. Each calls for some of the organizations.
const WORKERS: usize = 5;

/// Shorter runs may miss some kinds of calls.
const ENOUGH_CALLS: usize = 3_000;

/// Longest time between two calls of a worker, in milliseconds. Some runs exceed ten keys a minute.
const STEP_MS: usize = 1_500;

/// Number of calls between jumps of one hour, which let idempotency records expire.
const JUMP: usize = 200;

#[expect(clippy::disallowed_methods, reason = "how thorough this test is")]
fn setting(name: &str, default: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name}={text}"))
    })
}

/// Prints how to reproduce a failure.
struct Trace {
    seed: u64,
    calls: usize,
    place: String,
}

impl Drop for Trace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { seed, calls, place } = self;
            eprintln!("ISOLATION_SEED={seed} ISOLATION_CALLS={calls}: {place}");
        }
    }
}

/// Number of successful calls of each operation, and of calls that target another organization.
type Tally = BTreeMap<&'static str, [usize; 2]>;

/// Client that calls for some organizations, each on its own server with its own clock.
struct Worker<'a> {
    app: &'a TestApp,
    names: &'a [Names],
    server: TestServer,
    millis: Arc<AtomicU64>,
    dice: Dice,
    tally: Tally,
}

impl<'a> Worker<'a> {
    async fn start(app: &'a TestApp, names: &'a [Names], seed: u64) -> Self {
        let millis = Arc::<AtomicU64>::default();
        let clock = Clock::Moved(now(), millis.clone());
        let state = state_with_clock(app.state.db.clone(), clock);
        Self {
            app,
            names,
            server: TestServer::start(state).await,
            millis,
            dice: Dice::new(seed),
            tally: Tally::new(),
        }
    }

    /// Sends one call of a caller of `own`.
    async fn call(&mut self, own: &mut Tenant, trace: &mut Trace) {
        let jump = if self.dice.below(JUMP) == 0 {
            3_600_000
        } else {
            0
        };
        let step = u64::try_from(self.dice.below(STEP_MS) + jump).unwrap();
        self.millis.fetch_add(step, Ordering::Relaxed);
        let call = calls::random(&mut self.dice, own, self.names);
        trace.place = format!("organization {}: {call:?}", own.number);
        let response = self.send(&call).await;
        let known = own.keys.len();
        check(own, &call, &response);
        let mut shown = self.names[own.number].known.lock().unwrap();
        shown
            .key_ids
            .extend(own.keys[known..].iter().map(|key| key.id.clone()));
        shown.pages.clone_from(&own.pages);
        let [succeeded, foreign] = self.tally.entry(call.operation.id).or_default();
        *succeeded += usize::from(response.status < 400);
        *foreign += usize::from(call.target != Target::Own);
    }

    async fn send(&self, call: &Call) -> Response {
        let method: Method = call.operation.method.parse().unwrap();
        let mut request = self
            .app
            .request(method, &call.path)
            .bearer(&call.caller.token);
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        if let Some(body) = &call.body {
            request = request.body("application/json", body.clone());
        }
        request.send_to(&self.server).await
    }
}

#[actix_web::test]
async fn no_call_reads_or_writes_across_organizations() {
    let calls = usize::try_from(setting("ISOLATION_CALLS", 3_000)).unwrap();
    let seed = setting("ISOLATION_SEED", 20_261_121);
    eprintln!("ISOLATION_SEED={seed} ISOLATION_CALLS={calls}");
    let app = TestApp::new().await;
    let mut teams: Vec<Vec<Tenant>> = (0..WORKERS).map(|_| Vec::new()).collect();
    let mut names = Vec::new();
    for number in 0..ORGANIZATIONS {
        let tenant = Tenant::create(&app, number).await;
        names.push(tenant.names());
        teams[number % WORKERS].push(tenant);
    }
    let teams = Mutex::new(teams);
    let results = in_parallel(WORKERS, async |number| {
        let mut tenants = std::mem::take(&mut teams.lock().unwrap()[number]);
        let own_seed = seed
            .wrapping_mul(1_000)
            .wrapping_add(u64::try_from(number).unwrap());
        let mut worker = Worker::start(&app, &names, own_seed).await;
        let place = String::new();
        let mut trace = Trace { seed, calls, place };
        for call in 0..calls / WORKERS {
            let own = call % tenants.len();
            worker.call(&mut tenants[own], &mut trace).await;
        }
        (tenants, worker.tally)
    });
    let place = "the rows in the end".to_owned();
    let _trace = Trace { seed, calls, place };
    let (tenants, tallies): (Vec<_>, Vec<_>) = results.into_iter().unzip();
    let tenants: Vec<Tenant> = tenants.into_iter().flatten().collect();
    rows::check(&app, &tenants).await;
    if calls >= ENOUGH_CALLS {
        check_tally(&tallies);
    }
}

/// Asserts that operations succeeded and that calls targeted other organizations. Otherwise the run
/// would prove nothing.
fn check_tally(tallies: &[Tally]) {
    for operation in operations() {
        let of_it = || tallies.iter().filter_map(|tally| tally.get(operation.id));
        let succeeded: usize = of_it().map(|[succeeded, _]| succeeded).sum();
        let foreign: usize = of_it().map(|[_, foreign]| foreign).sum();
        let can_name_others = operation.path.contains('{') || operation.id.starts_with("list");
        assert!(succeeded > 0, "{} never succeeded", operation.id);
        assert_eq!(
            foreign > 0,
            can_name_others,
            "{}: calls that target another organization",
            operation.id
        );
    }
}
