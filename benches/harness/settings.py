"""Paths, durations and server settings of the benchmark."""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
BASELINE_TARGET = TARGET / "bench-baseline"
RESULTS = TARGET / "bench"

QUIETLINE = TARGET / "release" / "quietline"
BASELINE = BASELINE_TARGET / "release" / "baseline"
STATIC_REPLY = BASELINE_TARGET / "release" / "static-reply"
LOAD_SCRIPT = ROOT / "benches" / "load" / "load.lua"
PGBENCH = ROOT / "benches" / "pgbench"

SECONDS = float(os.environ.get("BENCH_SECONDS", "5"))
WARM_UP_SECONDS = 1.0
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
ORGANIZATIONS = int(os.environ.get("BENCH_ORGANIZATIONS", "1000"))
CONNECTIONS = 32
# Workers of the baseline servers: the default of actix-web. Quietline has its own default.
WORKERS = os.cpu_count() or 1

# File for the servers' standard error, the access log included. Writing the log is part of the
# work, but the default discards it, because a busy disk would distort the figures.
SERVER_LOG = os.environ.get("BENCH_SERVER_LOG", os.devnull)

JWT_SECRET = "benchmark-benchmark-benchmark-benchmark"
