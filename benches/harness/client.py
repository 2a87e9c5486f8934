"""A client of the two APIs that refuses every answer but the expected one."""

import http.client
import json


class Unexpected(Exception):
    """An answer that the measured operation must not give."""


class Client:
    """One connection to a server."""

    def __init__(self, port):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def call(self, method, path, credential, body=None, expected=200):
        """The answer's JSON, if its status is `expected`."""
        headers = {"Authorization": f"Bearer {credential}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        text = response.read()
        if response.status != expected:
            raise Unexpected(f"{method} {path}: {response.status} instead of {expected}: {text!r}")
        return json.loads(text)

    def get_organization(self, organization):
        """GET /v1/organization, checked."""
        data = self.call("GET", "/v1/organization", organization.key)["data"]
        _check(data["id"] == organization.id, data)
        return data

    def patch_organization(self, organization, changes):
        """PATCH /v1/organization, checked."""
        data = self.call("PATCH", "/v1/organization", organization.key, changes)["data"]
        for name, value in changes.items():
            is_part = isinstance(value, dict)
            _check(value.items() <= data[name].items() if is_part else data[name] == value, data)

    def put_missed_call_message(self, organization, text):
        """PUT …/missed-call-message, checked."""
        path = f"/api/organizations/{organization.id}/missed-call-message"
        body = {"missedCallMessage": text, "missedCallAutoMessageEnabled": True}
        answer = self.call("PUT", path, organization.token, body)
        _check(answer == body, answer)


def _check(is_right, answer):
    if not is_right:
        raise Unexpected(f"wrong answer: {answer}")
