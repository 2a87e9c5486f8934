"""Writes Postman collections of both specs (format 2.1, which Bruno can import too), with the
credentials of the demo as variables. A collection has a folder for each operation and a request for
each example of its body.

python3 tests/outside/contract/collection.py --url URL --demo FILE [--send]

FILE is the output of `quietline demo --json`. --send also sends every request to URL and fails
unless all succeed.
"""

import argparse
import json
import pathlib
import sys
import time

import requests
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
OUT = ROOT / "target" / "collection"
SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
METHODS = ("get", "put", "post", "patch", "delete")
# Keeps the entity tag and the id of a new resource, so that the next request can use them.
KEEP = [
    "const etag = pm.response.headers.get('ETag');",
    "if (etag) { pm.collectionVariables.set('etag', etag); }",
    "if (pm.response.code === 201) {",
    "  pm.collectionVariables.set('id', pm.response.json().data.id);",
    "}",
]


def resolve(document, node):
    """Resolves a reference within the document."""
    if "$ref" not in node:
        return node
    for part in node["$ref"].removeprefix("#/").split("/"):
        document = document[part]
    return document


def url_of(document, path, operation):
    """Returns a Postman URL with `:organizationId` for `{organizationId}`. Optional parameters
    are disabled."""
    parts = [
        f":{part[1:-1]}" if part.startswith("{") else part for part in path.strip("/").split("/")
    ]
    names = [part[1:] for part in parts if part.startswith(":")]
    return {
        "raw": "{{baseUrl}}/" + "/".join(parts),
        "host": ["{{baseUrl}}"],
        "path": parts,
        "variable": [{"key": name, "value": f"{{{{{name}}}}}"} for name in names],
        "query": [
            {
                "key": parameter["name"],
                "value": str(parameter["example"]),
                "disabled": True,
                "description": parameter.get("description", ""),
            }
            for parameter in (
                resolve(document, parameter) for parameter in operation.get("parameters", [])
            )
            if parameter["in"] == "query"
        ],
    }


def headers_of(document, operation, body):
    """Returns the headers of an operation. Preconditions are disabled."""
    headers = [{"key": "Content-Type", "value": "application/json"}] if body is not None else []
    for parameter in operation.get("parameters", []):
        parameter = resolve(document, parameter)
        if parameter["in"] == "header":
            headers.append(
                {
                    "key": parameter["name"],
                    "value": "{{etag}}",
                    "disabled": True,
                    "description": parameter.get("description", ""),
                }
            )
    return headers


def requests_of(document, path, method, operation):
    """Yields one Postman request for each example of the body, or one request without a body."""
    examples = {"": {"summary": operation["summary"], "value": None}}
    if "requestBody" in operation:
        examples = resolve(document, operation["requestBody"])["content"]["application/json"][
            "examples"
        ]
    for example in examples.values():
        body = example["value"]
        request = {
            "method": method.upper(),
            "header": headers_of(document, operation, body),
            "url": url_of(document, path, operation),
            "description": operation.get("description", ""),
        }
        if body is not None:
            raw = json.dumps(body, indent=2, ensure_ascii=False)
            request["body"] = {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}
        script = {"listen": "test", "script": {"type": "text/javascript", "exec": KEEP}}
        yield {"name": example["summary"], "request": request, "response": [], "event": [script]}


def collection(document, variables):
    folders = [
        {
            "name": operation["summary"],
            "description": operation.get("description", ""),
            "item": list(requests_of(document, path, method, operation)),
        }
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]
    return {
        "info": {
            "name": document["info"]["title"],
            "description": document["info"].get("description", ""),
            "version": document["info"]["version"],
            "schema": SCHEMA,
        },
        "auth": {
            "type": "bearer",
            "bearer": [{"key": "token", "value": "{{credential}}", "type": "string"}],
        },
        "item": folders,
        "variable": [{"key": name, "value": value} for name, value in variables.items()],
    }


def send_all(made):
    """Sends every request as Postman would. Returns the refusals."""
    variables = {variable["key"]: variable["value"] for variable in made["variable"]}
    refusals = []
    for item in (item for folder in made["item"] for item in folder["item"]):
        request = item["request"]
        url = request["url"]["raw"].replace("{{baseUrl}}", variables["baseUrl"])
        for variable in request["url"]["variable"]:
            url = url.replace(f":{variable['key']}", variables[variable["key"]])
        headers = {
            header["key"]: header["value"]
            for header in request["header"]
            if not header.get("disabled")
        }
        headers["Authorization"] = f"Bearer {variables['credential']}"
        body = request.get("body", {}).get("raw", "").encode()
        response = patiently(
            lambda: requests.request(request["method"], url, headers=headers, data=body, timeout=30)
        )
        if response.status_code == 201:
            variables["id"] = response.json()["data"]["id"]
        if not response.ok:
            refusals.append(f"{item['name']}: {response.status_code} {response.text}")
    return refusals


def patiently(send):
    """Sends a request, and retries it while the server responds with 429."""
    response = send()
    while response.status_code == 429:
        time.sleep(int(response.headers["Retry-After"]))
        response = send()
    return response


def write(url, demo, out=OUT, send=False):
    """Writes both collections to `out`. Returns the number of requests."""
    out.mkdir(parents=True, exist_ok=True)
    common = {"baseUrl": url, "organizationId": demo["organization"]["id"], "etag": "*", "id": ""}
    credentials = {"agentmessage": demo["keys"]["admin"], "tether-relay": demo["tokens"]["admin"]}
    count = 0
    for name, credential in credentials.items():
        document = yaml.safe_load((ROOT / "openapi" / f"{name}.yaml").read_text())
        made = collection(document, common | {"credential": credential})
        refusals = send_all(made) if send else []
        if refusals:
            sys.exit(
                f"{name}: the server refused requests of the collection:\n" + "\n".join(refusals)
            )
        path = out / f"{name}.postman_collection.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(made, indent=2, ensure_ascii=False) + "\n")
        count += sum(len(folder["item"]) for folder in made["item"])
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--demo", required=True, type=pathlib.Path)
    parser.add_argument("--send", action="store_true")
    arguments = parser.parse_args()
    count = write(arguments.url, json.loads(arguments.demo.read_text()), send=arguments.send)
    print(f"{count} requests written to {OUT.relative_to(ROOT)}/: import them in Postman or Bruno")


if __name__ == "__main__":
    main()
