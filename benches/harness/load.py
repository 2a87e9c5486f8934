"""Runs wrk against a server, checks the responses and counts the writes."""

import dataclasses
import json
import subprocess

from . import settings
from .client import Unexpected

WORKLOADS = ("w1", "w2", "w3", "w4a", "w4b", "w4c")

# Audit entries per write: retention and quiet hours are two actions, the message is one.
_ENTRIES = {"w2": 2, "w3": 1}


@dataclasses.dataclass
class Writes:
    """Number of audit entries that must exist (`acknowledged`) and that may exist (`sent`). They
    differ because each connection of wrk may end before the response to its last write."""

    acknowledged: int = 0
    sent: int = 0

    def add(self, workload, acknowledged, sent):
        """Adds requests of `workload`."""
        self.acknowledged += acknowledged * _ENTRIES.get(workload, 0)
        self.sent += sent * _ENTRIES.get(workload, 0)


def measure(server, workload, credentials, writes, turn=0):
    """Warms up, measures, and returns the figures. `turn` (0 to 6) is the index of this measurement
    of the workload on one database. The warm-up checks the status of each response. The measurement
    only tells errors from other responses, which wrk counts without a script."""
    warm_up = _wrk(
        server, workload, credentials, 2 * turn, settings.WARM_UP_SECONDS, writes, "each"
    )
    cpu_before = server.cpu_seconds()
    outcome = _wrk(server, workload, credentials, 2 * turn + 1, settings.SECONDS, writes)
    cpu_seconds = server.cpu_seconds() - cpu_before
    return {
        "requests_per_second": outcome["requests"] / outcome["seconds"],
        "p50_ms": outcome["p50_ms"],
        "p99_ms": outcome["p99_ms"],
        "max_ms": outcome["max_ms"],
        "cpu_us_per_request": cpu_seconds * 1e6 / max(outcome["requests"], 1),
        "requests": outcome["requests"],
        "errors": sum(one["unexpected"] + one["broken"] for one in (warm_up, outcome)),
        "peak_rss_mib": server.peak_rss_mib(),
    }


def _wrk(server, workload, credentials, generation, seconds, writes, *checks):
    command = [
        "wrk", "-t1", f"-c{settings.CONNECTIONS}", f"-d{max(1, round(seconds))}s",
        "--timeout", "15s", "-s", settings.LOAD_SCRIPT, server.url,
        "--", workload, str(credentials), str(generation), *checks,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines or not lines[-1].startswith("{"):
        raise RuntimeError(f"wrk: {done.stderr or done.stdout}")
    outcome = json.loads(lines[-1])
    good = outcome["requests"] - outcome["unexpected"]
    writes.add(workload, good, outcome["sent"])
    return outcome


def probe(client, workload, organizations, days, writes):
    """Sends single requests of `workload` and checks their responses in full, unlike wrk. `days` is
    a retention value that no other request writes."""
    for number, organization in enumerate(organizations):
        _PROBES[workload](client, organization, days, number)
    writes.add(workload, len(organizations), len(organizations))


def _w1(client, organization, _days, _number):
    client.get_organization(organization)


def _w2(client, organization, days, number):
    window = {"enabled": True, "start": f"18:{number % 60:02}", "end": f"0{days % 10}:30"}
    changes = {"message_retention_days": days, "quiet_hours": window}
    client.patch_organization(organization, changes)


def _w3(client, organization, days, number):
    client.put_missed_call_message(organization, f"Probe {days} of {number}")


def _w4a(client, organization, _days, _number):
    error = client.call("GET", "/v1/organization", _unknown(organization), expected=401)["error"]
    _check(error["code"] == "UNAUTHORIZED", error)


def _w4b(client, organization, _days, _number):
    body = {
        "message_retention_days": 29,
        "quiet_hours": {"enabled": True, "start": "24:00", "end": "08:00"},
    }
    error = client.call("PATCH", "/v1/organization", organization.key, body, expected=422)["error"]
    fields = {"message_retention_days", "quiet_hours.start"}
    _check(error["code"] == "VALIDATION_FAILED" and error["details"].keys() == fields, error)


def _w4c(client, organization, _days, _number):
    body, key = {"message_retention_days": 90}, _unknown(organization)
    error = client.call("PATCH", "/v1/organization", key, body, expected=401)["error"]
    _check(error["code"] == "UNAUTHORIZED", error)


def _unknown(organization):
    """Returns a well-formed key that is not stored."""
    return organization.key[:8] + organization.key[:7:-1]


def _check(is_right, error):
    if not is_right:
        raise Unexpected(f"wrong error: {error}")


_PROBES = {"w1": _w1, "w2": _w2, "w3": _w3, "w4a": _w4a, "w4b": _w4b, "w4c": _w4c}
