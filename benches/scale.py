#!/usr/bin/env python3
"""Measures how cost grows with the number of organizations and audit entries: W1 to W3 and the
audit list on databases of different sizes, interleaved, and the stored bytes. Writes scale.json and
scale.md to target/bench/.

    scripts/with-postgres benches/scale.py --organizations 1000 100000 1000000 --entries-each 10

The databases are locked in memory if they fit and this program may (as root, or with `ulimit -l
unlimited`). BENCH_SECONDS, BENCH_ROUNDS (at most 7) and BENCH_DATABASES work as for run.py, which
must have built the binaries."""

import argparse
import contextlib
import json
import os
import statistics
import sys
import time

from harness import bulk, load, settings, verify
from harness.client import Client, Unexpected
from harness.databases import Postgres, Sqlite
from harness.memory import Held
from harness.report import DATABASES, medians, row
from harness.seed import sign
from harness.servers import Server

WORKLOADS = ("w1", "w2", "w3")
PAGE, PAGES = 50, 100
REPEATS = 50
LEAST_RATE = {"sqlite": 0.55, "postgres": 0.7}
MOST_PAGE_RATIO = 3


class Place:
    """Server on a database of one size."""

    def __init__(self, database, organizations, entries_each):
        self.database, self.organizations = database, organizations
        self._name = f"scale_{organizations}"
        started = time.monotonic()
        sizes = bulk.fill(database, self._name, organizations, entries_each, PAGE * PAGES)
        self.bytes_per_organization, self.bytes_per_entry = sizes
        self.bytes = database.size(self._name)
        token = sign({"sub": "benchmark", "accessRole": "SUPERADMIN"})
        self._credentials = f"dense:{organizations}:{token}"
        self._count = verify.AuditCount(database, self._name)
        self._writes = load.Writes()
        os.sync()  # write back now, which takes up to half a minute
        self._held = self._hold()
        self.server = Server([settings.QUIETLINE, "serve"], database.url(self._name))
        say(
            f"{database.name}: {organizations:,} organizations, {self.bytes / 2**20:,.0f} MiB,"
            f" created in {time.monotonic() - started:.0f} s"
        )

    def _hold(self):
        try:
            return Held(self.database.files(self._name))
        except (OSError, MemoryError) as error:
            say(f"{self.database.name}: not held in memory: {error}")
            return None

    @property
    def is_held(self):
        """Returns whether the database is locked in memory."""
        return self._held is not None

    @property
    def system(self):
        """Key of its measurements."""
        return (self.database.name, self.organizations)

    def measure(self, workload, turn):
        """Measures one workload for the `turn`-th time."""
        return load.measure(self.server, workload, self._credentials, self._writes, turn)

    def page_times(self):
        """Returns milliseconds of the audit list's first and last page, `None` if not served."""
        client = Client(self.server.port)
        path = f"/v1/audit-log?limit={PAGE}"
        try:
            cursors = self._cursors(client, path)
        except Unexpected as error:
            say(f"no audit list: {error}")
            return None
        return [_median_ms(client, path + cursor) for cursor in (cursors[0], cursors[-1])]

    def _cursors(self, client, path):
        cursors = [""]
        while len(cursors) < PAGES:
            meta = client.call("GET", path + cursors[-1], bulk.key(1))["meta"]
            cursors.append(f"&cursor={meta['next_cursor']}")
        return cursors

    def close(self):
        """Stops the server and checks that no acknowledged write is missing."""
        self.server.stop()
        self._count.check(self._writes)
        if self._held:
            self._held.close()
        self.database.drop(self._name)


def _median_ms(client, path):
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        client.call("GET", path, bulk.key(1))
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def say(text):
    """Prints progress to standard error."""
    print(text, file=sys.stderr, flush=True)


def measure(places):
    """Measures every workload at every size of one database."""
    rounds = []
    for number in range(settings.ROUNDS):
        cells = {}
        for workload in WORKLOADS:
            for place in places:
                cell = cells[place.system, workload] = place.measure(workload, number)
                say(
                    f"  round {number + 1} {workload} {place.organizations:>9,}:"
                    f" {cell['requests_per_second']:10,.0f} req/s, errors {cell['errors']}"
                )
        rounds.append(cells)
    return medians(rounds)


def rows(places, cells, pages):
    """Yields one line of the table for each size."""
    first = places[0].system
    for place in places:
        rates = []
        for workload in WORKLOADS:
            rate = cells[place.system, workload]["requests_per_second"]
            ratio = rate / cells[first, workload]["requests_per_second"]
            rates.append(f"{rate:,.0f} ({ratio:.2f})")
        times = pages[place.organizations]
        shown = "not served" if times is None else f"{times[0]:.1f} / {times[1]:.1f} ms"
        peak = max(cells[place.system, workload]["peak_rss_mib"] for workload in WORKLOADS)
        yield row(
            [
                DATABASES[place.database.name],
                f"{place.organizations:,}",
                *rates,
                shown,
                f"{peak:.0f} MiB",
                f"{place.bytes / 2**20:,.0f} MiB",
                "yes" if place.is_held else "no",
                f"{place.bytes_per_organization * 100_000 / 2**20:,.0f} MiB",
                f"{place.bytes_per_entry * 1_000_000 / 2**20:,.0f} MiB",
            ]
        )


def failures(places, cells, pages):
    """Yields errors and missed floors."""
    first = places[0].system
    for place in places:
        for workload in WORKLOADS:
            cell = cells[place.system, workload]
            ratio = cell["requests_per_second"] / cells[first, workload]["requests_per_second"]
            if cell["errors"]:
                yield f"{place.system} {workload}: {cell['errors']} errors"
            least = LEAST_RATE[place.database.name]
            if ratio < least:
                yield f"{place.system} {workload}: {ratio:.2f} of the smallest, not {least}"
        times = pages[place.organizations]
        if times and max(times) > MOST_PAGE_RATIO * min(times):
            yield f"{place.system}: pages take {times} ms"


def run(database, arguments):
    """Measures one kind of database. Returns lines of the table, failures and raw cells."""
    with contextlib.ExitStack() as made:
        made.callback(database.close)
        places = []
        for organizations in arguments.organizations:
            places.append(Place(database, organizations, arguments.entries_each))
            made.callback(places[-1].server.stop)
        pages = {place.organizations: place.page_times() for place in places}
        cells = measure(places)
        for place in places:
            place.close()
    listed = [
        {"system": of, "workload": workload, **cell} for (of, workload), cell in cells.items()
    ]
    return list(rows(places, cells, pages)), list(failures(places, cells, pages)), listed


def main():
    """Runs the measurements. Exits with an error if cost grows too fast."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--organizations", type=int, nargs="+", default=[1_000, 1_000_000])
    parser.add_argument("--entries-each", type=int, default=10)
    arguments = parser.parse_args()
    head = [
        "database",
        "organizations",
        "W1 req/s (of the smallest)",
        "W2",
        "W3",
        "audit page 1 / 100",
        "peak RSS",
        "database size",
        "held in memory",
        "per 100,000 organizations",
        "per 1,000,000 audit entries",
    ]
    lines, found, cells = [row(head), row(["---"] * len(head))], [], []
    for name in os.environ.get("BENCH_DATABASES", "sqlite,postgres").split(","):
        database = {"sqlite": Sqlite, "postgres": Postgres}[name]()
        more, wrong, listed = run(database, arguments)
        lines, found, cells = lines + more, found + wrong, cells + listed
    text = "\n".join(lines) + "\n"
    settings.RESULTS.mkdir(parents=True, exist_ok=True)
    (settings.RESULTS / "scale.md").write_text(text, encoding="utf-8")
    (settings.RESULTS / "scale.json").write_text(json.dumps(cells, indent=2), encoding="utf-8")
    print(text)
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
