//! Faults of the disk under the server. Goal: an acknowledged change stays, a refused change does
//! not come back, and a leaked API key can be revoked. Method: the system calls of the real server
//! fail on demand.

use std::time::Duration;
use std::{fs, thread};

use super::acknowledged::{check, rename};
use super::faulty_disk::FaultyDisk;
use super::full_disk::fill;
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
}

/// Waits until the server holds its reserve.
fn wait_for_reserve(program: &Program) -> String {
    let reserve = format!("{}-reserve", program.sqlite_file());
    for _ in 0..1000 {
        if fs::metadata(&reserve).is_ok_and(|file| file.len() == 4 * 1024 * 1024) {
            return reserve;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("{}", program.log());
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
            let mut connection = server.connect();
            scope.spawn(
                move || {
                    while rename(&mut connection, key, "Leaked").unwrap().status != 401 {}
                },
            );
        }
        for (number, (id, key)) in leaked.iter().enumerate() {
            if number % 2 == 0 {
                assert_eq!(revoke(&server, &fixture.key, id), 204);
            } else {
                let mut command = fixture
                    .disk
                    .command(&fixture.program, &["key", "revoke", id]);
                let revoked = command.output().unwrap();
                assert!(revoked.status.success(), "{revoked:?}");
                // Servers cache keys for less than a second.
                thread::sleep(Duration::from_secs(1));
            }
            assert_eq!(server.connect().get(ORGANIZATION, key).status, 401);
        }
    });
    assert!(fixture.program.log().contains("space in reserve is released"));
    // The WAL may have been reset meanwhile, which makes space.
    names.extend(fill(&mut server.connect(), &fixture.key));
    fs::remove_file(reserve).unwrap();
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
