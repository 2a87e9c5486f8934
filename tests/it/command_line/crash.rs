//! Server that is killed under load. Goal: every acknowledged write is stored, and no write is
//! stored in part. Method: four connections write until the process is killed.

use rustix::process::Signal;

use super::acknowledged::{Acknowledged, check};
use super::program::Program;

/// Number of acknowledged writes after which the server is killed.
const WRITES: usize = 200;

#[test]
fn kill_9_loses_no_acknowledged_write_and_leaves_no_partial_write() {
    let program = Program::new();
    let org = program.organization("One");
    let (_, key) = program.key(&org, "org:admin:write");
    let acknowledged = Acknowledged::default();
    for round in 1..=2 {
        let server = program.serve();
        let address = server.address.clone();
        std::thread::scope(|scope| {
            // Owned by the scope: a failed assertion then kills the server, and the writers stop.
            let server = server;
            let (address, key, acknowledged) = (&address, &key, &acknowledged);
            for writer in 0..4 {
                let writer = format!("{round}.{writer}");
                scope.spawn(move || acknowledged.write(address, key, &writer));
            }
            acknowledged.wait_for_more(WRITES);
            server.signal(Signal::KILL);
        });
        check(&program, &org, &acknowledged.names());
    }
}
