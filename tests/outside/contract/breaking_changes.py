"""Compares the specs with those of the last release and reports changes that break existing
clients.

Requests may only become less restricted, and responses only more restricted.
accepted-breaking-changes.txt lists intended breaking changes with their reasons. We wrote this
checker because npm's openapi-diff 0.24 does not read OpenAPI 3.1 and PyPI has no alternative.
Remove it when a published checker reads OpenAPI 3.1.
"""

import argparse
import pathlib
import subprocess
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
ACCEPTED = ROOT / "tests" / "outside" / "contract" / "accepted-breaking-changes.txt"
SPECS = ("agentmessage", "tether-relay")
METHODS = ("get", "put", "post", "patch", "delete", "head", "options", "trace")
# Keywords that do not affect validation.
ANNOTATIONS = {
    "description",
    "summary",
    "title",
    "example",
    "examples",
    "deprecated",
    "externalDocs",
    "xml",
    "$comment",
}
# Limits: a greater lower limit and a smaller upper limit are more restrictive.
LOWER = ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties")
UPPER = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties")
COMPARED = {
    "type",
    "nullable",
    "enum",
    "required",
    "properties",
    "additionalProperties",
    "items",
    *LOWER,
    *UPPER,
}


class Comparison:
    """Finds the breaking changes between two versions of one document."""

    def __init__(self, old, new):
        self.old, self.new = old, new
        self.findings = []
        self.seen = set()

    def found(self, where, what):
        if f"{where}: {what}" not in self.findings:
            self.findings.append(f"{where}: {what}")

    def run(self):
        for path, item in self.old["paths"].items():
            for method in METHODS:
                if method in item:
                    where = f"{method.upper()} {path}"
                    new = self.new["paths"].get(path, {}).get(method)
                    if new is None:
                        self.found(where, "operation removed")
                    else:
                        self.operation(where, item, item[method], self.new["paths"][path], new)
        return self.findings

    def operation(self, where, old_item, old, new_item, new):
        if old.get("operationId") != new.get("operationId"):
            self.found(
                where,
                f"operationId changed from {old.get('operationId')} to {new.get('operationId')}",
            )
        if old.get("tags", [])[:1] != new.get("tags", [])[:1]:
            self.found(where, "first tag changed, which names the class or module of clients")
        self.security(where, security(self.old, old), security(self.new, new))
        self.parameters(
            where, parameters(self.old, old_item, old), parameters(self.new, new_item, new)
        )
        self.request_body(
            where,
            resolve(self.old, old.get("requestBody")),
            resolve(self.new, new.get("requestBody")),
        )
        self.responses(where, old["responses"], new["responses"])

    def security(self, where, old, new):
        """Checks that every former combination of credentials is still sufficient."""
        for way in old:
            enough = any(
                set(other) <= set(way) and all(set(other[name]) <= set(way[name]) for name in other)
                for other in new
            )
            if not enough and (new or way):
                self.found(where, f"credential no longer sufficient: {way}")

    def parameters(self, where, old, new):
        for key, parameter in old.items():
            label = f"{where} {key[0]} parameter {key[1]}"
            if key not in new:
                self.found(label, "removed")
            else:
                if new[key].get("required", False) and not parameter.get("required", False):
                    self.found(label, "is now required")
                self.schema(label, parameter.get("schema"), new[key].get("schema"), "request")
        for key, parameter in new.items():
            if key not in old and parameter.get("required", False):
                self.found(f"{where} {key[0]} parameter {key[1]}", "new and required")

    def request_body(self, where, old, new):
        where = f"{where} request"
        if old is None:
            if new is not None and new.get("required", False):
                self.found(where, "body is now required")
            return
        if new is None:
            self.found(where, "body removed")
            return
        if new.get("required", False) and not old.get("required", False):
            self.found(where, "body is now required")
        self.content(where, old["content"], new["content"], "request")

    def responses(self, where, old, new):
        for status, response in old.items():
            if status not in new:
                self.found(f"{where} {status}", "status removed")
            else:
                self.response(
                    f"{where} {status}", resolve(self.old, response), resolve(self.new, new[status])
                )
        for status in new:
            if status not in old and not status.startswith(("4", "5")):
                self.found(f"{where} {status}", "new status other than an error")

    def response(self, where, old, new):
        for name, header in old.get("headers", {}).items():
            label = f"{where} header {name}"
            if name not in new.get("headers", {}):
                self.found(label, "removed")
                continue
            header, other = resolve(self.old, header), resolve(self.new, new["headers"][name])
            if header.get("required", False) and not other.get("required", False):
                self.found(label, "no longer always present")
            self.schema(label, header.get("schema"), other.get("schema"), "response")
        self.content(where, old.get("content", {}), new.get("content", {}), "response")

    def content(self, where, old, new, direction):
        for media_type, content in old.items():
            if media_type not in new:
                self.found(where, f"{media_type} removed")
            else:
                self.schema(where, content.get("schema"), new[media_type].get("schema"), direction)
        if direction == "response" and not old and new:
            self.found(where, "now has a body")

    def schema(self, where, old, new, direction):
        """Compares two schemas, keyword by keyword."""
        key = (where, direction, id(old), id(new))
        if key in self.seen:
            return
        self.seen.add(key)
        old, new = resolve(self.old, old), resolve(self.new, new)
        if not isinstance(old, dict) or not isinstance(new, dict):
            if (old if old is not None else True) != (new if new is not None else True):
                self.found(where, "schema changed")
            return
        self.types(where, types(old), types(new), direction)
        self.enumeration(where, old.get("enum"), new.get("enum"), direction)
        self.limits(where, old, new, direction)
        self.properties(where, old, new, direction)
        if "items" in old or "items" in new:
            self.schema(f"{where}[]", old.get("items", True), new.get("items", True), direction)
        for keyword in sorted((set(old) | set(new)) - COMPARED - ANNOTATIONS):
            is_compared = keyword == "x-quietline-pattern" or not keyword.startswith("x-")
            if is_compared and old.get(keyword) != new.get(keyword):
                self.found(
                    where, f"{keyword} changed from {old.get(keyword)!r} to {new.get(keyword)!r}"
                )

    def types(self, where, old, new, direction):
        narrower, wider = (new, old) if direction == "request" else (old, new)
        # Every integer is a number.
        missing = {
            name for name in wider - narrower if not (name == "integer" and "number" in narrower)
        }
        if missing:
            change = "no longer accepted" if direction == "request" else "new in responses"
            self.found(where, f"type {', '.join(sorted(missing))} {change}")

    def enumeration(self, where, old, new, direction):
        for value in old or []:
            if new is not None and value not in new:
                self.found(where, f"enum value {value!r} removed")
        if direction == "response":
            for value in new or []:
                if old is not None and value not in old:
                    self.found(where, f"enum value {value!r} new in responses")
        if (old is None) != (new is None) and (new is not None) == (direction == "request"):
            self.found(where, "enum added" if new is not None else "enum removed")

    def limits(self, where, old, new, direction):
        for keyword in (*LOWER, *UPPER):
            before, after = old.get(keyword), new.get(keyword)
            if before == after:
                continue
            narrower = before is None or (
                after is not None and (after > before if keyword in LOWER else after < before)
            )
            if narrower == (direction == "request"):
                self.found(where, f"{keyword} changed from {before} to {after}")

    def properties(self, where, old, new, direction):
        before, after = old.get("properties", {}), new.get("properties", {})
        for name, schema in before.items():
            label = (
                f"{where} {name}"
                if where.endswith(("request", *"0123456789"))
                else f"{where}.{name}"
            )
            if name not in after:
                self.found(label, "removed")
                continue
            required, required_now = (
                name in old.get("required", []),
                name in new.get("required", []),
            )
            if direction == "request" and required_now and not required:
                self.found(label, "is now required")
            if direction == "response" and required and not required_now:
                self.found(label, "no longer always present")
            self.schema(label, schema, after[name], direction)
        for name in new.get("required", []):
            if direction == "request" and name not in before:
                self.found(f"{where} {name}", "new and required")
        if direction == "request" and new.get("additionalProperties", True) is False:
            if old.get("additionalProperties", True) is not False:
                self.found(where, "other properties are now refused")
        elif isinstance(old.get("additionalProperties"), dict):
            self.schema(
                f"{where}.*",
                old["additionalProperties"],
                new.get("additionalProperties", True),
                direction,
            )


def resolve(document, node):
    """Resolves references within the document."""
    while isinstance(node, dict) and "$ref" in node:
        target = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def types(schema):
    """Returns the types that a schema allows, which are all types if `type` is absent."""
    named = schema.get("type")
    if named is None:
        return {"null", "boolean", "number", "integer", "string", "array", "object"}
    return {
        *([named] if isinstance(named, str) else named),
        *(["null"] if schema.get("nullable") else []),
    }


def security(document, operation):
    return operation.get("security", document.get("security", []))


def parameters(document, item, operation):
    """Returns the parameters by (location, name). The operation overrides the path."""
    listed = [
        resolve(document, node)
        for node in (*item.get("parameters", []), *operation.get("parameters", []))
    ]
    return {(parameter["in"], parameter["name"]): parameter for parameter in listed}


def compare(old, new):
    """Returns the changes in `new` that break clients of `old`."""
    return Comparison(old, new).run()


def accepted():
    """Returns the reasons of the accepted findings, by finding."""
    lines = {}
    for line in ACCEPTED.read_text().splitlines() if ACCEPTED.exists() else ():
        if line.strip() and not line.startswith("#"):
            finding, _, reason = line.partition(" # ")
            if not reason.strip():
                sys.exit(f"{ACCEPTED.relative_to(ROOT)}: reason missing in: {line}")
            lines[finding.strip()] = reason.strip()
    return lines


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)


def released(tag, name):
    """Returns the document of a release, or None if the release does not have it."""
    shown = git("show", f"{tag}:openapi/{name}.yaml")
    return yaml.safe_load(shown.stdout) if shown.returncode == 0 else None


def check_known(since):
    """Exits if the tag or commit does not exist, because nothing would be compared."""
    if git("rev-parse", "--verify", "--quiet", f"{since}^{{commit}}").returncode != 0:
        sys.exit(f"breaking changes: tag or commit {since!r} does not exist")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--since", help="tag or commit to compare with (default: the last tag v*)")
    since = (
        parser.parse_args().since
        or git("describe", "--tags", "--abbrev=0", "--match", "v*").stdout.strip()
    )
    if not since:
        print("breaking changes: nothing to compare, because no tag v* exists")
        return 0
    check_known(since)
    allowed = accepted()
    findings = []
    for name in SPECS:
        old = released(since, name)
        if old is not None:
            path = ROOT / "openapi" / f"{name}.yaml"
            new = yaml.safe_load(path.read_text()) if path.exists() else {"paths": {}}
            findings += [f"{name} {finding}" for finding in compare(old, new)]
    broken = [finding for finding in findings if finding not in allowed]
    stale = [finding for finding in allowed if finding not in findings]
    for finding in broken:
        print(f"breaks clients of {since}: {finding}")
    for finding in stale:
        print(
            f"accepted, but unchanged since {since}, so remove it from "
            f"{ACCEPTED.relative_to(ROOT)}: {finding}"
        )
    print(
        f"breaking changes since {since}: {len(broken)}, and {len(findings) - len(broken)} accepted"
    )
    return 1 if broken or stale else 0


if __name__ == "__main__":
    sys.exit(main())
