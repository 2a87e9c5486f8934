#!/usr/bin/env python3
"""Server whose PostgreSQL falls silent. Measures how long requests fail, and which still succeed.

    scripts/with-postgres --temporary tests/outside/silence.py path/to/quietline

Starts a proxy in front of PostgreSQL, and the server behind the proxy. Takes about two minutes.
Changes settings of this PostgreSQL, which must be a temporary one. Three cases:
the connections of one moment hang, all of them hang for a while, and every commit hangs because the
synchronous standby is lost."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

# Of a vanished primary: the time until a request succeeds on a new connection.
MOST_SECONDS_SILENT = 10.5
READY_SECONDS = 1.5
READ_SECONDS = 1.0


def free_port():
    """A free TCP port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Database:
    """The PostgreSQL of the test."""

    def __init__(self, url):
        self._url, self.port = url, urllib.parse.urlsplit(url).port

    def configure(self, statement):
        """Changes a setting of the running server."""
        command = ["psql", "-X", "-q", "-d", self._url, "-c", statement]
        subprocess.run([*command, "-c", "SELECT pg_reload_conf()"], check=True, capture_output=True)


class Proxy:
    """Passes bytes to the database, until it is told otherwise."""

    def __init__(self, target):
        self._target, self._accepted, self._frozen = target, 0, 0
        self.is_silent = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self):
        """Silences the connections of this moment, for good."""
        self._frozen = self._accepted

    def _accept(self):
        while True:
            client, _ = self._listener.accept()
            self._accepted += 1
            server = socket.create_connection(("127.0.0.1", self._target))
            for pair in ((client, server), (server, client)):
                arguments = (*pair, self._accepted)
                threading.Thread(target=self._pass, args=arguments, daemon=True).start()

    def _pass(self, source, sink, number):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                while self.is_silent or number <= self._frozen:
                    time.sleep(0.01)
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class Server:
    """The server under test, and the keys of its organizations."""

    def __init__(self, program, database_url, organizations):
        self.port = free_port()
        environment = os.environ | {
            "QUIETLINE_DATABASE_URL": database_url,
            "QUIETLINE_LISTEN": f"127.0.0.1:{self.port}",
        }

        def command_line(*arguments):
            command = [program, "--json", *arguments]
            done = subprocess.run(command, env=environment, check=True, capture_output=True)
            return json.loads(done.stdout)

        self.keys = []
        for number in range(organizations):
            made = command_line("org", "create", "--name", f"Organization {number}")
            scopes = ("--label", "test", "--scopes", "org:read,org:admin:write")
            key = command_line("key", "create", "--org", made["id"], *scopes)
            self.keys.append(key["plaintext"])
        self.process = subprocess.Popen(
            [program, "serve"],
            env=environment | {"QUIETLINE_LOG": "warn"},
            stdout=subprocess.DEVNULL,
        )
        within(10, "the server does not start", lambda: self.status("/readyz") == 200)

    def status(self, path, key=None, body=None):
        """The status of the answer, 0 if there is none."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            method = "GET" if body is None else "PATCH"
            connection.request(method, path, json.dumps(body) if body else None, headers)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def read(self, number):
        """Returns whether an organization can be read."""
        return self.status("/v1/organization", self.keys[number]) == 200

    def write(self, number, days):
        """Returns whether an organization can be changed."""
        body = {"message_retention_days": days}
        return self.status("/v1/organization", self.keys[number], body) == 200


def within(seconds, problem, succeeds):
    """Waits until `succeeds()`, and returns how long that took."""
    started = time.monotonic()
    while not succeeds():
        if time.monotonic() - started > seconds:
            sys.exit(f"{problem} within {seconds} s")
        time.sleep(0.02)
    return time.monotonic() - started


def in_parallel(calls):
    """Runs `calls` at once in the background."""
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    return threads


def check_time(problem, most, call):
    """Runs `call`, which may take `most` seconds."""
    started = time.monotonic()
    outcome = call()
    if (elapsed := time.monotonic() - started) > most:
        sys.exit(f"{problem}: {elapsed:.1f} s")
    return outcome


def frozen_connections(server, proxy):
    """All connections of one moment hang."""
    for thread in in_parallel(lambda n=n: server.read(n) for n in range(16)):
        thread.join()
    proxy.freeze()
    check_time("the probe", READY_SECONDS, lambda: server.status("/readyz"))
    took = within(MOST_SECONDS_SILENT, "no read", lambda: server.read(0))
    within(MOST_SECONDS_SILENT - took, "no write", lambda: server.write(0, 100))
    print(f"connections that hang: served again after {took:.1f} s")


def silent_database(server, proxy):
    """Nothing responds for a while."""
    proxy.is_silent = True
    in_parallel(lambda n=n: server.write(n % 20, 110) for n in range(40))
    time.sleep(1)
    for _ in range(10):
        status = check_time("the probe", READY_SECONDS, lambda: server.status("/readyz"))
        if status == 200:
            sys.exit("ready without a database")
        time.sleep(1)
    proxy.is_silent = False
    took = within(3, "no write", lambda: server.write(0, 120))
    within(3, "not ready", lambda: server.status("/readyz") == 200)
    print(f"a silent database: served again {took:.1f} s after it")


def lost_standby(server, database):
    """Every commit waits for a standby that is lost."""
    database.configure("ALTER SYSTEM SET synchronous_standby_names = 'lost'")
    time.sleep(1)
    in_parallel(lambda n=n: server.write(n % 20, 130) for n in range(60))
    end = time.monotonic() + 20
    reads = 0
    while time.monotonic() < end:
        if not check_time("a read", READ_SECONDS, lambda: server.read(reads % 20)):
            sys.exit("a read failed")
        if check_time("the probe", READY_SECONDS, lambda: server.status("/readyz")) != 200:
            sys.exit("not ready for reads")
        reads += 1
        time.sleep(0.02)
    database.configure("ALTER SYSTEM RESET synchronous_standby_names")
    took = within(MOST_SECONDS_SILENT, "no write", lambda: server.write(0, 140))
    print(f"a lost standby: {reads} reads meanwhile, a write {took:.1f} s after it")


def main():
    """Runs the cases one after the other."""
    program = os.path.abspath(sys.argv[1])
    with contextlib.ExitStack() as running:
        database = Database(os.environ["TEST_DATABASE_URL"])
        proxy = Proxy(database.port)
        url = f"postgres://postgres@127.0.0.1:{proxy.port}/postgres"
        server = Server(program, url, organizations=20)
        running.callback(server.process.wait)
        running.callback(server.process.terminate)
        frozen_connections(server, proxy)
        silent_database(server, proxy)
        lost_standby(server, database)


if __name__ == "__main__":
    main()
