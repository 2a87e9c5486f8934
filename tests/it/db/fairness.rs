//! Turns between callers: the flood of one tenant leaves a neighbour's turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{join, join_all};
use quietline::db::{Db, DbConn, Lane};
use quietline::domain::api_key::PlaintextApiKey;
use quietline::domain::ids::{OrgId, OrganizationRef};

use crate::support::TestApp;

fn new_lane() -> Lane {
    Lane::of(&OrganizationRef::Id(OrgId::generate()))
}

/// Work that takes a while and is counted.
fn slow(done: Arc<AtomicUsize>) -> impl Fn(&mut DbConn) -> quietline::error::Result<()> {
    move |_| {
        std::thread::sleep(Duration::from_millis(2));
        done.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// Returns the number of pieces of work of a flood that are done before a neighbour's.
async fn done_before<F>(run: impl Fn(Db, Lane, Arc<AtomicUsize>) -> F, db: &Db) -> usize
where
    F: Future<Output = bool>,
{
    let done = Arc::new(AtomicUsize::new(0));
    let flood_lane = new_lane();
    let mut flood: Vec<_> = (0..500)
        .map(|_| run(db.clone(), flood_lane, Arc::clone(&done)).boxed_local())
        .collect();
    // All of the flood waits before the neighbour arrives.
    for one in &mut flood {
        assert!(one.now_or_never().is_none());
    }
    let neighbour = async {
        assert!(run(db.clone(), new_lane(), Arc::clone(&done)).await);
        done.load(Ordering::SeqCst)
    };
    join(neighbour, join_all(flood)).await.0
}

#[actix_web::test]
async fn a_flood_of_writes_leaves_a_neighbour_s_turn() {
    let app = TestApp::new().await;
    let write = |db: Db, lane, done| async move { db.write(lane, slow(done)).await.is_ok() };
    // A batch of SQLite that was begun before is 64 writes, and so is the neighbour's own.
    let before = done_before(write, &app.state.db).await;
    assert!(before <= 2 * 64 + 1, "{before} writes came first");
}

#[actix_web::test]
async fn a_flood_of_lists_leaves_a_neighbour_s_turn() {
    let app = TestApp::new().await;
    let read = |db: Db, lane, done| async move { db.read_list(lane, slow(done)).await.is_ok() };
    let before = done_before(read, &app.state.db).await;
    assert!(before <= 20, "{before} lists came first");
}

#[actix_web::test]
async fn a_flood_of_unknown_keys_of_one_network_leaves_a_neighbour_s_turn() {
    let app = TestApp::new().await;
    let newcomers = Lane::of_network(&"192.0.2.0/24".parse().expect("a network"));
    let done = AtomicUsize::new(0);
    let mut flood: Vec<_> = (0..500)
        .map(|_| {
            let find = app
                .state
                .keys
                .find(PlaintextApiKey::generate().hash(), newcomers);
            find.inspect(|_| _ = done.fetch_add(1, Ordering::SeqCst))
                .boxed_local()
        })
        .collect();
    // SQLite finds them at once, on the thread of the request.
    flood.retain_mut(|one| one.now_or_never().is_none());
    let found_at_once = 500 - flood.len();
    let neighbour = async {
        let read = app.state.db.read(new_lane(), |_| Ok(())).await;
        assert!(read.is_ok());
        done.load(Ordering::SeqCst)
    };
    let (before, _) = join(neighbour, join_all(flood)).await;
    // Those that hold a connection, and those that end while the neighbour's work begins.
    assert!(before <= found_at_once + 100, "{before} lookups came first");
}
