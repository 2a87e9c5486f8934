#!/usr/bin/env python3
"""Draws chart.png from results.json. Needs matplotlib (requirements.txt)."""

import json
import sys

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot  # noqa: E402  (the backend must be set first)

_TITLES = {
    "static": "static reply",
    "baseline-sqlite": "first version, SQLite",
    "quietline-sqlite": "quietline, SQLite",
    "baseline-postgres": "first version, PostgreSQL",
    "quietline-postgres": "quietline, PostgreSQL",
    "pgbench": "pgbench, one round trip, no HTTP",
}
_COLOURS = {
    "static": "#bdbdbd",
    "baseline-sqlite": "#f2b184",
    "quietline-sqlite": "#c8541b",
    "baseline-postgres": "#9fc3e6",
    "quietline-postgres": "#1f5fa8",
    "pgbench": "#7a7a7a",
}
_WORKLOADS = {
    "w1": "W1: GET organization",
    "w2": "W2: PATCH organization",
    "w3": "W3: PUT missed-call message",
    "w4a": "W4a: 401, unknown key",
    "w4b": "W4b: 422, out of range",
    "w4c": "W4c: 401, unknown key with a body",
}


def draw(cells, path):
    """Draws one panel for each workload with one bar for each measured system."""
    rates = {(cell["system"], cell["workload"]): cell["requests_per_second"] for cell in cells}
    systems = [name for name in _TITLES if any(name == system for system, _ in rates)]
    figure, panels = pyplot.subplots(1, len(_WORKLOADS), figsize=(16, 3.6), sharey=True)
    for panel, (workload, title) in zip(panels, _WORKLOADS.items(), strict=True):
        _panel(panel, title, systems, [rates.get((name, workload)) for name in systems])
    panels[0].invert_yaxis()
    figure.suptitle("Requests per second, 32 connections, load generator on the same machine")
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def _panel(panel, title, systems, values):
    """Draws the bars of one workload. `None` is a missing measurement."""
    bars = panel.barh(
        [_TITLES[system] for system in systems],
        [value or 0 for value in values],
        color=[_COLOURS[system] for system in systems],
    )
    labels = ["" if value is None else f"{value:,.0f}" for value in values]
    panel.bar_label(bars, labels=labels, padding=3, fontsize=8)
    panel.set_title(title, fontsize=10)
    panel.set_xlim(0, max(value or 0 for value in values) * 1.35)
    panel.tick_params(labelsize=8, length=0)
    panel.xaxis.set_visible(False)
    for side in ("top", "right", "bottom"):
        panel.spines[side].set_visible(False)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as results:
        draw(json.load(results)["cells"], sys.argv[2])
