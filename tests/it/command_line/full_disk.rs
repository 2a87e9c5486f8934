//! Server on a full disk. Goal: writes are refused with 503 and acknowledged writes stay. Method:
//! the system calls of the real server fail as on a disk without space.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::acknowledged::{check, rename};
use super::faulty_disk::FaultyDisk;
use super::http_client::{Connection, Response};
use super::program::{Program, Server};

const ORGANIZATION: &str = "/v1/organization";

/// Bytes by which the files can grow.
const SPACE: u64 = 2 * 1024 * 1024;

/// More changes than the limit has space for.
const MANY: usize = 10_000;

/// Writes that fail because only the WAL is full succeed again after the next WAL reset. If none
/// succeeds for this long, the database file itself is full.
const FULL_AFTER: Duration = Duration::from_secs(1);

/// Server whose disk is full, with the changes that it has acknowledged.
struct Full {
    program: Program,
    org: String,
    key: String,
    disk: FaultyDisk,
    server: Server,
    names: Vec<String>,
}

impl Full {
    fn new() -> Self {
        let program = Program::on_sqlite();
        let org = program.organization("One");
        let (_, key) = program.key(&org, "org:read,org:admin:write");
        let disk = FaultyDisk::of(&program);
        let server = disk.serve(&program);
        disk.limit_growth(SPACE);
        let names = fill(&mut server.connect(), &key);
        Self {
            program,
            org,
            key,
            disk,
            server,
            names,
        }
    }
}

/// Writes until the server accepts no more changes. Returns the acknowledged names.
pub fn fill(connection: &mut Connection, key: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut accepted = Instant::now();
    for number in 0..MANY {
        let name = format!("Name {number}");
        let response = rename(connection, key, &name).unwrap();
        if response.status == 200 {
            names.push(name);
            accepted = Instant::now();
            continue;
        }
        assert_unavailable(&response);
        if accepted.elapsed() > FULL_AFTER {
            return names;
        }
        // Give the server time for a WAL reset.
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("the limit has space for {MANY} changes");
}

fn assert_unavailable(response: &Response) {
    assert_eq!(response.status, 503, "{response:?}");
    assert_eq!(response.header("retry-after"), Some("1"));
    let body = response.json();
    assert_eq!(body["success"], false);
    assert_eq!(body["error"]["code"], "UNAVAILABLE");
    let id = response.header("x-request-id").unwrap();
    assert_eq!(body["error"]["request_id"], id);
}

#[test]
fn on_a_full_disk_writes_are_refused_reads_continue_and_acknowledged_writes_stay() {
    let full = Full::new();
    assert!(!full.names.is_empty());
    let mut connection = full.server.connect();
    let shown = connection.get(ORGANIZATION, &full.key);
    assert_eq!(shown.status, 200, "{shown:?}");
    let name = shown.json()["data"]["name"].take();
    assert_eq!(name, *full.names.last().unwrap());
    full.server.signal(Signal::TERM);
    let (status, _) = full.server.wait();
    assert_eq!(status.code(), Some(0));
    let recorded = check(&full.program, &full.org, &full.names);
    assert_eq!(recorded, full.names.len(), "refused writes leave no entry");
    let server = full.program.serve();
    let after = rename(&mut server.connect(), &full.key, "After").unwrap();
    assert_eq!(after.status, 200, "{after:?}");
}

#[test]
fn writes_are_accepted_without_a_restart_once_there_is_space_again() {
    let mut full = Full::new();
    full.disk.repair("space");
    for name in ["After", "And after that"] {
        let renamed = rename(&mut full.server.connect(), &full.key, name).unwrap();
        assert_eq!(renamed.status, 200, "{renamed:?}");
        full.names.push(name.to_owned());
    }
    let recorded = check(&full.program, &full.org, &full.names);
    assert_eq!(recorded, full.names.len());
}
