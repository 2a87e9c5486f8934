//! Files of the SQLite database that are replaced or removed under the server. Goal: no further
//! change is acknowledged, and neither the old file nor the new one is destroyed. Method: the real
//! server, and an operator who forgot to stop it.

use std::fs;

use rustix::process::Signal;

use super::acknowledged::{check, rename};
use super::program::{Program, Server};

struct Running {
    program: Program,
    org: String,
    key: String,
    server: Server,
    file: String,
    /// Acknowledged names.
    names: Vec<String>,
}

impl Running {
    /// Starts a server that has acknowledged some changes.
    fn new() -> Self {
        let program = Program::on_sqlite();
        let org = program.organization("One");
        let (_, key) = program.key(&org, "org:read,org:admin:write,audit:read");
        let server = program.serve();
        let mut running = Self {
            file: program.sqlite_file(),
            program,
            org,
            key,
            server,
            names: Vec::new(),
        };
        for number in 0..20 {
            let name = format!("Name {number}");
            assert_eq!(running.rename(&name), 200);
            running.names.push(name);
        }
        running
    }

    fn rename(&self, name: &str) -> u16 {
        let renamed = rename(&mut self.server.connect(), &self.key, name);
        renamed.unwrap().status
    }

    fn get(&self, path: &str) -> u16 {
        self.server.connect().get(path, &self.key).status
    }

    /// Waits until the server has noticed, and has moved the WAL into the file.
    fn wait_for_rescue(&self) {
        let done = "the file that the server has open now holds all acknowledged changes";
        self.program.wait_for_log(done);
    }

    fn assert_refuses(&self) {
        assert_eq!(self.rename("After"), 503);
        assert_eq!(self.get("/v1/organization"), 503);
        assert_eq!(self.get("/v1/audit-log"), 503);
        assert_eq!(self.get("/readyz"), 503);
        assert_eq!(self.get("/healthz"), 200);
        let fault = "under the server, which refuses all requests";
        self.program.wait_for_log(fault);
        let log = self.program.log();
        assert_eq!(log.matches(fault).count(), 1, "{log}");
    }

    /// Kills the server that refuses all requests, and finds every acknowledged change.
    fn assert_all_is_stored(self) {
        self.assert_refuses();
        self.server.signal(Signal::KILL);
        drop(self.server);
        let recorded = check(&self.program, &self.org, &self.names);
        assert_eq!(recorded, self.names.len());
    }

    fn stop(self) -> (Program, String, Vec<String>) {
        self.server.signal(Signal::TERM);
        let (status, _) = self.server.wait();
        assert_eq!(status.code(), Some(0));
        (self.program, self.org, self.names)
    }
}

#[test]
fn a_copy_that_is_put_over_the_file_stops_all_writes_and_is_not_destroyed() {
    let running = Running::new();
    let copy = running.program.folder.path().join("copy.db");
    let into = format!("VACUUM INTO '{}'", copy.display());
    running.program.database.execute(&into);
    assert_eq!(running.rename("After the backup"), 200);
    fs::rename(&copy, &running.file).unwrap();
    assert_eq!(running.rename("After the restore"), 503, "at once");
    running.wait_for_rescue();
    running.assert_refuses();
    let (program, org, names) = running.stop();
    let recorded = check(&program, &org, &names);
    assert_eq!(recorded, names.len(), "the copy as it was made");
}

#[test]
fn a_file_that_was_removed_makes_the_server_not_ready_without_a_request() {
    let running = Running::new();
    fs::remove_file(&running.file).unwrap();
    running.program.wait_for_log("was replaced or removed");
    running.assert_refuses();
    running.stop();
}

#[test]
fn a_file_that_was_moved_away_has_every_acknowledged_change() {
    let running = Running::new();
    let moved = format!("{}.lost", running.file);
    fs::rename(&running.file, &moved).unwrap();
    running.wait_for_rescue();
    fs::rename(&moved, &running.file).unwrap();
    running.assert_all_is_stored();
}

#[test]
fn a_wal_that_was_removed_loses_no_acknowledged_change() {
    let running = Running::new();
    fs::remove_file(format!("{}-wal", running.file)).unwrap();
    running.wait_for_rescue();
    running.assert_all_is_stored();
}

#[test]
fn a_removed_index_of_the_wal_stops_all_writes() {
    let running = Running::new();
    fs::remove_file(format!("{}-shm", running.file)).unwrap();
    assert_eq!(running.rename("After"), 503);
    running.assert_refuses();
    let (program, org, names) = running.stop();
    check(&program, &org, &names);
}
