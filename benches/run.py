#!/usr/bin/env python3
"""The benchmark of docs/PERFORMANCE.md: W1 to W4c on both databases, compared with a static reply,
a plain first version and pgbench. The measurements are interleaved. Writes results.json and
table.md to target/bench/.

BENCH_SECONDS (5), BENCH_ROUNDS (3), BENCH_ORGANIZATIONS (1000) and BENCH_DATABASES
(sqlite,postgres) set its extent. BENCH_STRICT=1 makes a missed floor a failure. BENCH_BUILD=0
measures the existing binaries.
"""

import contextlib
import dataclasses
import json
import os
import platform
import subprocess
import sys
import time

from harness import load, pgbench, report, settings, verify
from harness.client import Client
from harness.databases import Postgres, Sqlite
from harness.seed import seed, write_credentials
from harness.servers import Server

TEMPLATE = "template"
PROBES = 20
COMMANDS = {"baseline": [settings.BASELINE], "quietline": [settings.QUIETLINE, "serve"]}


@dataclasses.dataclass
class Seeded:
    """Template database with its credentials."""

    database: Sqlite | Postgres
    organizations: list
    credentials: object


class Contender:
    """Server on a new copy of the seeded database."""

    def __init__(self, kind, seeded):
        self.name = f"{kind}-{seeded.database.name}"
        self._kind, self._seeded = kind, seeded
        seeded.database.copy(TEMPLATE, kind)
        if kind == "baseline":
            conversion = settings.ROOT / "benches" / "baseline" / f"{seeded.database.name}.sql"
            seeded.database.execute(kind, conversion.read_text())
        self._count = verify.AuditCount(seeded.database, kind)
        self._writes = load.Writes()
        self._server = Server(COMMANDS[kind], seeded.database.url(kind))

    def measure(self, workload):
        """Measures one workload, and checks single responses before and after it."""
        client, probed = Client(self._server.port), self._seeded.organizations[:PROBES]
        load.probe(client, workload, probed, 31, self._writes)
        cell = load.measure(self._server, workload, self._seeded.credentials, self._writes)
        load.probe(Client(self._server.port), workload, probed, 62, self._writes)
        return cell

    def verify(self):
        """Checks that the audit log is complete and intact. Stops the server."""
        database, organizations = self._seeded.database, self._seeded.organizations
        entries = self._count.check(self._writes)
        exact = verify.exact_count(self._server, database, self._kind, organizations)
        self.stop()
        if self._kind == "quietline":
            verify.chains(database, self._kind)
        say(
            f"  {self.name}: {self._writes.acknowledged + exact} audit entries acknowledged,"
            f" {entries + exact} found"
        )

    def stop(self):
        """Stops the server."""
        self._server.stop()


def say(text):
    """Prints progress to standard error."""
    print(text, file=sys.stderr, flush=True)


def build():
    """Builds the measured binaries."""
    # The first version uses SQLite's default build, without the flags of .cargo/config.toml.
    default_build = {"LIBSQLITE3_FLAGS": ""}
    builds = [
        (settings.TARGET, "Cargo.toml", {}),
        (settings.BASELINE_TARGET, "benches/baseline/Cargo.toml", default_build),
    ]
    for target, manifest, flags in builds:
        subprocess.run(
            ["cargo", "build", "--release", "--locked", "--bins", "--manifest-path", manifest],
            cwd=settings.ROOT,
            env=os.environ | {"CARGO_TARGET_DIR": str(target)} | flags,
            check=True,
        )


def prepare(database):
    """Seeds a database."""
    started = time.monotonic()
    organizations = seed(database, TEMPLATE)
    credentials = settings.RESULTS / f"credentials-{database.name}.tsv"
    write_credentials(organizations, credentials)
    if has_pgbench(database):
        database.copy(TEMPLATE, "pgbench")
        pgbench.prepare(database, "pgbench")
    say(
        f"{database.name}: {len(organizations)} organizations created"
        f" in {time.monotonic() - started:.0f} s"
    )
    return Seeded(database, organizations, credentials)


def has_pgbench(database):
    """Returns whether pgbench can run on `database`."""
    return isinstance(database, Postgres) and pgbench.is_available()


def run_round(all_seeded):
    """Measures every system once, workload by workload, and returns the cells."""
    cells = {}
    with contextlib.ExitStack() as running:
        static = Server([settings.STATIC_REPLY])
        running.callback(static.stop)
        contenders = []
        for seeded in all_seeded:
            for kind in COMMANDS:
                contenders.append(Contender(kind, seeded))
                running.callback(contenders[-1].stop)
        for workload in load.WORKLOADS:
            if workload == "w1":
                credentials = all_seeded[0].credentials
                cells["static", workload] = load.measure(
                    static, workload, credentials, load.Writes()
                )
                show("static", workload, cells)
            for contender in contenders:
                cells[contender.name, workload] = contender.measure(workload)
                show(contender.name, workload, cells)
            for seeded in all_seeded:
                if has_pgbench(seeded.database) and workload in pgbench.SCRIPTS:
                    measured = pgbench.measure(seeded.database, "pgbench", workload)
                    cells["pgbench", workload] = measured
                    show("pgbench", workload, cells)
        for contender in contenders:
            contender.verify()
    return cells


def show(system, workload, cells):
    """Prints one line for one measurement."""
    cell = cells[system, workload]
    say(
        f"  {workload:4} {system:20} {cell['requests_per_second']:10,.0f} req/s"
        f"   p99 {cell['p99_ms']:8.1f} ms   errors {cell['errors']}"
    )


def machine(databases):
    """Returns the machine and the settings of the benchmark."""
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        models = [
            line.split(":", 1)[1].strip() for line in cpuinfo if line.startswith("model name")
        ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    revision = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=settings.ROOT,
        capture_output=True,
        text=True,
    )
    versions = {one.name: one.version() for one in databases if isinstance(one, Postgres)}
    return {
        "processor": models[0] if models else platform.machine(),
        "processors": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "system": platform.platform(),
        "revision": revision.stdout.strip(),
        "databases": versions,
        "seconds": settings.SECONDS,
        "rounds": settings.ROUNDS,
        "organizations": settings.ORGANIZATIONS,
        "connections": settings.CONNECTIONS,
    }


def write_results(about, cells, text):
    """Writes results.json and table.md."""
    listed = [
        {"system": system, "workload": workload, **cell}
        for (system, workload), cell in cells.items()
    ]
    results = json.dumps({"machine": about, "cells": listed}, indent=2)
    (settings.RESULTS / "results.json").write_text(results + "\n", encoding="utf-8")
    (settings.RESULTS / "table.md").write_text(text, encoding="utf-8")


def main():
    """Runs the benchmark. Exits with an error if the result is unusable."""
    kinds = {"sqlite": Sqlite, "postgres": Postgres}
    chosen = os.environ.get("BENCH_DATABASES", "sqlite,postgres").split(",")
    if os.environ.get("BENCH_BUILD") != "0":
        build()
    with contextlib.ExitStack() as made:
        databases = []
        for name in chosen:
            databases.append(kinds[name]())
            made.callback(databases[-1].close)
        all_seeded = [prepare(database) for database in databases]
        rounds = []
        for number in range(settings.ROUNDS):
            say(f"round {number + 1} of {settings.ROUNDS}")
            rounds.append(run_round(all_seeded))
        about = machine(databases)
    cells = report.medians(rounds)
    if failures := report.errors(cells):
        sys.exit("the benchmark failed, so no results are written:\n" + "\n".join(failures))
    found = report.floors(cells)
    text = report.about(about) + "\n" + report.table(cells) + "\n" + report.floors_table(found)
    write_results(about, cells, text)
    print(text)
    if os.environ.get("BENCH_STRICT") == "1" and not all(holds for *_, holds in found):
        sys.exit("a floor was missed")


if __name__ == "__main__":
    main()
