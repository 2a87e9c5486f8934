//! The real binary: its commands run to their end, its server run in the background.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::http_client::Connection;
use crate::support::app::JWT_SECRET;
use crate::support::database::TestDatabase;

/// Longer than the server may take to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program with a database and a working directory of its own.
pub struct Program {
    pub database: TestDatabase,
    pub folder: TempDir,
}

/// What a command left behind.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Program {
    pub fn new() -> Self {
        Self {
            database: TestDatabase::create(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A command with a database and a secret in its environment, and nothing else of ours.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.unconfigured(arguments);
        command.env("QUIETLINE_DATABASE_URL", self.database.url_text());
        command.env("QUIETLINE_JWT_SECRET", JWT_SECRET);
        command
    }

    /// A command with nothing in its environment.
    pub fn unconfigured(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quietline"));
        command
            .args(arguments)
            .env_clear()
            .current_dir(self.folder.path());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        end(self.command(arguments))
    }

    /// Runs a command that has to succeed, and returns what it prints.
    pub fn printed(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, 0, "{arguments:?}: {ended:?}");
        ended.stdout
    }

    /// The path of a new file in the working directory.
    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs a command with `--json`, which has to succeed, and reads what it prints.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let ended = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(ended.code, 0, "{arguments:?}: {ended:?}");
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
    }

    /// Runs a command that has to fail without printing data, and returns its complaint.
    pub fn complaint(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, 1, "{arguments:?}: {ended:?}");
        assert_eq!(ended.stdout, "", "{arguments:?}");
        ended.stderr
    }

    /// A new organization's id.
    pub fn organization(&self, name: &str) -> String {
        text(&self.json(&["org", "create", "--name", name]), "id")
    }

    /// A new API key's id and plaintext.
    pub fn key(&self, org: &str, scopes: &str) -> (String, String) {
        let arguments = [
            "key", "create", "--org", org, "--label", "test", "--scopes", scopes,
        ];
        let key = self.json(&arguments);
        (text(&key, "id"), text(&key, "plaintext"))
    }

    /// Starts the server on a free port.
    pub fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    /// Starts the server on a free port with more arguments.
    pub fn serve_with(&self, arguments: &[&str]) -> Server {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(arguments);
        self.start(command)
    }

    /// Starts a server from a command; its log is a file in the working directory.
    pub fn start(&self, mut command: Command) -> Server {
        let log = File::create(self.folder.path().join("server.log")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split([' ', ',']).next());
        let address = address
            .unwrap_or_else(|| panic!("no address: {line:?}"))
            .to_owned();
        Server {
            child,
            stdout: Box::new(stdout),
            line,
            address,
        }
    }
}

/// Runs any command to its end.
pub fn end(mut command: Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        code: output.status.code().expect("it ended by itself"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A string field.
pub fn text(value: &Value, name: &str) -> String {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name}: {value}"))
        .to_owned()
}

/// A server that is killed when it is dropped.
pub struct Server {
    child: Child,
    stdout: Box<dyn Read>,
    /// The line that it printed at its start.
    pub line: String,
    /// Where it listens, as `address:port`.
    pub address: String,
}

impl Server {
    pub fn connect(&self) -> Connection {
        Connection::open(&self.address)
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for the end of the process; what it printed after its first line comes along.
    pub fn wait(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the server does not stop");
            std::thread::sleep(Duration::from_millis(20));
        };
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (status, rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().unwrap_or_default();
        self.child.wait().unwrap();
    }
}
