//! The real binary: its commands run to their end, its server run in the background.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::http_client::Connection;
use crate::support::app::JWT_SECRET;
use crate::support::database::TestDatabase;

/// Longer than the server may take to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// The real binary.
pub const BINARY: &str = env!("CARGO_BIN_EXE_quietline");

/// The server's log in the working directory.
const LOG: &str = "server.log";

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
        Self::on(TestDatabase::create())
    }

    /// As [`Program::new`], whatever database the tests run on.
    pub fn on_sqlite() -> Self {
        Self::on(TestDatabase::sqlite())
    }

    fn on(database: TestDatabase) -> Self {
        Self {
            database,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// The path of a SQLite database.
    pub fn sqlite_file(&self) -> String {
        let url = self.database.url_text();
        url.strip_prefix("sqlite://").unwrap().to_owned()
    }

    /// A command with a database and a secret in its environment, and nothing else of ours.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.other_command(BINARY, arguments)
    }

    /// The command of another program, with the same environment.
    pub fn other_command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = self.bare_command(program, arguments);
        command.env("QUIETLINE_DATABASE_URL", self.database.url_text());
        command.env("QUIETLINE_JWT_SECRET", JWT_SECRET);
        command
    }

    /// A command with nothing in its environment.
    pub fn unconfigured(&self, arguments: &[&str]) -> Command {
        self.bare_command(BINARY, arguments)
    }

    fn bare_command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
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

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join(LOG)).unwrap()
    }

    /// Waits until the server has logged `text`.
    pub fn wait_for_log(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            assert!(Instant::now() < deadline, "{text}: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts a server from a command; its log is a file in the working directory.
    pub fn start(&self, mut command: Command) -> Server {
        let log = File::create(self.folder.path().join(LOG)).unwrap();
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

    /// The id of the process.
    pub fn pid(&self) -> String {
        self.child.id().to_string()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Panics if the process ends within `time`.
    pub fn assert_runs_on(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline {
            assert_eq!(self.child.try_wait().unwrap(), None, "the server has ended");
            std::thread::sleep(Duration::from_millis(20));
        }
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
