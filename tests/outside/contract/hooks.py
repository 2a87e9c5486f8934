"""Checks that schemathesis runs on every response, beside its own: what the prose of the specs
promises.

A response is judged by the request as it was sent, not by what schemathesis meant to send.
"""

import hashlib
import json
import os
import pathlib
import re

import jsonschema_rs
import schemathesis
import yaml

OPENAPI = pathlib.Path(__file__).resolve().parents[3] / "openapi"
AGENTMESSAGE = yaml.safe_load((OPENAPI / "agentmessage.yaml").read_text())
TETHER = yaml.safe_load((OPENAPI / "tether-relay.yaml").read_text())

# From an error code to its statuses, as the description of ErrorCode lists them.
STATUSES = {
    code: {int(status) for status in statuses.split(", ")}
    for code, statuses in re.findall(
        r"^- `([A-Z_]+)` \((\d{3}(?:, \d{3})*)\)",
        AGENTMESSAGE["components"]["schemas"]["ErrorCode"]["description"],
        re.MULTILINE,
    )
}
# The refusals that look at the organization as well, so that no schema can foretell them.
RULES = {"ATTESTATION_REQUIRED", "RESELLER_NOT_ELIGIBLE", "RESELLER_HAS_BRANDS", "API_KEY_REVOKED"}

# The codes that name single fields.
WITH_DETAILS = {"VALIDATION_FAILED", "ATTESTATION_REQUIRED"}


def request_schema(document, name):
    """A validator for one component schema of a document."""
    return jsonschema_rs.validator_for(
        {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    )


UPDATE_ORGANIZATION = request_schema(AGENTMESSAGE, "UpdateOrganizationRequest")
CREATE_API_KEY = request_schema(AGENTMESSAGE, "CreateApiKeyRequest")
UPDATE_MISSED_CALL = request_schema(TETHER, "UpdateMissedCallMessageRequest")

# The names of scopes, and those that the key of the run has itself.
SCOPES = list(AGENTMESSAGE["components"]["securitySchemes"]["bearerAuth"]["x-scopes"])
OWN_SCOPES = ["org:read", "org:admin:write", "apikeys:read", "apikeys:write", "audit:read"]
# The cursor that the spec shows, which no server gave out.
CURSOR = AGENTMESSAGE["components"]["parameters"]["Cursor"]["example"]
# The Idempotency-Key that the spec shows, and what one is.
IDEMPOTENCY_KEY = AGENTMESSAGE["components"]["parameters"]["IdempotencyKey"]["example"]
IS_IDEMPOTENCY_KEY = re.compile(r"[ -~]{1,255}")
# A whole key, as only the answer to whoever made it shows it.
WHOLE_KEY = re.compile(r"am_live_[0-9A-Za-z]{34}")


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """Scopes that exist, most of the time, no cursor but those of links, and another
    Idempotency-Key for each body than the one that the spec shows: all else would stop at 400 or
    422. And the run keeps its key.
    """
    operation = case.operation.definition.raw.get("operationId")
    if operation == "createApiKey" and isinstance(case.body, dict):
        scopes = case.body.get("scopes")
        if isinstance(scopes, list) and scopes and all(isinstance(scope, str) for scope in scopes):
            chosen = sum(map(len, scopes))
            if chosen % 4:
                case.body = case.body | {"scopes": OWN_SCOPES[: 1 + chosen % len(OWN_SCOPES)]}
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
    """The JSON value of the request's body, or None if it is not declared as JSON or is none."""
    request = response.request
    if request.headers.get("Content-Type", "").split(";")[0].strip().lower() != "application/json":
        return None
    try:
        return json.loads(request.body)
    except (TypeError, ValueError):
        return None


def error_of(response):
    """The `error` object of an AgentMessage failure."""
    return json.loads(response.content)["error"]


def is_agentmessage(case):
    return case.path.startswith("/v1/")


def is_refused_for_its_idempotency_key(response, case):
    """Whether the key came with another request before, or is none as HTTP carries it, without
    spaces at its ends."""
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


@schemathesis.check
def errors_are_what_the_spec_says(ctx, response, case):
    """The code belongs to the status, the request id is the header's, details come where single
    fields are at fault."""
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
def a_body_is_refused_exactly_if_the_schema_does(ctx, response, case):
    """Nothing that breaks the schema is accepted, and what fits it is refused for a rule only."""
    method = response.request.method
    if method != case.operation.method.upper() or not case.operation.body:
        return
    validator = UPDATE_ORGANIZATION if is_agentmessage(case) else UPDATE_MISSED_CALL
    if method == "POST":
        validator = CREATE_API_KEY
    body = sent_json(response)
    valid = body is not None and validator.is_valid(body)
    if response.status_code in (200, 201):
        assert valid, "accepted a body that breaks the schema"
    elif valid and is_refused_for_its_idempotency_key(response, case):
        return
    elif valid and method == "POST":
        scopes = body["scopes"]
        known = scopes and len(set(scopes)) == len(scopes) and set(scopes) <= set(SCOPES)
        assert response.status_code != 422, "refused fields that fit the schema"
        assert response.status_code != 400 or not known, "refused scopes that there are"
        assert response.status_code != 403 or not set(scopes) <= set(OWN_SCOPES), (
            "refused scopes that the key has"
        )
    elif valid and response.status_code in (400, 422):
        assert is_agentmessage(case), "refused a body that fits the schema"
        error = error_of(response)
        same_times = error["code"] == "VALIDATION_FAILED" and set(error["details"]) == {
            "quiet_hours.end"
        }
        assert error["code"] in RULES or (same_times and "quiet_hours" in body), (
            f"refused with {error['code']}"
        )
    elif not valid and body is not None and is_agentmessage(case):
        assert response.status_code != 412, "looked at If-Match before the fields"


@schemathesis.check
def a_whole_key_is_shown_to_whoever_made_it_only(ctx, response, case):
    """No answer but that to creating or rotating a key holds one."""
    if response.status_code != 201:
        assert not WHOLE_KEY.search(response.content.decode(errors="replace")), "a key in an answer"


@schemathesis.check
def pages_are_as_long_as_was_asked(ctx, response, case):
    """A page has `meta.limit` items at most, newest first; there is a next one only if this one is
    full."""
    if response.status_code != 200 or not case.path.startswith(("/v1/api-keys", "/v1/audit-log")):
        return
    answer = json.loads(response.content)
    if "meta" not in answer:
        return
    meta, times = (
        answer["meta"],
        [item.get("occurred_at") or item.get("created_at") for item in answer["data"]],
    )
    assert len(times) <= meta["limit"], "more items than were asked for"
    assert meta["next_cursor"] is None or len(times) == meta["limit"], (
        "a next page after one that is not full"
    )
    assert [time[:19] for time in times] == sorted((time[:19] for time in times), reverse=True), (
        "not newest first"
    )


@schemathesis.check
def preconditions_are_kept(ctx, response, case):
    """412 and 304 need a precondition that fails, and `*` never fails."""
    sent = response.request.headers
    if response.status_code == 412:
        assert sent.get("If-Match", "*").strip() != "*", "412 without a failing If-Match"
    if response.status_code == 304:
        assert "If-None-Match" in sent, "304 without If-None-Match"


@schemathesis.check
def an_answer_is_given_again_for_a_key_only(ctx, response, case):
    """Idempotent-Replayed is said of successes, and to those who sent a key."""
    if "idempotent-replayed" in response.headers:
        assert response.headers["idempotent-replayed"] == ["true"], "not true"
        assert "Idempotency-Key" in response.request.headers, "given again without a key"
        assert response.status_code in (200, 201), "a refusal was kept"


@schemathesis.check
def what_was_sent_is_what_comes_back(ctx, response, case):
    """A success holds every value of the request."""
    body = sent_json(response)
    methods = ("PATCH", "PUT", "POST")
    if (
        response.status_code not in (200, 201)
        or response.request.method not in methods
        or not isinstance(body, dict)
    ):
        return
    if response.request.method == "POST" and not case.operation.body:
        return
    answer = json.loads(response.content)
    if response.request.method == "POST":
        body["label"] = body["label"].strip()
        body["scopes"] = [scope for scope in SCOPES if scope in body["scopes"]]
        answer = answer["data"]
    elif is_agentmessage(case):
        if isinstance(body.get("name"), str):
            body["name"] = body["name"].strip()
        body.get("auto_replies", {}).pop("attestation", None)
        answer = answer["data"]
    else:
        known = ("missedCallMessage", "missedCallAutoMessageEnabled")
        body = {name: body[name] for name in known if name in body}
        if body.get("missedCallMessage") == "":
            body["missedCallMessage"] = None
    assert_contains(answer, body, "")


def assert_contains(answer, sent, path):
    """Every leaf of `sent` is in `answer`."""
    for name, value in sent.items():
        if isinstance(value, dict):
            assert_contains(answer[name], value, f"{path}{name}.")
        else:
            assert answer[name] == value, f"{path}{name} is not what was sent"
