"""Creates the organizations of the benchmark with the command line and the APIs."""

import base64
import concurrent.futures
import dataclasses
import hashlib
import hmac
import json
import time

from . import settings
from .client import Client
from .servers import Server, quietline

TOKEN_SECONDS = 24 * 60 * 60

# These texts make the JSON of an organization about 700 bytes long.
_SETTINGS = {
    "quiet_hours": {"enabled": True, "start": "19:00", "end": "08:00", "mode": "defer"},
    "auto_replies": {
        "stop_text": "You will get no more messages from us. Reply START to get them again.",
        "help_text": "Call us on weekdays from 8 to 17. Reply STOP to end messages.",
        "start_text": "You will get our messages again.",
    },
}


@dataclasses.dataclass(frozen=True)
class Organization:
    """Organization with its credentials in both dialects."""

    id: str
    key: str
    token: str


def seed(database, name):
    """Creates the database `name` with all organizations. Returns the organizations."""
    database.create(name)
    url = database.url(name)
    quietline(url, "migrate")
    with concurrent.futures.ThreadPoolExecutor(settings.WORKERS) as pool:
        numbers = range(settings.ORGANIZATIONS)
        organizations = list(pool.map(lambda number: _create(url, number), numbers))
    server = Server([settings.QUIETLINE, "serve"], url)
    try:
        client = Client(server.port)
        for organization in organizations:
            client.patch_organization(organization, _SETTINGS)
    finally:
        server.stop()
    return organizations


def _create(url, number):
    created = json.loads(
        quietline(
            url, "--json", "org", "create",
            "--name", f"Northwind Dental Partners {number:04}, Inc.",
            "--billing-email", f"accounts-payable-{number:04}@northwind-dental.example",
        )
    )  # fmt: skip
    key = json.loads(
        quietline(
            url, "--json", "key", "create",
            "--org", created["id"],
            "--label", "settings service",
            "--scopes", "org:read,org:admin:write",
        )
    )  # fmt: skip
    token = sign({"sub": f"user-{number}", "organizationId": created["id"], "accessRole": "ADMIN"})
    return Organization(created["id"], key["plaintext"], token)


def sign(claims):
    """Returns an HS256 JWT with `claims`, valid for a day."""
    claims = claims | {"exp": int(time.time()) + TOKEN_SECONDS}
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    signed = b".".join(_base64url(json.dumps(part).encode()) for part in parts)
    digest = hmac.digest(settings.JWT_SECRET.encode(), signed, hashlib.sha256)
    return (signed + b"." + _base64url(digest)).decode()


def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def write_credentials(organizations, path):
    """Writes the file that load.lua reads."""
    lines = [f"{one.id}\t{one.key}\t{one.token}\n" for one in organizations]
    path.write_text("".join(lines), encoding="ascii")
