//! Backup and restore of the SQLite file, as docs/OPERATIONS.md has them.

use rustix::process::Signal;

use super::acknowledged::{Acknowledged, check, rename};
use super::program::Program;

/// Writes before the backup begins, and again after it.
const WRITES: usize = 100;

fn back_up(program: &Program, copy: &str) {
    program.database.execute(&format!("VACUUM INTO '{copy}'"));
}

/// Puts `copy` in the place of the file and of its log.
fn restore(program: &Program, copy: &str) {
    let file = program.sqlite_file();
    for end in ["", "-wal", "-shm"] {
        std::fs::rename(format!("{file}{end}"), format!("{file}.lost{end}")).unwrap();
    }
    std::fs::rename(copy, file).unwrap();
}

/// Backs up while four connections write, and kills the server; what was acknowledged before.
fn back_up_under_load(program: &Program, key: &str, copy: &str) -> Vec<String> {
    let (server, acknowledged) = (program.serve(), Acknowledged::default());
    let address = server.address.clone();
    std::thread::scope(|scope| {
        // Whatever happens here, the writers end when it does.
        let server = server;
        let (address, acknowledged) = (&address, &acknowledged);
        for writer in ["a", "b", "c", "d"] {
            scope.spawn(move || acknowledged.write(address, key, writer));
        }
        acknowledged.wait_for_more(WRITES);
        let before = acknowledged.names();
        back_up(program, copy);
        acknowledged.wait_for_more(WRITES);
        server.signal(Signal::KILL);
        before
    })
}

#[test]
fn a_copy_made_while_others_write_has_all_that_was_acknowledged_before_and_is_served() {
    let program = Program::on_sqlite();
    let org = program.organization("One");
    let (_, key) = program.key(&org, "org:read,org:admin:write");
    let copy = program.folder.path().join("copy.db");
    let copy = copy.to_str().unwrap();
    let before = back_up_under_load(&program, &key, copy);
    restore(&program, copy);
    check(&program, &org, &before);
    let server = program.serve();
    let mut connection = server.connect();
    assert_eq!(connection.get("/v1/organization", &key).status, 200);
    let renamed = rename(&mut connection, &key, "After").unwrap();
    assert_eq!(renamed.json()["data"]["name"], "After");
}
