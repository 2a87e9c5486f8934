"""Large databases. The command line creates one organization, the API changes it, and SQL copies
it. Only the hashes of the audit log are unrealistic: they are random, so `quietline audit
verify` fails on such a database."""

import hashlib
import json
import uuid

from . import settings
from .client import Client
from .databases import Sqlite
from .seed import Organization
from .servers import Server, quietline

SCOPES = "org:read,org:admin:write,audit:read"


def organization_id(number):
    """Returns the id of an organization, as load.lua does."""
    return f"00000000-0000-7000-8000-{number:012x}"


def key(number):
    """Returns the API key of an organization, as load.lua does."""
    return f"am_live_{number:034}"


def fill(database, name, organizations, entries_each, entries_of_first):
    """Creates the database `name`. Each organization has one key and `entries_each` audit entries,
    and organization 1 has `entries_of_first` more. Returns bytes per organization and entry."""
    source = _make_source(database, name)
    dialect = _Sqlite(database, name) if isinstance(database, Sqlite) else _Postgres(database, name)
    sizes = [database.size(name)]
    dialect.insert(
        "organizations", source, range(1, organizations + 1), _organization(entries_each)
    )
    dialect.insert("api_keys", source, range(1, organizations + 1), _API_KEY)
    sizes.append(database.size(name))
    for seq in range(1, entries_each + 1):
        dialect.insert("audit_log", source, range(1, organizations + 1), _entry("each", str(seq)))
    numbers = range(entries_each + 1, entries_each + entries_of_first + 1)
    dialect.insert("audit_log", source, numbers, _entry("first", "{n}"))
    database.execute(
        name,
        f"UPDATE organizations SET audit_length = {numbers.stop - 1}"
        f" WHERE id = {dialect.id_literal(organization_id(1))}",
    )
    dialect.finish()
    sizes.append(database.size(name))
    entries = organizations * entries_each + entries_of_first
    return (sizes[1] - sizes[0]) / organizations, (sizes[2] - sizes[1]) / max(entries, 1)


def _make_source(database, name):
    """Creates an organization whose log entries 2 and 3 change retention and quiet hours."""
    database.create(name)
    url = database.url(name)
    created = json.loads(
        quietline(
            url, "--json", "org", "create", "--name", "Northwind Dental Partners 0000, Inc.",
            "--billing-email", "accounts-payable-0000@northwind-dental.example",
        )
    )  # fmt: skip
    command = ("--json", "key", "create", "--org", created["id"], "--scopes", SCOPES)
    plaintext = json.loads(quietline(url, *command, "--label", "settings service"))["plaintext"]
    server = Server([settings.QUIETLINE, "serve"], url)
    try:
        changes = {
            "message_retention_days": 365,
            "quiet_hours": {"enabled": True, "start": "19:00", "end": "08:00"},
        }
        source = Organization(created["id"], plaintext, "")
        Client(server.port).patch_organization(source, changes)
    finally:
        server.stop()
    return created["id"]


# Columns that differ between copies. `{…}` are the dialect's functions of the number n.
_API_KEY = {
    "id": "{each_id}",
    "org_id": "{each_id}",
    "prefix": "'am_live_0000'",
    "hash": "{key_hash}",
}


def _organization(entries):
    return {
        "id": "{each_id}",
        "external_id": "{hex24}",
        "version": "1",
        "audit_length": str(entries),
        "audit_head": "{random32}",
    }


def _entry(whose, seq):
    """Returns the columns of an entry of `each` organization, or of the `first`."""
    return {
        "org_id": f"{{{whose}_id}}",
        "seq": seq,
        "id": "{ulid}",
        "resource_id": f"{{{whose}_text}}",
        "request_id": "{ulid}",
        "previous_hash": "{random32}",
        "hash": "{random32}",
    }


def _copies(table, columns, own, source, numbers, functions):
    """Returns the statement that copies the source's row in `table` for `numbers`."""
    values = [own.get(column, f"source.{column}").format(**functions) for column in columns]
    filters = {
        "organizations": f"source.id = {source}",
        "api_keys": f"source.org_id = {source}",
        "audit_log": f"source.org_id = {source} AND source.seq = 2 + n % 2",
    }
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)}"
        f" FROM {table} AS source, {numbers} WHERE {filters[table]}"
    )


class _Sqlite:
    _FUNCTIONS = {
        "n": "n",
        "each_id": "organization_id(n)",
        "each_text": "'00000000-0000-7000-8000-' || printf('%012x', n)",
        "first_id": "organization_id(1)",
        "first_text": f"'{organization_id(1)}'",
        "hex24": "lower(hex(randomblob(12)))",
        "ulid": "substr(hex(randomblob(13)), 1, 26)",
        "random32": "randomblob(32)",
        "key_hash": "key_hash(n)",
    }

    def __init__(self, database, name):
        self._database, self._name = database, name

    def insert(self, table, source, numbers, own):
        """Copies the source's row in `table` for each number."""
        with self._database.connect(self._name) as connection:
            connection.create_function("key_hash", 1, _key_hash, deterministic=True)
            connection.create_function("organization_id", 1, _id_bytes, deterministic=True)
            connection.executescript("PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000;")
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            counted = (
                f"(WITH RECURSIVE numbers(n) AS (SELECT {numbers.start} UNION ALL"
                f" SELECT n + 1 FROM numbers WHERE n + 1 < {numbers.stop}) SELECT n FROM numbers)"
            )
            if numbers:
                whose = self.id_literal(source)
                connection.execute(_copies(table, columns, own, whose, counted, self._FUNCTIONS))
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def id_literal(self, text):
        """Returns an id as an SQL literal."""
        return f"x'{text.replace('-', '')}'"

    def finish(self):
        """Does nothing. SQLite collects statistics only on ANALYZE, which the server never runs."""


def _id_bytes(number):
    return uuid.UUID(organization_id(number)).bytes


def _key_hash(number):
    return hashlib.sha256(key(number).encode()).digest()


class _Postgres:
    _FUNCTIONS = {
        "n": "n",
        "each_id": "('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid",
        "each_text": "'00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0')",
        "first_id": f"'{organization_id(1)}'::uuid",
        "first_text": f"'{organization_id(1)}'",
        "hex24": "substr(md5(n::text), 1, 24)",
        "ulid": "upper(substr(md5(random()::text), 1, 26))",
        "random32": "sha256(random()::text::bytea)",
        "key_hash": "sha256(('am_live_' || lpad(n::text, 34, '0'))::bytea)",
    }

    def __init__(self, database, name):
        self._database, self._name = database, name

    def insert(self, table, source, numbers, own):
        """Copies the source's row in `table` for each number."""
        query = (
            "SELECT string_agg(column_name, ',' ORDER BY ordinal_position)"
            f" FROM information_schema.columns WHERE table_name = '{table}'"
        )
        columns = self._database.text(self._name, query).split(",")
        counted = f"generate_series({numbers.start}, {numbers.stop - 1}) AS n"
        statement = _copies(table, columns, own, self.id_literal(source), counted, self._FUNCTIONS)
        self._database.execute(self._name, statement)

    def id_literal(self, text):
        """Returns an id as an SQL literal."""
        return f"'{text}'::uuid"

    def finish(self):
        """Vacuums now. Otherwise autovacuum would run in the middle of a measurement."""
        self._database.execute(self._name, "VACUUM (ANALYZE, FREEZE)")
        self._database.execute(self._name, "CHECKPOINT")
