//! The real binary: commands that run to their end, and servers in the background.

use std::fs::{File, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::http_client::Connection;
use crate::support::app::JWT_SECRET;
use crate::support::database::TestDatabase;

/// Longer than a shutdown of the server may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Path of the real binary.
pub const BINARY: &str = env!("CARGO_BIN_EXE_quietline");

/// Name of the server's log file in the working directory.
const LOG: &str = "server.log";

/// Program with its own database and working directory.
pub struct Program {
    pub database: TestDatabase,
    pub folder: TempDir,
}

/// Exit status and output of a command.
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

    /// Creates a program on SQLite, regardless of `TEST_DATABASE_URL`.
    pub fn on_sqlite() -> Self {
        Self::on(TestDatabase::sqlite())
    }

    fn on(database: TestDatabase) -> Self {
        Self {
            database,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Returns the path of the SQLite database.
    pub fn sqlite_file(&self) -> String {
        let url = self.database.url_text();
        url.strip_prefix("sqlite://").unwrap().to_owned()
    }

    /// Returns a command with only a database and a secret in its environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.other_command(BINARY, arguments)
    }

    /// Returns a command of another program, with the same environment.
    pub fn other_command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = self.bare_command(program, arguments);
        command.env("QUIETLINE_DATABASE_URL", self.database.url_text());
        command.env("QUIETLINE_JWT_SECRET", JWT_SECRET);
        command
    }

    /// Returns a command with an empty environment.
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

    /// Runs a command that must succeed. Returns its output.
    pub fn output(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, 0, "{arguments:?}: {ended:?}");
        ended.stdout
    }

    /// Creates a file in the working directory, for its owner only. Returns its path.
    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs a command with `--json` that must succeed. Returns the parsed output.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let ended = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(ended.code, 0, "{arguments:?}: {ended:?}");
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
    }

    /// Runs a command that must fail without output. Returns its error message.
    pub fn error_output(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, 1, "{arguments:?}: {ended:?}");
        assert_eq!(ended.stdout, "", "{arguments:?}");
        ended.stderr
    }

    /// Creates an organization. Returns its id.
    pub fn organization(&self, name: &str) -> String {
        text(&self.json(&["org", "create", "--name", name]), "id")
    }

    /// Creates an API key. Returns its id and plaintext.
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

    /// Starts the server on a free port with additional arguments.
    pub fn serve_with(&self, arguments: &[&str]) -> Server {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(arguments);
        self.start(command)
    }

    /// Returns the log of the server so far.
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

    /// Starts a server from a command. Its log goes to a file in the working directory.
    pub fn start(&self, command: Command) -> Server {
        let log = File::create(self.folder.path().join(LOG)).unwrap();
        self.start_with_log(command, log.into())
    }

    /// Starts a server whose log goes to `log`.
    pub fn start_with_log(&self, mut command: Command, log: Stdio) -> Server {
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

/// Returns a field that is a string.
pub fn text(value: &Value, name: &str) -> String {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name}: {value}"))
        .to_owned()
}

/// Server that is killed on drop.
pub struct Server {
    child: Child,
    stdout: Box<dyn Read>,
    /// Line that the server printed at its start.
    pub line: String,
    /// Address of the server, as `address:port`.
    pub address: String,
}

impl Server {
    pub fn connect(&self) -> Connection {
        Connection::open(&self.address)
    }

    /// Returns the reading end of a piped log.
    pub fn take_log(&mut self) -> ChildStderr {
        self.child.stderr.take().unwrap()
    }

    /// Sends `signal`.
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

    /// Waits for the process to exit. Returns its status and its output after the first line.
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
        // The process may have exited already.
        self.child.kill().unwrap_or_default();
        self.child.wait().unwrap();
    }
}
