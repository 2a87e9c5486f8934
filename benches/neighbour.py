#!/usr/bin/env python3
"""Latency of one tenant's requests, idle and beside another tenant's flood of 256 connections that
send one kind of request with one key. Prints a table. Fails if a 99th percentile beside a flood
exceeds three times the idle one and 5 ms. The last rows are the same for the static reply: what
the processors of this machine allow.

    scripts/with-postgres benches/neighbour.py

BENCH_SECONDS is the time of each measurement, BENCH_DATABASES chooses. Measures the server in
target/release. The load comes from the same machine at the lowest priority, because a flood from
another machine would not take the server's processors."""

import contextlib
import json
import os
import subprocess
import sys
import time

from harness import settings
from harness.client import Client
from harness.databases import Postgres, Sqlite
from harness.servers import Server, quietline

FLOODS = ("get", "patch", "keyed", "list", "invalid", "unknown")
REQUESTS = ("GET", "PATCH", "list")
CONNECTIONS = 256
SCOPES = "org:read,org:admin:write,audit:read"
PAUSE = 0.005
NO_KEY = "am_live_" + "0" * 34
FACTOR, EXTRA_MS = 3, 5
SERVE = [settings.QUIETLINE, "serve"]
FLOOD = settings.ROOT / "benches" / "load" / "flood.lua"


def make_key(url, name):
    """The API key of a new organization."""
    made = json.loads(quietline(url, "--json", "org", "create", "--name", name))
    arguments = ("--org", made["id"], "--label", "bench", "--scopes", SCOPES)
    return json.loads(quietline(url, "--json", "key", "create", *arguments))["plaintext"]


@contextlib.contextmanager
def flood(server, kind, key):
    """Sends requests of `kind` meanwhile."""
    if kind is None:
        yield
        return
    seconds = round(settings.SECONDS * 2 + 30)
    command = [
        "nice",
        "-n19",
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{seconds}s",
        "-s",
        FLOOD,
        server.url,
    ]
    load = subprocess.Popen([*command, "--", kind, key], stdout=subprocess.DEVNULL)
    try:
        time.sleep(1)
        yield
    finally:
        load.kill()
        load.wait()


def calls(key):
    """The neighbour's requests."""
    return {
        "GET": lambda client, _: client.call("GET", "/v1/organization", key),
        "PATCH": lambda client, turn: client.call(
            "PATCH", "/v1/organization", key, {"message_retention_days": 30 + turn % 300}
        ),
        "list": lambda client, _: client.call("GET", "/v1/audit-log", key),
    }


def latencies(server, key):
    """Milliseconds of a neighbour's requests of each kind, sorted, and the number of failures."""
    client = Client(server.port)
    measured = {name: [] for name in REQUESTS}
    failures, turn, end = 0, 0, time.monotonic() + settings.SECONDS
    while time.monotonic() < end:
        turn += 1
        for name, call in calls(key).items():
            started = time.perf_counter()
            try:
                call(client, turn)
            except Exception as error:  # a refusal is a result here, not an end
                failures += 1
                print(f"    {name}: {error}", file=sys.stderr)
                client = Client(server.port)
            measured[name].append((time.perf_counter() - started) * 1000)
            time.sleep(PAUSE)
    return {name: sorted(values) for name, values in measured.items()}, failures


def percentile(ordered, share):
    """The value that `share` of `ordered` do not exceed."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def measure(name, command, url, flooding, own):
    """Rows of the table for one server, and whether all of them hold."""
    idle, rows, all_hold = {}, [], True
    for kind in (None, *FLOODS):
        # A server of its own each, so that no flood leaves something to the next.
        server = Server(command, url)
        try:
            Client(server.port).call("GET", "/v1/organization", own)
            with flood(server, kind, flooding):
                measured, failures = latencies(server, own)
        finally:
            server.stop()
        cells = [name, kind or "idle"]
        for request in REQUESTS:
            p50, p99 = (percentile(measured[request], share) for share in (0.5, 0.99))
            idle.setdefault(request, p99)
            holds = p99 <= FACTOR * idle[request] + EXTRA_MS
            all_hold &= holds
            cells.append(f"{p50:.1f} / {p99:.1f}" if holds else f"{p50:.1f} / **{p99:.1f}**")
        all_hold &= failures == 0
        rows.append([*cells, str(failures)])
        print("  ".join(rows[-1]), file=sys.stderr, flush=True)
    return rows, all_hold


def measure_database(name, kind):
    """Rows of the table for the server on one database, and whether all of them hold."""
    database = kind()
    try:
        database.create("neighbour")
        url = database.url("neighbour")
        quietline(url, "migrate")
        return measure(name, SERVE, url, make_key(url, "Flood"), make_key(url, "Neighbour"))
    finally:
        database.close()


def main():
    """Measures every database that is asked for."""
    kinds = {"sqlite": Sqlite, "postgres": Postgres}
    rows, all_hold = [], True
    for name in os.environ.get("BENCH_DATABASES", "sqlite,postgres").split(","):
        measured, hold = measure_database(name, kinds[name])
        rows += measured
        all_hold &= hold
    rows += measure("static", [settings.STATIC_REPLY], None, NO_KEY, NO_KEY)[0]
    head = ["", "flood of"] + [f"{name}, p50 / p99 in ms" for name in REQUESTS] + ["failed"]
    for cells in (head, ["---"] * len(head), *rows):
        print("| " + " | ".join(cells) + " |")
    if not all_hold:
        sys.exit("a neighbour notices more than it may")


if __name__ == "__main__":
    main()
