//! Faults of the disk under the server. Goal: an acknowledged change stays, a refused change does
//! not come back, and a leaked API key can be revoked. Method: the system calls of the real server
//! fail on demand.

use std::time::Duration;
use std::{fs, thread};

use diesel::SqliteConnection;
use diesel::connection::{Connection as _, SimpleConnection};
use rustix::process::Signal;

use super::acknowledged::{check, rename};
use super::faulty_disk::FaultyDisk;
use super::full_disk::fill;
use super::http_client::Connection;
use super::program::{Program, Server};

const ORGANIZATION: &str = "/v1/organization";

struct Fixture {
    program: Program,
    org: String,
    key: String,
    disk: FaultyDisk,
}

impl Fixture {
    fn new() -> Self {
        let program = Program::on_sqlite();
        let org = program.organization("One");
        let (_, key) = program.key(&org, "org:read,org:admin:write,apikeys:write");
        let disk = FaultyDisk::of(&program);
        Self {
            program,
            org,
            key,
            disk,
        }
    }

    fn serve(&self) -> Server {
        self.disk.serve(&self.program)
    }

    fn rename(&self, server: &Server, name: &str) -> u16 {
        let renamed = rename(&mut server.connect(), &self.key, name);
        renamed.unwrap().status
    }

    /// Starts a read that keeps the WAL from being written from its start again. The first sync
    /// after that would be the one of its header.
    fn begin_read(&self) -> SqliteConnection {
        let mut conn = SqliteConnection::establish(&self.program.sqlite_file()).unwrap();
        conn.batch_execute("BEGIN; SELECT count(*) FROM organizations")
            .unwrap();
        conn
    }

    /// Returns the number of changes that a restart finds on a copy of the files: the index of the
    /// WAL is made anew, as after a power cut.
    fn recorded_after_a_crash(&self, names: &[String]) -> usize {
        let restarted = Program::on_sqlite();
        for end in ["", "-wal"] {
            let from = format!("{}{end}", self.program.sqlite_file());
            fs::copy(from, format!("{}{end}", restarted.sqlite_file())).unwrap();
        }
        check(&restarted, &self.org, names)
    }
}

#[test]
fn a_change_whose_commit_failed_does_not_come_back_after_a_crash() {
    for fault in ["sync-1", "sync"] {
        let fixture = Fixture::new();
        let server = fixture.serve();
        let _read = fixture.begin_read();
        assert_eq!(fixture.rename(&server, "Before"), 200);
        fixture.disk.arm(fault);
        assert_eq!(fixture.rename(&server, "Refused"), 503, "{fault}");
        server.signal(Signal::KILL);
        drop(server);
        let recorded = fixture.recorded_after_a_crash(&["Before".to_owned()]);
        assert_eq!(recorded, 1, "{fault}");
    }
}

#[test]
fn writes_are_refused_while_the_disk_cannot_sync_and_accepted_afterwards() {
    let fixture = Fixture::new();
    let server = fixture.serve();
    assert_eq!(fixture.rename(&server, "Before"), 200);
    fixture.disk.arm("sync");
    for _ in 0..3 {
        assert_eq!(fixture.rename(&server, "Refused"), 503);
    }
    assert_eq!(server.connect().get(ORGANIZATION, &fixture.key).status, 200);
    let ready = server.connect().get("/readyz", "");
    assert_eq!(
        (ready.status, ready.json()["writes"].take()),
        (200, "failing".into())
    );
    fixture.disk.repair("sync");
    assert_eq!(fixture.rename(&server, "After"), 200);
    let ready = server.connect().get("/readyz", "");
    assert_eq!(ready.json()["writes"], "ok");
    drop(server);
    let names = ["Before", "After"].map(str::to_owned);
    assert_eq!(check(&fixture.program, &fixture.org, &names), 2);
}

#[test]
fn a_change_whose_remains_cannot_be_erased_has_an_unknown_outcome() {
    let fixture = Fixture::new();
    let server = fixture.serve();
    assert_eq!(fixture.rename(&server, "Before"), 200);
    fixture.disk.arm("sync");
    // The second change is refused before it is written.
    for (name, code) in [("First", "OUTCOME_UNKNOWN"), ("Second", "UNAVAILABLE")] {
        let response = rename(&mut server.connect(), &fixture.key, name).unwrap();
        assert_eq!(response.json()["error"]["code"], code, "{name}");
    }
}

#[test]
fn a_read_that_fails_once_is_not_seen_by_clients() {
    const FAULT: &str = "read-1";
    let fixture = Fixture::new();
    let server = fixture.serve();
    let mut connection = server.connect();
    assert_eq!(connection.get(ORGANIZATION, &fixture.key).status, 200);
    let mut failed = 0;
    for number in 0..10 {
        // A change invalidates the cached pages. Once they are checkpointed, they are read again.
        assert_eq!(fixture.rename(&server, &format!("Name {number}")), 200);
        thread::sleep(Duration::from_millis(300));
        fixture.disk.arm(FAULT);
        let shown = connection.get(ORGANIZATION, &fixture.key);
        assert_eq!(shown.status, 200, "{}", fixture.program.log());
        failed += u32::from(!fixture.disk.is_armed(FAULT));
    }
    assert!(failed > 0, "the server reads from the disk");
    assert!(
        fixture
            .program
            .log()
            .contains("a read failed, will retry once")
    );
}

/// Waits until the server holds its reserve.
fn wait_for_reserve(program: &Program) -> String {
    let reserve = format!("{}-reserve", program.sqlite_file());
    for _ in 0..1000 {
        if fs::metadata(&reserve).is_ok_and(|file| file.len() == 8 * 1024 * 1024) {
            return reserve;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("{}", program.log());
}

fn write_until_revoked(mut connection: Connection, key: &str) {
    while rename(&mut connection, key, "Leaked").unwrap().status != 401 {}
}

fn revoke_by_command(fixture: &Fixture, id: &str) {
    let arguments = ["key", "revoke", id];
    let mut command = fixture.disk.command(&fixture.program, &arguments);
    let revoked = command.output().unwrap();
    assert!(revoked.status.success(), "{revoked:?}");
    // Servers cache keys for less than a second.
    thread::sleep(Duration::from_secs(1));
}

fn revoke(server: &Server, key: &str, id: &str) -> u16 {
    let path = format!("/v1/api-keys/{id}");
    let revoked = server.connect().call("DELETE", &path, key, "");
    revoked.unwrap().status
}

#[test]
fn on_a_full_disk_a_leaked_key_can_be_revoked_while_it_goes_on_writing() {
    let fixture = Fixture::new();
    let leaked: Vec<(String, String)> = (0..8)
        .map(|_| {
            fixture
                .program
                .key(&fixture.org, "org:read,org:admin:write")
        })
        .collect();
    let server = fixture.serve();
    let reserve = wait_for_reserve(&fixture.program);
    fixture.disk.limit_growth(512 * 1024);
    let mut names = fill(&mut server.connect(), &fixture.key);
    let (last, leaked) = leaked.split_last().unwrap();
    thread::scope(|scope| {
        for (_, key) in leaked {
            let connection = server.connect();
            scope.spawn(move || write_until_revoked(connection, key));
        }
        for (number, (id, key)) in leaked.iter().enumerate() {
            if number % 2 == 0 {
                assert_eq!(revoke(&server, &fixture.key, id), 204);
            } else {
                revoke_by_command(&fixture, id);
            }
            assert_eq!(server.connect().get(ORGANIZATION, key).status, 401);
        }
    });
    assert!(
        fixture
            .program
            .log()
            .contains("space in reserve is released")
    );
    // A reset of the WAL would make space.
    let _read = fixture.begin_read();
    names.extend(fill(&mut server.connect(), &fixture.key));
    fs::remove_file(reserve).unwrap();
    fixture.disk.limit_growth(0);
    assert_eq!(
        revoke(&server, &fixture.key, &last.0),
        503,
        "nothing to release"
    );
    assert_eq!(server.connect().get(ORGANIZATION, &last.1).status, 200);
    fixture.disk.repair("space");
    assert_eq!(fixture.rename(&server, "After"), 200);
    drop(server);
    let recorded = check(&fixture.program, &fixture.org, &names);
    assert!(recorded > names.len(), "{recorded}");
}

/// Goal: one request revokes as many keys as an organization can have, on a full disk. Method: a
/// leaked key with 1,000 live keys that it issued.
#[test]
fn on_a_full_disk_a_leaked_key_is_revoked_with_a_thousand_keys_that_it_issued() {
    let fixture = Fixture::new();
    let (leaked, key) = fixture.program.key(&fixture.org, "org:read,apikeys:write");
    fixture.program.database.execute(&format!(
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000)
         INSERT INTO api_keys
             (id, org_id, label, prefix, hash, scopes, created_by, created_at)
         SELECT randomblob(16), $id:{}, hex(randomblob(50)), 'am_live_0000', randomblob(32),
             'org:read', 'api_key:{leaked}', 1767528000000000 FROM numbers",
        fixture.org
    ));
    let server = fixture.serve();
    wait_for_reserve(&fixture.program);
    fixture.disk.limit_growth(512 * 1024);
    fill(&mut server.connect(), &fixture.key);
    let path = format!("/v1/api-keys/{leaked}?issued=true");
    let revoked = server.connect().call("DELETE", &path, &fixture.key, "");
    assert_eq!(revoked.unwrap().status, 204, "{}", fixture.program.log());
    assert_eq!(server.connect().get(ORGANIZATION, &key).status, 401);
    let live = "SELECT CAST(count(*) AS TEXT) AS value FROM api_keys WHERE revoked_at IS NULL";
    assert_eq!(fixture.program.database.values(live), ["1"]);
}
