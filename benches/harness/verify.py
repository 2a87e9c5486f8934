"""Checks that the audit log has every acknowledged write after a load."""

import concurrent.futures
import json

from .client import Client
from .load import Writes, probe
from .servers import quietline

_CLIENTS = 16
_STATE = """SELECT count(*), (SELECT sum(audit_length) FROM organizations) FROM audit_log"""


class AuditCount:
    """Counts the new audit entries of a database since its creation."""

    def __init__(self, database, name):
        self._database, self._name = database, name
        self._before = self._entries()

    def _entries(self):
        entries, lengths = self._database.numbers(self._name, _STATE)
        if entries != lengths:
            raise AssertionError(f"{entries} audit entries, but the chains are {lengths} long")
        return entries

    def check(self, writes):
        """Returns the number of new entries. Raises if it does not match `writes`."""
        entries = self._entries() - self._before
        if not writes.acknowledged <= entries <= writes.sent:
            raise AssertionError(
                f"{entries} audit entries, {writes.acknowledged} acknowledged, {writes.sent} sent"
            )
        return entries


def exact_count(server, database, name, organizations):
    """Writes from many concurrent clients that wait for every response. Then every audit entry must
    belong to an acknowledged write, and vice versa."""
    count, shares = AuditCount(database, name), []
    for first in range(_CLIENTS):
        shares.append(organizations[first::_CLIENTS][:10])

    def work(share):
        writes = Writes()
        probe(Client(server.port), "w2", share, 99, writes)
        return writes.acknowledged

    with concurrent.futures.ThreadPoolExecutor(_CLIENTS) as pool:
        acknowledged = sum(pool.map(work, shares))
    return count.check(Writes(acknowledged, acknowledged))


def chains(database, name):
    """Verifies every hash chain with `quietline audit verify`."""
    result = json.loads(quietline(database.url(name), "--json", "audit", "verify"))
    if not result["ok"]:
        raise AssertionError(f"broken audit logs: {result['faults']}")
    return result["entries"]
