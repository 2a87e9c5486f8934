"""Measures the same work with pgbench: one round trip to PostgreSQL, without HTTP."""

import glob
import math
import os
import re
import shutil
import subprocess
import tempfile

from . import settings

CLIENTS = 16
SCRIPTS = {"w1": "read.sql", "w2": "patch.sql"}


def is_available():
    """Returns whether pgbench is installed."""
    return shutil.which("pgbench") is not None


def prepare(database, name):
    """Adds the function that pgbench calls to the database `name`."""
    database.execute(name, (settings.PGBENCH / "setup.sql").read_text(encoding="utf-8"))


def measure(database, name, workload):
    """Runs the script of `workload` and returns the figures."""
    with tempfile.TemporaryDirectory() as logs:
        command = [
            "pgbench", "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "1",
            "-T", str(max(1, round(settings.SECONDS))),
            "-D", f"organizations={settings.ORGANIZATIONS}",
            "-l", "--log-prefix", os.path.join(logs, "log"),
            "-f", settings.PGBENCH / SCRIPTS[workload], database.url(name),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"pgbench: {done.stderr}")
        latencies = sorted(_latencies(logs))
    rate = re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)
    failed = re.search(r"^number of failed transactions: ([0-9]+)", done.stdout, re.MULTILINE)
    return {
        "requests_per_second": float(rate[1]),
        "p50_ms": _percentile(latencies, 0.50),
        "p99_ms": _percentile(latencies, 0.99),
        "errors": int(failed[1]) if failed else 0,
    }


def _latencies(directory):
    """Yields the milliseconds of every transaction from pgbench's logs."""
    for path in glob.glob(os.path.join(directory, "log*")):
        with open(path, encoding="ascii") as log:
            yield from (int(line.split()[2]) / 1000 for line in log)


def _percentile(ordered, share):
    return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * share) - 1)]
