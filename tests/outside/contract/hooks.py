"""Additional checks of schemathesis on every response, for promises in the prose of the specs.

The checks use the request as it was sent, not as schemathesis planned it.
"""

import hashlib
import json
import os
import pathlib
import re
import sys

import jsonschema_rs
import schemathesis
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from whole_rules import with_whole_rules  # noqa: E402

OPENAPI = pathlib.Path(__file__).resolve().parents[3] / "openapi"
AGENTMESSAGE = with_whole_rules(yaml.safe_load((OPENAPI / "agentmessage.yaml").read_text()))
TETHER = with_whole_rules(yaml.safe_load((OPENAPI / "tether-relay.yaml").read_text()))

# Statuses by error code, from the description of ErrorCode.
STATUSES = {
    code: {int(status) for status in statuses.split(", ")}
    for code, statuses in re.findall(
        r"^- `([A-Z_]+)` \((\d{3}(?:, \d{3})*)\)",
        AGENTMESSAGE["components"]["schemas"]["ErrorCode"]["description"],
        re.MULTILINE,
    )
}
# Refusals that depend on the organization, so a schema cannot predict them.
RULES = {"ATTESTATION_REQUIRED", "RESELLER_NOT_ELIGIBLE", "RESELLER_HAS_BRANDS", "API_KEY_REVOKED"}
# Expiry in the form of responses, in the future whenever the tests run.
FUTURE = "2999-01-01T00:00:00.000Z"

# Messages about what readers see of a text, which no schema describes.
UNREADABLE = {
    "must have at least one visible character",
    "must have no bidirectional embeddings, overrides or isolates, and no line separators",
}

# Codes whose errors name single fields.
WITH_DETAILS = {"VALIDATION_FAILED", "ATTESTATION_REQUIRED"}


def request_schema(document, name):
    """Returns a validator for one component schema of a document."""
    return jsonschema_rs.validator_for(
        {"$ref": f"#/components/schemas/{name}", "components": document["components"]},
        validate_formats=True,
    )


UPDATE_ORGANIZATION = request_schema(AGENTMESSAGE, "UpdateOrganizationRequest")
CREATE_API_KEY = request_schema(AGENTMESSAGE, "CreateApiKeyRequest")
MOMENT = jsonschema_rs.validator_for(
    {"type": "string", "format": "date-time"}, validate_formats=True
)
UPDATE_MISSED_CALL = request_schema(TETHER, "UpdateMissedCallMessageRequest")

# All scopes, and the scopes of the key that runs the tests.
SCOPES = list(AGENTMESSAGE["components"]["securitySchemes"]["bearerAuth"]["x-scopes"])
OWN_SCOPES = ["org:read", "org:admin:write", "apikeys:read", "apikeys:write", "audit:read"]
# Example cursor of the spec, which no server has issued.
CURSOR = AGENTMESSAGE["components"]["parameters"]["Cursor"]["example"]
# Example Idempotency-Key of the spec, and the form of valid keys.
IDEMPOTENCY_KEY = AGENTMESSAGE["components"]["parameters"]["IdempotencyKey"]["example"]
IS_IDEMPOTENCY_KEY = re.compile(r"[ -~]{1,255}")
# Complete API key, which only the response to its creation contains.
WHOLE_KEY = re.compile(r"am_live_[0-9A-Za-z]{34}")


def is_moment(value):
    """Returns whether `value` is a date-time of RFC 3339."""
    return isinstance(value, str) and MOMENT.is_valid(value)


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """Mostly uses existing scopes, only cursors from links, and a different Idempotency-Key for
    each body. Otherwise most requests would stop at 400 or 422. Never names the key that runs the
    tests, which must stay valid.
    """
    operation = case.operation.definition.raw.get("operationId")
    if operation == "createApiKey" and isinstance(case.body, dict):
        scopes = case.body.get("scopes")
        if isinstance(scopes, list) and scopes and all(isinstance(scope, str) for scope in scopes):
            chosen = sum(map(len, scopes))
            if chosen % 4:
                case.body = case.body | {"scopes": OWN_SCOPES[: 1 + chosen % len(OWN_SCOPES)]}
        # A schema cannot say that a time is in the future.
        if is_moment(case.body.get("expires_at")):
            case.body = case.body | {"expires_at": FUTURE}
    if case.query and case.query.get("cursor") == CURSOR:
        del case.query["cursor"]
    if case.headers and case.headers.get("Idempotency-Key") == IDEMPOTENCY_KEY:
        case.headers["Idempotency-Key"] = hashlib.sha256(
            repr((operation, case.body)).encode()
        ).hexdigest()
    own = os.environ.get("CONTRACT_KEY_ID", "")
    if own and str(case.path_parameters.get("id", "")).lower() == own:
        case.path_parameters["id"] = "0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3"


def sent_json(response):
    """Returns the JSON of the request's body, or None if the body is not JSON or not declared as
    JSON."""
    request = response.request
    if request.headers.get("Content-Type", "").split(";")[0].strip().lower() != "application/json":
        return None
    try:
        return json.loads(request.body)
    except (TypeError, ValueError):
        return None


def error_of(response):
    """Returns the `error` object of an AgentMessage error."""
    return json.loads(response.content)["error"]


def is_agentmessage(case):
    return case.path.startswith("/v1/")


def is_refused_for_its_idempotency_key(response, case):
    """Returns whether the key was reused with another request or is invalid. HTTP strips spaces
    at its ends."""
    sent = response.request.headers.get("Idempotency-Key")
    if sent is None or response.status_code != (422 if is_agentmessage(case) else 400):
        return False
    is_key = IS_IDEMPOTENCY_KEY.fullmatch(
        sent.decode("latin-1").strip() if isinstance(sent, bytes) else sent.strip()
    )
    if not is_agentmessage(case):
        reason = (
            "was used with another request"
            if is_key
            else "must be 1 to 255 printable ASCII characters"
        )
        return json.loads(response.content).get("details") == f"Idempotency-Key: {reason}"
    error = error_of(response)
    if is_key:
        return error["code"] == "IDEMPOTENCY_KEY_REUSED"
    return error["code"] == "VALIDATION_FAILED" and set(error["details"]) == {"Idempotency-Key"}


def is_refused_for_unreadable_texts(response, case):
    """Returns whether all refused fields are texts that readers cannot see, or could mistake."""
    if response.status_code != 422 or not is_agentmessage(case):
        return False
    messages = set(error_of(response).get("details", {}).values())
    return bool(messages) and messages <= UNREADABLE


@schemathesis.check
def errors_match_the_spec(ctx, response, case):
    """The code matches the status, the request id matches the header, and errors of fields have
    details."""
    if not is_agentmessage(case) or response.status_code < 400 or response.request.method == "HEAD":
        return
    error = error_of(response)
    assert response.status_code in STATUSES[error["code"]], (
        f"{error['code']} with status {response.status_code}"
    )
    assert [error["request_id"]] == response.headers["x-request-id"], (
        "request_id is not X-Request-Id"
    )
    assert ("details" in error) == (error["code"] in WITH_DETAILS), (
        f"{error['code']} and details: {error}"
    )
    if error["code"] == "VALIDATION_FAILED":
        assert error["details"], "VALIDATION_FAILED without a field"


@schemathesis.check
def a_body_is_refused_exactly_if_it_is_invalid(ctx, response, case):
    """Invalid bodies are refused, and valid bodies are refused only for a violated rule."""
    method = response.request.method
    if method != case.operation.method.upper() or not case.operation.body:
        return
    validator = UPDATE_ORGANIZATION if is_agentmessage(case) else UPDATE_MISSED_CALL
    if method == "POST":
        validator = CREATE_API_KEY
    body = sent_json(response)
    valid = body is not None and validator.is_valid(body)
    if response.status_code in (200, 201):
        assert valid, "accepted an invalid body"
    elif valid and is_refused_for_its_idempotency_key(response, case):
        return
    elif valid and is_refused_for_unreadable_texts(response, case):
        return
    elif valid and method == "POST":
        scopes = body["scopes"]
        known = scopes and len(set(scopes)) == len(scopes) and set(scopes) <= set(SCOPES)
        assert response.status_code != 422, "refused valid fields"
        assert response.status_code != 400 or not known, "refused existing scopes"
        assert response.status_code != 403 or not set(scopes) <= set(OWN_SCOPES), (
            "refused scopes of the key"
        )
    elif valid and response.status_code in (400, 422):
        assert is_agentmessage(case), "refused a valid body"
        error = error_of(response)
        same_times = error["code"] == "VALIDATION_FAILED" and set(error["details"]) == {
            "quiet_hours.end"
        }
        assert error["code"] in RULES or (same_times and "quiet_hours" in body), (
            f"refused with {error['code']}"
        )
    elif not valid and body is not None and is_agentmessage(case):
        assert response.status_code != 412, "checked If-Match before the fields"


@schemathesis.check
def a_complete_key_is_only_in_the_response_to_its_creation(ctx, response, case):
    """Only the response to creation or rotation contains a complete key."""
    if response.status_code != 201:
        assert not WHOLE_KEY.search(response.content.decode(errors="replace")), (
            "the response contains a complete key"
        )


@schemathesis.check
def pages_match_the_request(ctx, response, case):
    """A page has at most `meta.limit` items, newest first. It has a next page only if it is
    full."""
    if response.status_code != 200 or not case.path.startswith(("/v1/api-keys", "/v1/audit-log")):
        return
    data = json.loads(response.content)
    if "meta" not in data:
        return
    meta, times = (
        data["meta"],
        [item.get("occurred_at") or item.get("created_at") for item in data["data"]],
    )
    assert len(times) <= meta["limit"], "more items than requested"
    assert meta["next_cursor"] is None or len(times) == meta["limit"], (
        "a next page after an incomplete page"
    )
    assert [time[:19] for time in times] == sorted((time[:19] for time in times), reverse=True), (
        "not newest first"
    )


@schemathesis.check
def preconditions_are_respected(ctx, response, case):
    """412 and 304 require a failed precondition, and `*` never fails."""
    sent = response.request.headers
    if response.status_code == 412:
        assert sent.get("If-Match", "*").strip() != "*", "412 without a failing If-Match"
    if response.status_code == 304:
        assert "If-None-Match" in sent, "304 without If-None-Match"


@schemathesis.check
def only_requests_with_a_key_get_replayed_responses(ctx, response, case):
    """Only successful responses to requests with a key have Idempotent-Replayed."""
    if "idempotent-replayed" in response.headers:
        assert response.headers["idempotent-replayed"] == ["true"], (
            "Idempotent-Replayed must be true"
        )
        assert "Idempotency-Key" in response.request.headers, "replayed without a key"
        assert response.status_code in (200, 201), "a refusal was replayed"


@schemathesis.check
def a_success_contains_the_sent_values(ctx, response, case):
    """A successful response contains every value of the request, unless it is a replay."""
    body = sent_json(response)
    # The replay of a request that changed nothing shows the organization as it is now.
    if "idempotent-replayed" in response.headers:
        return
    methods = ("PATCH", "PUT", "POST")
    if (
        response.status_code not in (200, 201)
        or response.request.method not in methods
        or not isinstance(body, dict)
    ):
        return
    if response.request.method == "POST" and not case.operation.body:
        return
    data = json.loads(response.content)
    if response.request.method == "POST":
        body["label"] = body["label"].strip()
        body["scopes"] = [scope for scope in SCOPES if scope in body["scopes"]]
        data = data["data"]
    elif is_agentmessage(case):
        if isinstance(body.get("name"), str):
            body["name"] = body["name"].strip()
        body.get("auto_replies", {}).pop("attestation", None)
        data = data["data"]
    else:
        known = ("missedCallMessage", "missedCallAutoMessageEnabled")
        body = {name: body[name] for name in known if name in body}
        if body.get("missedCallMessage") == "":
            body["missedCallMessage"] = None
    assert_contains(data, body, "")


def assert_contains(received, sent, path):
    """Asserts that every leaf of `sent` is in `received`."""
    for name, value in sent.items():
        if isinstance(value, dict):
            assert_contains(received[name], value, f"{path}{name}.")
        else:
            assert received[name] == value, f"{path}{name} differs from the request"
