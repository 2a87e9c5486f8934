//! Changes that a server has acknowledged. Every one must be stored, even if the server is killed.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::http_client::{Connection, Response};
use super::program::Program;

const PATIENCE: Duration = Duration::from_secs(60);

/// Renames the organization of `key`.
pub fn rename(connection: &mut Connection, key: &str, name: &str) -> std::io::Result<Response> {
    let body = json!({ "name": name }).to_string();
    connection.call("PATCH", "/v1/organization", key, &body)
}

/// Names acknowledged so far. Each name is sent once.
#[derive(Default)]
pub struct Acknowledged(Mutex<Vec<String>>);

impl Acknowledged {
    /// Changes the name repeatedly until the connection breaks.
    pub fn write(&self, address: &str, key: &str, writer: &str) {
        let mut connection = Connection::open(address);
        for number in 0.. {
            let name = format!("writer {writer} name {number}");
            match rename(&mut connection, key, &name) {
                Ok(response) if response.status == 200 => self.lock().push(name),
                Ok(response) => panic!("{response:?}"),
                Err(_) => return,
            }
        }
    }

    pub fn names(&self) -> Vec<String> {
        self.lock().clone()
    }

    /// Waits for `count` more acknowledged names.
    pub fn wait_for_more(&self, count: usize) {
        let (deadline, enough) = (Instant::now() + PATIENCE, self.lock().len() + count);
        while self.lock().len() < enough {
            assert!(
                Instant::now() < deadline,
                "{} of {enough}",
                self.lock().len()
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap()
    }
}

/// Asserts that every acknowledged change is complete and that the log is intact. Returns the
/// number of recorded changes of the name.
pub fn check(program: &Program, org: &str, acknowledged: &[String]) -> usize {
    let verified = program.run(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
    let log = program.json(&["audit", "list", "--org", org, "--limit", "10000"]);
    let log: Vec<&Value> = log.as_array().unwrap().iter().collect();
    assert!(log.len() < 10_000, "the list may be truncated");
    let changes: Vec<&&Value> = log
        .iter()
        .filter(|entry| entry["action"] == "organization.update")
        .collect();
    let recorded: BTreeSet<&str> = changes
        .iter()
        .filter_map(|entry| entry["payload"]["after"]["name"].as_str())
        .collect();
    let lost: Vec<&String> = acknowledged
        .iter()
        .filter(|name| !recorded.contains(name.as_str()))
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
    let organization = program.json(&["org", "show", org]);
    assert_eq!(
        organization["version"],
        json!(1 + changes.len()),
        "every change has its entry"
    );
    assert_eq!(organization["name"], changes[0]["payload"]["after"]["name"]);
    changes.len()
}
