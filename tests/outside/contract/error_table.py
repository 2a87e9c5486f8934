"""Writes the table of error codes in docs/CLIENTS.md from the specs. --check only fails if the
table differs."""

import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
GUIDE = ROOT / "docs" / "CLIENTS.md"
BEGIN = "<!-- error codes: written by tests/outside/contract/error_table.py from openapi/ -->\n"
END = "<!-- end of error codes -->\n"
METHODS = ("get", "put", "post", "patch", "delete")
# Advice for each status. A new status in a spec needs advice here.
ADVICE = {
    400: "correct the request",
    401: "renew the credential",
    403: "ask for the scope or role",
    404: "check the identifier",
    405: "correct the request",
    408: "retry",
    409: "retry in a moment",
    412: "read again, decide again",
    413: "send less",
    415: "correct the request",
    422: "correct the fields in `details`",
    429: "retry after `Retry-After`",
    500: "retry, then report the request id",
    503: "retry after `Retry-After`",
}
# Advice for a business rule that refuses.
RULE = "meet the rule, or leave the field out"
UNKNOWN = "[read first](#unknown-outcome), or retry with the same `Idempotency-Key`"
# Advice for single codes of AgentMessage and errors of Tether.
SPECIAL = {
    "API_KEY_REVOKED": "create a new key",
    "API_KEY_EXPIRED": "create a new key",
    "API_KEY_LIMIT_REACHED": "revoke a key first",
    "IDEMPOTENCY_KEY_REUSED": "use a new key for each change",
    "OUTCOME_UNKNOWN": UNKNOWN,
    "Outcome unknown": UNKNOWN,
}


def spec(name):
    return yaml.safe_load((ROOT / "openapi" / f"{name}.yaml").read_text())


def resolve(document, node):
    """Resolves a reference within the document."""
    if "$ref" not in node:
        return node
    for part in node["$ref"].removeprefix("#/").split("/"):
        document = document[part]
    return document


def failures(document):
    """Returns the error responses by status, each with the methods and ids of the operations
    that declare it."""
    found = {}
    for path, item in document["paths"].items():
        for method in METHODS:
            for status, response in item.get(method, {}).get("responses", {}).items():
                if status.startswith(("4", "5")):
                    entry = found.setdefault(int(status), ([], [], []))
                    entry[0].append(resolve(document, response))
                    entry[1].append(f"`{method.upper()}`")
                    entry[2].append(item[method]["operationId"])
    return dict(sorted(found.items()))


def examples(response):
    """Returns the bodies that a response shows."""
    media = response["content"]["application/json"]
    return [example["value"] for example in media.get("examples", {}).values()] or [
        media["example"]
    ]


def codes(document):
    """Returns (code, status, meaning) from the description of ErrorCode, which must list every
    value."""
    schema = document["components"]["schemas"]["ErrorCode"]
    listed = re.findall(
        r"^- `([A-Z_]+)` \((\d{3}(?:, \d{3})*)\): (.+)$", schema["description"], re.MULTILINE
    )
    if [code for code, _, _ in listed] != schema["enum"]:
        raise SystemExit("the description of ErrorCode must list its values in order")
    return [
        (code, int(status), meaning)
        for code, statuses, meaning in listed
        for status in statuses.split(", ")
    ]


def agentmessage():
    document = spec("agentmessage")
    declared = failures(document)
    count = sum(method in METHODS for item in document["paths"].values() for method in item)
    yield "| status | `error.code` | meaning | operations | what to do |"
    yield "|---|---|---|---|---|"
    for code, status, meaning in sorted(codes(document), key=lambda row: row[1]):
        general = ADVICE[status] if status != 422 or code == "VALIDATION_FAILED" else RULE
        advice = SPECIAL.get(code, general)
        if status not in declared:
            raise SystemExit(
                f"ErrorCode gives {code} the status {status}, which no operation declares"
            )
        responses, _, ids = declared[status]
        shown = [{body["error"]["code"] for body in examples(response)} for response in responses]
        ids = [id for codes, id in zip(shown, ids, strict=True) if code in codes]
        operations = "all" if len(ids) == count else ", ".join(f"`{id}`" for id in ids)
        meaning = meaning[0].upper() + meaning[1:]
        yield f"| {status} | `{code}` | {meaning} | {operations} | {advice} |"


def tether():
    yield "| status | `error` | example of `details` | methods | what to do |"
    yield "|---|---|---|---|---|"
    for status, (responses, operations, _) in failures(spec("tether-relay")).items():
        rows = {}
        for response, operation in zip(responses, operations, strict=True):
            for body in examples(response):
                rows.setdefault((body["error"], body.get("details", "")), []).append(operation)
        for (error, details), methods in rows.items():
            shown = f"`{details}`" if details else "(none)"
            advice = SPECIAL.get(error, ADVICE[status])
            yield f"| {status} | `{error}` | {shown} | {', '.join(methods)} | {advice} |"


def table():
    lines = ["### AgentMessage", "", *agentmessage(), "", "### Tether", "", *tether()]
    return "\n" + "\n".join(lines) + "\n\n"


def main():
    guide = GUIDE.read_text()
    start = guide.index(BEGIN) + len(BEGIN)
    updated = guide[:start] + table() + guide[guide.index(END) :]
    if "--check" in sys.argv[1:]:
        if updated != guide:
            sys.exit("docs/CLIENTS.md is outdated. Update it with: make error-table")
    else:
        GUIDE.write_text(updated)


if __name__ == "__main__":
    main()
