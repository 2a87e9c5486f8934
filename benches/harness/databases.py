"""SQLite and PostgreSQL databases of the benchmark."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
import urllib.parse

from . import settings


class Sqlite:
    """SQLite files in a new directory on the disk of `target/`."""

    name = "sqlite"

    def __init__(self):
        settings.RESULTS.mkdir(parents=True, exist_ok=True)
        self._directory = tempfile.mkdtemp(prefix="sqlite-", dir=settings.RESULTS)

    def path(self, name):
        """Returns the path of the database `name`."""
        return os.path.join(self._directory, name + ".db")

    def url(self, name):
        """Returns the URL of the database `name`."""
        return "sqlite://" + self.path(name)

    def create(self, name):
        """Does nothing, because the server creates the file when it opens it."""

    def copy(self, template, name):
        """Replaces `name` by a copy of `template`, which must be closed."""
        self.drop(name)
        with self.connect(template) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copyfile(self.path(template), self.path(name))
        os.sync()

    def drop(self, name):
        """Removes the database `name` if it exists."""
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.remove(self.path(name) + suffix)

    @contextlib.contextmanager
    def connect(self, name):
        """Opens a connection for bulk work."""
        connection = sqlite3.connect(self.path(name), timeout=30, isolation_level=None)
        try:
            yield connection
        finally:
            connection.close()

    def execute(self, name, statements):
        """Runs `statements`, separated by semicolons."""
        with self.connect(name) as connection:
            connection.executescript(statements)

    def numbers(self, name, query):
        """Returns the row of numbers that `query` selects."""
        with self.connect(name) as connection:
            return [int(value) for value in connection.execute(query).fetchone()]

    def size(self, name):
        """Returns the size of the database in bytes."""
        pages, size = (
            self.numbers(name, f"PRAGMA {pragma}")[0] for pragma in ("page_count", "page_size")
        )
        return pages * size

    def files(self, name):
        """Returns the files of the database."""
        return [self.path(name)]

    def close(self):
        """Removes all databases."""
        shutil.rmtree(self._directory, ignore_errors=True)


class Postgres:
    """Databases named `bench_<pid>_…` on the server of TEST_DATABASE_URL."""

    name = "postgres"

    def __init__(self):
        self._server = urllib.parse.urlsplit(os.environ["TEST_DATABASE_URL"])
        self._made = set()

    def _database(self, name):
        return f"bench_{os.getpid()}_{name}"

    def url(self, name):
        """Returns the URL of the database `name`."""
        return urllib.parse.urlunsplit(self._server._replace(path="/" + self._database(name)))

    def create(self, name):
        """Creates an empty database."""
        self._administer(f"CREATE DATABASE {self._database(name)}")
        self._made.add(name)

    def copy(self, template, name):
        """Replaces `name` by a copy of `template`, which must be closed."""
        self.drop(name)
        self._administer(
            f"CREATE DATABASE {self._database(name)} TEMPLATE {self._database(template)}"
        )
        self._made.add(name)

    def drop(self, name):
        """Removes the database `name` if it exists."""
        self._administer(f"DROP DATABASE IF EXISTS {self._database(name)} WITH (FORCE)")
        self._made.discard(name)

    def _administer(self, statement):
        psql(urllib.parse.urlunsplit(self._server), statement)

    def execute(self, name, statements):
        """Runs `statements`, separated by semicolons."""
        psql(self.url(name), statements)

    def numbers(self, name, query):
        """Returns the row of numbers that `query` selects."""
        return [int(value) for value in self.text(name, query).split("|")]

    def text(self, name, query):
        """Returns the text that `query` selects."""
        return psql(self.url(name), query).strip()

    def size(self, name):
        """Returns the size of the database in bytes."""
        return self.numbers(name, "SELECT pg_database_size(current_database())")[0]

    def files(self, name):
        """Returns the files of the database, if the server runs on this machine."""
        query = "SELECT oid FROM pg_database WHERE datname = current_database()"
        directory = os.path.join(
            self.text(name, "SHOW data_directory"), "base", self.text(name, query)
        )
        return [entry.path for entry in os.scandir(directory) if entry.is_file()]

    def version(self):
        """Returns the version of the server."""
        return psql(urllib.parse.urlunsplit(self._server), "SHOW server_version").strip()

    def close(self):
        """Removes all databases."""
        for name in sorted(self._made):
            self.drop(name)


def psql(url, statements):
    """Runs `statements` in psql and returns the bare values."""
    command = ["psql", "-X", "-qAt", "-v", "ON_ERROR_STOP=1", "-d", url]
    done = subprocess.run(command, input=statements, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"psql: {done.stderr.strip()}")
    return done.stdout
