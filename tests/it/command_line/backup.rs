//! Backup and restore of the SQLite file, as docs/operations/backup-and-restore.md has them.

use rustix::process::Signal;

use super::acknowledged::{Acknowledged, check, rename};
use super::program::Program;

/// Number of writes before the backup starts, and again after it.
const WRITES: usize = 100;

fn back_up(program: &Program, copy: &str) {
    program.database.execute(&format!("VACUUM INTO '{copy}'"));
}

/// Moves the database file and its WAL away, and puts `copy` in the place of the file.
fn restore(program: &Program, copy: &str) {
    let file = program.sqlite_file();
    for end in ["", "-wal", "-shm"] {
        std::fs::rename(format!("{file}{end}"), format!("{file}.lost{end}")).unwrap();
    }
    std::fs::rename(copy, file).unwrap();
}

/// Backs up while four connections write, then kills the server. Returns the names acknowledged
/// before the backup.
fn back_up_under_load(program: &Program, key: &str, copy: &str) -> Vec<String> {
    let (server, acknowledged) = (program.serve(), Acknowledged::default());
    let address = server.address.clone();
    std::thread::scope(|scope| {
        // Owned by the scope: a failed assertion then kills the server, and the writers stop.
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
fn a_backup_under_load_restores_every_write_acknowledged_before_it() {
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

/// Moves only the database file away, as an operator who forgets the WAL.
fn restore_beside_the_wal(program: &Program, copy: &str) {
    let file = program.sqlite_file();
    std::fs::rename(&file, format!("{file}.lost")).unwrap();
    std::fs::copy(copy, &file).unwrap();
}

#[test]
fn a_copy_beside_the_wal_of_another_file_is_refused_and_not_destroyed() {
    let program = Program::on_sqlite();
    let org = program.organization("One");
    let (_, key) = program.key(&org, "org:read,org:admin:write");
    let copy = program.folder.path().join("copy.db");
    let copy = copy.to_str().unwrap();
    let before = back_up_under_load(&program, &key, copy);
    restore_beside_the_wal(&program, copy);
    for command in [&["serve"][..], &["audit", "verify"], &["migrate"]] {
        let error = program.error_output(command);
        assert!(
            error.contains("the -wal beside it belongs to another file"),
            "{error}"
        );
    }
    let file = program.sqlite_file();
    for end in ["-wal", "-shm"] {
        std::fs::rename(format!("{file}{end}"), format!("{file}.lost{end}")).unwrap();
    }
    check(&program, &org, &before);
}

#[test]
fn a_file_that_is_malformed_names_the_wal_as_a_possible_cause() {
    let program = Program::on_sqlite();
    program.organization("One");
    let file = program.sqlite_file();
    let mut bytes = std::fs::read(&file).unwrap();
    // The schema begins on the first page, after the header of 100 bytes.
    bytes[100..4096].fill(0xff);
    std::fs::write(&file, bytes).unwrap();
    let error = program.error_output(&["audit", "verify"]);
    assert!(error.contains("malformed"), "{error}");
    assert!(error.contains("a -wal of another file"), "{error}");
}
