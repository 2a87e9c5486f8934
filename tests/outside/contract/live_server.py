"""Starts the real server with a demo organization, for the suites that test it from outside.

It uses only the command line and the environment of quietline.
"""

import contextlib
import json
import os
import pathlib
import re
import secrets
import socket
import subprocess
import tempfile
import urllib.parse
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parents[3]


@dataclass
class LiveServer:
    """Running server with the credentials of its demo organization."""

    url: str
    database: str
    organization: dict
    keys: dict
    tokens: dict
    environment: dict
    log: pathlib.Path

    def command(self, *arguments):
        """Runs `quietline ARGUMENTS` on the database of this server and returns the output."""
        return subprocess.run(
            [binary(), *arguments], env=self.environment, check=True, capture_output=True, text=True
        ).stdout

    def json(self, *arguments):
        """Runs `quietline ARGUMENTS --json` and returns the data."""
        return json.loads(self.command(*arguments, "--json"))


def binary():
    """Returns the path of the server: SERVER_BINARY, or the binary of `cargo build`."""
    built = (
        pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "quietline"
    )
    return os.environ.get("SERVER_BINARY", str(built))


def build():
    """Builds the server, unless SERVER_BINARY names one."""
    if "SERVER_BINARY" not in os.environ:
        subprocess.run(
            ["cargo", "build", "--quiet", "--locked", "--bin", "quietline"], cwd=ROOT, check=True
        )


def free_port():
    """Returns an unused TCP port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def postgres_database():
    """Yields the URL of a temporary PostgreSQL database on the server of TEST_DATABASE_URL."""
    url = os.environ["TEST_DATABASE_URL"]
    name = f"outside_in_{os.getpid()}_{secrets.token_hex(4)}"
    psql = ["psql", "--quiet", "--no-psqlrc", url, "--command"]
    subprocess.run([*psql, f"CREATE DATABASE {name}"], check=True)
    try:
        yield urllib.parse.urlsplit(url)._replace(path=f"/{name}").geturl()
    finally:
        subprocess.run([*psql, f"DROP DATABASE {name} WITH (FORCE)"], check=True)


@contextlib.contextmanager
def database_url(kind, folder):
    """Yields the URL of an empty database: a SQLite file in `folder`, or a PostgreSQL database."""
    if kind == "sqlite":
        yield f"sqlite://{folder}/quietline.db"
    else:
        with postgres_database() as url:
            yield url


@contextlib.contextmanager
def live_server(kind):
    """Yields a LiveServer on a new database (`sqlite` or `postgres`). Its shutdown must succeed."""
    with tempfile.TemporaryDirectory() as folder, database_url(kind, folder) as url:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("QUIETLINE_")
        }
        environment |= {
            "QUIETLINE_DATABASE_URL": url,
            "QUIETLINE_JWT_SECRET": secrets.token_urlsafe(48),
            "QUIETLINE_LISTEN": "127.0.0.1:0",
            "QUIETLINE_LOG": "warn",
        }
        made = subprocess.run(
            [binary(), "demo", "--json"],
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        demo = json.loads(made.stdout)
        log = pathlib.Path(folder) / "server.log"
        with log.open("w") as errors:
            server = subprocess.Popen(
                [binary(), "serve"],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        try:
            listening = server.stdout.readline()
            found = re.search(r"http://[0-9.]+:\d+", listening)
            if not found:
                raise RuntimeError(f"the server did not start: {listening}{log.read_text()}")
            yield LiveServer(
                found[0], kind, demo["organization"], demo["keys"], demo["tokens"], environment, log
            )
            if server.poll() is not None:
                raise RuntimeError(f"the server crashed: {log.read_text()[-4000:]}")
        finally:
            server.terminate()
            try:
                status = server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()
                raise
        if status != 0:
            raise RuntimeError(f"the server exited with status {status}: {log.read_text()[-4000:]}")


def command(*arguments, **options):
    """Runs a command and returns its output. Exits with the output if the command fails."""
    run = subprocess.run(
        [str(argument) for argument in arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )
    if run.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, arguments))}\n{run.stdout[-8000:]}")
    return run.stdout
