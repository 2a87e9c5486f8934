"""Turns measurements into tables and compares them with the floors."""

import statistics

from .load import WORKLOADS

DATABASES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
TITLES = {
    "static": "static 700-byte reply from actix, no work (limit of the HTTP layer)",
    "baseline-sqlite": "SQLite: plain first version (`benches/baseline`)",
    "quietline-sqlite": "**SQLite: quietline**",
    "baseline-postgres": "PostgreSQL: plain first version",
    "quietline-postgres": "**PostgreSQL: quietline**",
    "pgbench": "pgbench, the same work in one round trip, 16 clients, no HTTP",
}

# Compared with W1, whatever the workload.
_BY_W1 = ("static", "quietline-postgres")

# (what, workloads, database, compared with, least ratio)
_RATIO_FLOORS = (
    ("of the static reply", ("w1",), "sqlite", "static", 0.55),
    ("times the first version", ("w2", "w3"), "sqlite", "baseline-sqlite", 7),
    ("of the static reply", ("w4a", "w4b", "w4c"), "sqlite", "static", 0.6),
    ("times the first version", ("w1",), "postgres", "baseline-postgres", 1.5),
    ("of pgbench's best form", ("w2",), "postgres", "pgbench", 0.8),
    ("of the static reply", ("w4b",), "postgres", "static", 0.6),
    ("of W1", ("w4a", "w4c"), "postgres", "quietline-postgres", 0.9),
)
_MOST_P99_MS = {"sqlite": 10, "postgres": 20}
_MOST_RSS_MIB = 60


def medians(rounds):
    """Returns the medians of all rounds, but the sum of errors and the maximum of memory."""
    cells = {}
    for system, workload in sorted({cell for one in rounds for cell in one}):
        taken = [one[system, workload] for one in rounds if (system, workload) in one]
        cells[system, workload] = {
            name: _combine(name, [one[name] for one in taken]) for name in taken[0]
        }
    return cells


def _combine(name, values):
    match name:
        case "errors" | "requests":
            return sum(values)
        case "peak_rss_mib":
            return max(values)
        case _:
            return statistics.median(values)


def errors(cells):
    """Returns a line for every cell with errors."""
    return [
        f"{system} {workload}: {cell['errors']} of {cell.get('requests', 'many')} requests failed"
        for (system, workload), cell in cells.items()
        if cell["errors"]
    ]


def about(machine):
    """Returns one paragraph about the machine and the settings."""
    versions = "".join(f", {DATABASES[name]} {text}" for name, text in machine["databases"].items())
    return (
        f"{machine['processor']}, {machine['processors']} processors, {machine['memory_gib']} GiB,"
        f" {machine['system']}{versions}; revision {machine['revision']};"
        f" {machine['organizations']} organizations, {machine['connections']} connections,"
        f" {machine['rounds']} × {machine['seconds']:g} s;"
        " load generator on the same machine.\n"
    )


def table(cells):
    """Returns the measurements as a Markdown table."""
    columns = ["req/s (median of rounds)", *map(_title, WORKLOADS)]
    columns += ["p50 W1", "p99 W1", "p99 W2", "p99 W3", "CPU W1", "CPU W2", "peak RSS"]
    lines = [row(columns), row(["---"] * len(columns))]
    systems = {system for system, _ in cells}
    for system in (system for system in TITLES if system in systems):
        rates = [_shown(cells, system, one, "requests_per_second", "{:,.0f}") for one in WORKLOADS]
        lines.append(
            row(
                [
                    TITLES[system],
                    *rates,
                    _shown(cells, system, "w1", "p50_ms", "{:.1f} ms"),
                    *[
                        _shown(cells, system, one, "p99_ms", "{:.1f} ms")
                        for one in ("w1", "w2", "w3")
                    ],
                    *[
                        _shown(cells, system, one, "cpu_us_per_request", "{:.0f} µs")
                        for one in ("w1", "w2")
                    ],
                    _memory(cells, system),
                ]
            )
        )
    return "\n".join(lines) + "\n"


def _title(workload):
    """Returns W4a for w4a."""
    return workload.capitalize()


def _shown(cells, system, workload, name, form):
    value = cells.get((system, workload), {}).get(name)
    return "" if value is None else form.format(value)


def _peak_rss(cells, system):
    return max(
        (cell.get("peak_rss_mib", 0) for (of, _), cell in cells.items() if of == system), default=0
    )


def _memory(cells, system):
    peak = _peak_rss(cells, system)
    return f"{peak:.0f} MiB" if peak else ""


def row(columns):
    """Returns one line of a Markdown table."""
    return "| " + " | ".join(columns) + " |"


def floors(cells):
    """Returns every floor as (text, measured, required, whether it holds)."""
    found = []
    for what, workloads, database, other, least in _RATIO_FLOORS:
        for workload in workloads:
            base = cells.get((other, "w1" if other in _BY_W1 else workload))
            own = cells.get((f"quietline-{database}", workload))
            if base and own:
                ratio = own["requests_per_second"] / base["requests_per_second"]
                text = f"{DATABASES[database]} {_title(workload)}, {what}"
                found.append((text, f"{ratio:.2f}", f"≥ {least}", ratio >= least))
    for database, most in _MOST_P99_MS.items():
        found += _latency_floors(cells, database, most)
    return found


def _latency_floors(cells, database, most):
    system, found = f"quietline-{database}", []
    for workload in ("w2", "w3"):
        if (system, workload) in cells:
            p99 = cells[system, workload]["p99_ms"]
            text = f"{DATABASES[database]} {_title(workload)}, p99"
            found.append((text, f"{p99:.1f} ms", f"≤ {most} ms", p99 <= most))
    if peak := _peak_rss(cells, system):
        text = f"{DATABASES[database]}, memory under load"
        found.append((text, f"{peak:.0f} MiB", f"≤ {_MOST_RSS_MIB} MiB", peak <= _MOST_RSS_MIB))
    return found


def floors_table(found):
    """Returns the floors as a Markdown table."""
    lines = [row(["quietline", "measured", "to reach", ""]), row(["---"] * 4)]
    lines += [row([*texts, "holds" if holds else "**missed**"]) for *texts, holds in found]
    return "\n".join(lines) + "\n"
