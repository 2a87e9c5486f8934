//! A disk without room. Goal: who writes is told to come again, and what was acknowledged stays.
//! Method: the system lets the server's files grow to a size and no further.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::acknowledged::{check, rename};
use super::http_client::{Answer, Connection};
use super::program::{BINARY, Program, Server};

const ORGANIZATION: &str = "/v1/organization";

/// Without the signal, a write beyond the limit is an error like any other. The limit is one or two
/// MiB, by the shell's idea of a block; it is the soft one, which may be raised again.
const SERVE_WITH_LIMIT: &str =
    "trap '' XFSZ; ulimit -S -f 2048; exec \"$0\" serve --listen 127.0.0.1:0";

/// More changes than the limit has room for.
const MANY: usize = 10_000;

/// When the write-ahead log alone has no more room, it is soon started again, and changes go on. If
/// none is accepted for so long, the database itself has none.
const NO_ROOM: Duration = Duration::from_secs(1);

/// A server whose files have no more room, after the changes that it has acknowledged.
struct Full {
    program: Program,
    org: String,
    key: String,
    server: Server,
    names: Vec<String>,
}

impl Full {
    fn new() -> Self {
        let program = Program::on_sqlite();
        let org = program.organization("One");
        let (_, key) = program.key(&org, "org:read,org:admin:write");
        let shell = program.other_command("/bin/sh", &["-c", SERVE_WITH_LIMIT, BINARY]);
        let server = program.start(shell);
        let names = fill(&mut server.connect(), &key);
        Self {
            program,
            org,
            key,
            server,
            names,
        }
    }
}

/// Writes until nothing is accepted any more; the names that were acknowledged.
fn fill(connection: &mut Connection, key: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut accepted = Instant::now();
    for number in 0..MANY {
        let name = format!("Name {number}");
        let answer = rename(connection, key, &name).unwrap();
        if answer.status == 200 {
            names.push(name);
            accepted = Instant::now();
            continue;
        }
        assert_unavailable(&answer);
        if accepted.elapsed() > NO_ROOM {
            return names;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("there is room for {MANY} changes");
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.header("retry-after"), Some("1"));
    let body = answer.json();
    assert_eq!(body["success"], false);
    assert_eq!(body["error"]["code"], "UNAVAILABLE");
    let id = answer.header("x-request-id").unwrap();
    assert_eq!(body["error"]["request_id"], id);
}

#[test]
fn without_room_changes_are_refused_reads_go_on_and_nothing_acknowledged_is_lost() {
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
    assert_eq!(recorded, full.names.len(), "nothing is kept of a refusal");
    let server = full.program.serve();
    let after = rename(&mut server.connect(), &full.key, "After").unwrap();
    assert_eq!(after.status, 200, "{after:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn with_room_again_changes_are_accepted_without_a_restart() {
    let mut full = Full::new();
    let raised = std::process::Command::new("prlimit")
        .args(["--pid", &full.server.pid(), "--fsize=unlimited:"])
        .status();
    assert!(raised.expect("prlimit of util-linux").success());
    for name in ["After", "And after that"] {
        let renamed = rename(&mut full.server.connect(), &full.key, name).unwrap();
        assert_eq!(renamed.status, 200, "{renamed:?}");
        full.names.push(name.to_owned());
    }
    let recorded = check(&full.program, &full.org, &full.names);
    assert_eq!(recorded, full.names.len());
}
