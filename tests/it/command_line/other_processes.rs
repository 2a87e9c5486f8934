//! Other programs on the server's SQLite file, such as a shell or a backup. Goal: acknowledged
//! writes stay. Method: a program opens and closes the file between two writes, then the server is
//! killed.

use std::process::Command;

use rustix::process::Signal;
use serde_json::json;

use super::http_client::Connection;
use super::program::{Program, Server};

const READ_AND_CLOSE: &str = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); \
     c.execute('SELECT count(*) FROM organizations').fetchone(); c.close()";

fn set_retention(server: &Server, key: &str, days: i32) -> u16 {
    let body = json!({ "message_retention_days": days }).to_string();
    let mut connection = Connection::open(&server.address);
    connection
        .call("PATCH", "/v1/organization", key, &body)
        .unwrap()
        .status
}

#[test]
fn a_program_that_reads_and_closes_the_file_does_not_remove_the_wal() {
    let program = Program::on_sqlite();
    let org = program.organization("One");
    let (_, key) = program.key(&org, "org:admin:write");
    let server = program.serve();
    assert_eq!(set_retention(&server, &key, 100), 200);
    let read = Command::new("python3")
        .args(["-c", READ_AND_CLOSE, &program.sqlite_file()])
        .status();
    assert!(read.unwrap().success(), "python3 has read the file");
    assert_eq!(set_retention(&server, &key, 111), 200);
    server.signal(Signal::KILL);
    drop(server);
    assert_eq!(
        program.json(&["org", "show", &org])["message_retention_days"],
        111
    );
}
