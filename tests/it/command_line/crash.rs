//! A server that is killed in the middle of its work. Goal: what was acknowledged is there, and
//! nothing is there by half. Method: four connections write until the process is killed.

use rustix::process::Signal;

use super::acknowledged::{Acknowledged, check};
use super::program::Program;

/// Acknowledged writes after which the server is killed.
const WRITES: usize = 200;

#[test]
fn kill_9_loses_no_acknowledged_write_and_leaves_no_half_of_one() {
    let program = Program::new();
    let org = program.organization("One");
    let (_, key) = program.key(&org, "org:admin:write");
    let acknowledged = Acknowledged::default();
    for round in 1..=2 {
        let server = program.serve();
        let address = server.address.clone();
        std::thread::scope(|scope| {
            // Whatever happens here, the writers end when it does.
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
