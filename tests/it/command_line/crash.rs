//! A server that is killed in the middle of its work. Goal: what was acknowledged is there, and
//! nothing is there by half. Method: four connections write until the process is killed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::http_client::Connection;
use super::program::Program;

/// Acknowledged writes after which the server is killed.
const WRITES: usize = 200;

/// Changes the name again and again until the connection breaks; the acknowledged names.
fn write(address: &str, key: &str, writer: usize, acknowledged: &AtomicUsize) -> Vec<String> {
    let mut connection = Connection::open(address);
    let mut names = Vec::new();
    loop {
        let name = format!("writer {writer} name {}", names.len());
        let body = json!({ "name": name }).to_string();
        match connection.call("PATCH", "/v1/organization", key, &body) {
            Ok(answer) if answer.status == 200 => names.push(name),
            Ok(answer) => panic!("{answer:?}"),
            Err(_) => return names,
        }
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn kill_9_loses_no_acknowledged_write_and_leaves_no_half_of_one() {
    let program = Program::new();
    let org = program.organization("One");
    let (_, key) = program.key(&org, "org:admin:write");
    for round in 1..=2 {
        let server = program.serve();
        let acknowledged = AtomicUsize::new(0);
        let names: Vec<String> = std::thread::scope(|scope| {
            let (address, key, acknowledged) = (&server.address, &key, &acknowledged);
            let writers: Vec<_> = (0..4)
                .map(|writer| {
                    scope.spawn(move || write(address, key, round * 10 + writer, acknowledged))
                })
                .collect();
            let deadline = Instant::now() + Duration::from_secs(60);
            while acknowledged.load(Ordering::Relaxed) < WRITES && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(1));
            }
            server.signal("KILL");
            writers
                .into_iter()
                .flat_map(|writer| writer.join().unwrap())
                .collect()
        });
        assert!(names.len() >= WRITES, "{}", names.len());
        check(&program, &org, &names);
    }
}

fn check(program: &Program, org: &str, acknowledged: &[String]) {
    let verified = program.run(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
    let log = program.json(&["audit", "list", "--org", org, "--limit", "10000"]);
    let log: Vec<&Value> = log.as_array().unwrap().iter().collect();
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
        "a change without its record"
    );
    assert_eq!(organization["name"], changes[0]["payload"]["after"]["name"]);
}
