"""What must be true of a database after load: every acknowledged write is in its audit log."""

import concurrent.futures
import json

from .client import Client
from .load import Writes, probe
from .servers import quietline

_CLIENTS = 16
_STATE = """SELECT count(*), (SELECT sum(audit_length) FROM organizations) FROM audit_log"""


class AuditCount:
    """Counts the audit entries of a database from one moment on."""

    def __init__(self, database, name):
        self._database, self._name = database, name
        self._before = self._entries()

    def _entries(self):
        entries, lengths = self._database.numbers(self._name, _STATE)
        if entries != lengths:
            raise AssertionError(f"{entries} audit entries, but the chains are {lengths} long")
        return entries

    def check(self, writes):
        """The number of entries since then, if it fits `writes`."""
        entries = self._entries() - self._before
        if not writes.acknowledged <= entries <= writes.sent:
            raise AssertionError(
                f"{entries} audit entries, {writes.acknowledged} acknowledged, {writes.sent} sent"
            )
        return entries


def exact_count(server, database, name, organizations):
    """Writes from many clients at once, all of which wait for their answers: then the entries are
    exactly as many as were acknowledged."""
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
    """Has the server's own command follow every hash chain."""
    answer = json.loads(quietline(database.url(name), "--json", "audit", "verify"))
    if not answer["ok"]:
        raise AssertionError(f"broken audit logs: {answer['faults']}")
    return answer["entries"]
