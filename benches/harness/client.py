"""Client of the two APIs that raises on every unexpected response."""

import http.client
import json


class Unexpected(Exception):
    """Response that the measured operation must not return."""


class Client:
    """Connection to a server."""

    def __init__(self, port):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def call(self, method, path, credential, body=None, expected=200):
        """Sends a request, checks the status and returns the JSON of the response."""
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
        """Sends GET /v1/organization and checks the response."""
        data = self.call("GET", "/v1/organization", organization.key)["data"]
        _check(data["id"] == organization.id, data)
        return data

    def patch_organization(self, organization, changes):
        """Sends PATCH /v1/organization and checks the response."""
        data = self.call("PATCH", "/v1/organization", organization.key, changes)["data"]
        for name, value in changes.items():
            is_part = isinstance(value, dict)
            _check(value.items() <= data[name].items() if is_part else data[name] == value, data)

    def put_missed_call_message(self, organization, text):
        """Sends PUT …/missed-call-message and checks the response."""
        path = f"/api/organizations/{organization.id}/missed-call-message"
        body = {"missedCallMessage": text, "missedCallAutoMessageEnabled": True}
        response = self.call("PUT", path, organization.token, body)
        _check(response == body, response)


def _check(is_right, response):
    if not is_right:
        raise Unexpected(f"wrong response: {response}")
