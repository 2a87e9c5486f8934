"""Tests the checker of breaking changes on mutated copies of the specs."""

import copy
import pathlib
import unittest

import yaml
from breaking_changes import compare

OPENAPI = pathlib.Path(__file__).resolve().parents[3] / "openapi"
AGENTMESSAGE = yaml.safe_load((OPENAPI / "agentmessage.yaml").read_text())
TETHER = yaml.safe_load((OPENAPI / "tether-relay.yaml").read_text())
ORGANIZATION = ("paths", "/v1/organization")
PATCH = (*ORGANIZATION, "patch")
MISSED_CALL = ("paths", "/api/organizations/{organizationId}/missed-call-message")
SCHEMAS = ("components", "schemas")
REQUEST = (*SCHEMAS, "UpdateOrganizationRequest")
REMOVED = object()


def mutated(document, path, value):
    """Returns a copy with one node changed or removed."""
    changed = copy.deepcopy(document)
    node = changed
    for part in path[:-1]:
        node = node[part]
    if value is REMOVED:
        del node[path[-1]]
    elif isinstance(node, list):
        node.insert(path[-1], value)
    else:
        node[path[-1]] = value
    return changed


# Document, path of the changed node, its new value, and a part of the expected finding.
BREAKING = [
    (AGENTMESSAGE, ORGANIZATION, REMOVED, "operation removed"),
    (AGENTMESSAGE, PATCH, REMOVED, "PATCH /v1/organization: operation removed"),
    (AGENTMESSAGE, (*PATCH, "operationId"), "updateOrganization", "operationId changed"),
    (
        AGENTMESSAGE,
        (*PATCH, "security"),
        [{"bearerAuth": ["org:admin:write", "org:read"]}],
        "credential no longer",
    ),
    (AGENTMESSAGE, (*PATCH, "responses", "412"), REMOVED, "412: status removed"),
    (AGENTMESSAGE, (*PATCH, "responses", "202"), {"description": "Later."}, "202: new status"),
    (
        AGENTMESSAGE,
        (*PATCH, "responses", "200", "headers", "ETag"),
        REMOVED,
        "200 header ETag: removed",
    ),
    (
        AGENTMESSAGE,
        ("components", "headers", "ETag", "required"),
        False,
        "ETag: no longer always present",
    ),
    (
        AGENTMESSAGE,
        ("components", "parameters", "IfMatch", "required"),
        True,
        "If-Match: is now required",
    ),
    (AGENTMESSAGE, (*PATCH, "parameters"), [], "If-Match: removed"),
    (AGENTMESSAGE, (*REQUEST, "properties", "name"), REMOVED, "request name: removed"),
    (AGENTMESSAGE, (*REQUEST, "required"), ["name"], "request name: is now required"),
    (
        AGENTMESSAGE,
        (*REQUEST, "properties", "mms_retention_days", "maximum"),
        90,
        "maximum changed from 365 to 90",
    ),
    (
        AGENTMESSAGE,
        (*REQUEST, "properties", "mms_retention_days", "minimum"),
        31,
        "minimum changed from 30 to 31",
    ),
    (
        AGENTMESSAGE,
        (*REQUEST, "properties", "name", "maxLength"),
        100,
        "maxLength changed from None to 100",
    ),
    (AGENTMESSAGE, (*REQUEST, "properties", "name", "pattern"), "^a$", "name: pattern changed"),
    (
        AGENTMESSAGE,
        (*REQUEST, "properties", "name", "x-quietline-pattern"),
        "^a$",
        "name: x-quietline-pattern changed",
    ),
    (
        AGENTMESSAGE,
        (*REQUEST, "properties", "billing_email", "type"),
        "string",
        "type null no longer accepted",
    ),
    (
        AGENTMESSAGE,
        (*REQUEST, "properties", "is_reseller", "type"),
        "string",
        "type boolean no longer accepted",
    ),
    (AGENTMESSAGE, (*SCHEMAS, "QuietHoursMode", "enum"), ["reject"], "enum value 'defer' removed"),
    (
        AGENTMESSAGE,
        (*SCHEMAS, "QuietHoursMode", "enum", 2),
        "drop",
        "enum value 'drop' new in responses",
    ),
    (
        AGENTMESSAGE,
        (*SCHEMAS, "Organization", "properties", "plan"),
        REMOVED,
        "200 data.plan: removed",
    ),
    (
        AGENTMESSAGE,
        (*SCHEMAS, "Organization", "required"),
        ["id"],
        "data.name: no longer always present",
    ),
    (
        AGENTMESSAGE,
        (*SCHEMAS, "Organization", "properties", "plan", "type"),
        ["string", "null"],
        "type null new",
    ),
    (
        AGENTMESSAGE,
        (*SCHEMAS, "Organization", "properties", "name", "maxLength"),
        300,
        "from 200 to 300",
    ),
    (
        AGENTMESSAGE,
        (*SCHEMAS, "Organization", "properties", "id", "format"),
        REMOVED,
        "format changed",
    ),
    (
        AGENTMESSAGE,
        (*SCHEMAS, "ErrorBody", "properties", "code", "$ref"),
        "#/components/schemas/QuietHoursMode",
        "code",
    ),
    (
        TETHER,
        (*SCHEMAS, "MissedCallMessageResponse", "properties", "missedCallMessage", "maxLength"),
        REMOVED,
        "to None",
    ),
    (
        TETHER,
        (*SCHEMAS, "UpdateMissedCallMessageRequest", "additionalProperties"),
        False,
        "other properties",
    ),
    (
        TETHER,
        (*MISSED_CALL, "put", "requestBody", "content"),
        {"text/plain": {}},
        "application/json removed",
    ),
    (TETHER, (*MISSED_CALL, "get", "security"), [{"other": []}], "credential no longer sufficient"),
]

COMPATIBLE = [
    (AGENTMESSAGE, (*PATCH, "description"), "Other words."),
    (AGENTMESSAGE, (*PATCH, "responses", "410"), {"description": "Gone."}),
    (AGENTMESSAGE, ("paths", "/v1/other"), {"get": {"responses": {}}}),
    (AGENTMESSAGE, (*REQUEST, "properties", "colour"), {"type": "string"}),
    (AGENTMESSAGE, (*REQUEST, "properties", "mms_retention_days", "maximum"), 730),
    (AGENTMESSAGE, (*REQUEST, "properties", "mms_retention_days", "type"), ["number", "null"]),
    (AGENTMESSAGE, (*REQUEST, "x-note"), "words"),
    (AGENTMESSAGE, (*SCHEMAS, "Organization", "properties", "colour"), {"type": "string"}),
    (AGENTMESSAGE, (*SCHEMAS, "Organization", "properties", "name", "maxLength"), 100),
    (AGENTMESSAGE, (*PATCH, "security"), [{"bearerAuth": []}]),
    (TETHER, (*SCHEMAS, "MissedCallMessageResponse", "required"), ["missedCallMessage"]),
]


class Mutations(unittest.TestCase):
    def test_breaking(self):
        for document, path, value, expected in BREAKING:
            with self.subTest(path=path, value=value):
                findings = compare(document, mutated(document, path, value))
                self.assertTrue(any(expected in finding for finding in findings), findings)

    def test_compatible(self):
        for document, path, value in COMPATIBLE:
            with self.subTest(path=path, value=value):
                self.assertEqual(compare(document, mutated(document, path, value)), [])

    def test_the_same(self):
        for document in (AGENTMESSAGE, TETHER):
            self.assertEqual(compare(document, copy.deepcopy(document)), [])


if __name__ == "__main__":
    unittest.main()
