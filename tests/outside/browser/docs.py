#!/usr/bin/env python3
"""The docs page in a real browser: `docs.py PROGRAM [FOLDER]`, with the built server and a folder for screenshots.

Serves a demonstration organization from a temporary SQLite file, opens /docs, authorizes, tries out a write of either
API, and sees the change on the page and in the API. No request may leave the server, and nothing may break the page's
policy. Not here: what the documents say (tests/it/contract/served_documents.rs)."""

import contextlib
import json
import os
import pathlib
import re
import secrets
import subprocess
import sys
import tempfile
import urllib.request

from webdriver import Browser, Failed

NAME = "Acme Health, seen in a browser"
TEMPLATE = "Hi {{contactName}}, seen in a browser."
PATCH = "#operations-Organization-patchOrganization"
AUDIT_LOG = "#operations-Audit_log-listAuditLog"
PUT = "#operations-Organizations-put_organizations_organizationId_missed_call_message"
STATUS = ".live-responses-table .response .response-col_status"
BODY = ".live-responses-table .response .highlight-code"


def check(is_so, message):
    if not is_so:
        raise Failed(message)


@contextlib.contextmanager
def server(program):
    """The address of a new server, and the credentials of its demonstration organization."""
    with tempfile.TemporaryDirectory(prefix="quietline-docs-") as folder:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("QUIETLINE_")}
        environment |= {
            "QUIETLINE_DATABASE_URL": f"sqlite://{folder}/quietline.db",
            "QUIETLINE_JWT_SECRET": secrets.token_hex(32),
            "QUIETLINE_LISTEN": "127.0.0.1:0",
            "QUIETLINE_LOG": "warn",
        }
        made = subprocess.run([program, "demo", "--json"], env=environment, check=True, capture_output=True)
        running = subprocess.Popen([program, "serve"], env=environment, stdout=subprocess.PIPE, text=True)
        try:
            line = running.stdout.readline()
            address = re.search(r"http://[^ ,]+", line)
            check(address, f"the server did not start: {line!r}")
            yield address[0], json.loads(made.stdout)
        finally:
            running.terminate()
            running.wait(timeout=30)
            running.stdout.close()


def get(url, token):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def authorize(browser, token):
    browser.click(".scheme-container .btn.authorize")
    browser.type(".modal-ux input[type=text], .modal-ux input[type=password]", token)
    browser.click(".modal-ux .auth-btn-wrapper button[type=submit]")
    browser.click(".modal-ux .btn-done")


def try_out(browser, operation, body=None):
    browser.click(f"{operation} .opblock-summary-control")
    browser.click(f"{operation} .try-out__btn")
    if body is not None:
        browser.type(f"{operation} textarea.body-param__text", json.dumps(body))


def execute(browser, operation, expected):
    """Sends the request; the page shows 200 and what is expected in the body."""
    browser.click(f"{operation} .btn.execute")
    status = browser.text(f"{operation} {STATUS}").split()[0]
    body = browser.text(f"{operation} {BODY}")
    check(status == "200", f"{operation}: the page shows {status}: {body}")
    check(expected in body, f"{operation}: {expected!r} is not in {body}")


def agent_message(browser, address, demo):
    token = demo["keys"]["admin"]
    check("AgentMessage" in browser.text(".information-container .title"), "not AgentMessage's document")
    servers = browser.run("return [...document.querySelectorAll('.servers option')].map((o) => o.value)")
    check(servers == [address], f"the page offers the servers {servers}")
    authorize(browser, token)
    try_out(browser, PATCH, {"name": NAME})
    execute(browser, PATCH, NAME)
    stored = get(f"{address}/v1/organization", token)["data"]["name"]
    check(stored == NAME, f"the organization's name is {stored!r}")
    try_out(browser, AUDIT_LOG)
    execute(browser, AUDIT_LOG, "organization.update")


def tether(browser, address, demo):
    apis = browser.run("return [...document.querySelectorAll('#select option')].map((o) => o.value)")
    wanted = ["../openapi/agentmessage.json", "../openapi/tether-relay.json"]
    check(apis == wanted, f"the page offers {apis}")
    browser.click("#select")
    browser.click(f"#select option[value='{wanted[1]}']")
    browser.wait("Tether's document", lambda: "Tether" in browser.text(".information-container .title"))
    token = demo["tokens"]["admin"]
    authorize(browser, token)
    organization = demo["organization"]["id"]
    try_out(browser, PUT, {"missedCallMessage": TEMPLATE})
    browser.type(f"{PUT} .parameters input", organization)
    execute(browser, PUT, TEMPLATE)
    stored = get(f"{address}/api/organizations/{organization}/missed-call-message", token)
    check(stored["missedCallMessage"] == TEMPLATE, f"stored is {stored}")


def check_requests(browser, address):
    """Every request of the page, by the browser's own record, went to the server, and none was blocked."""
    sent = set(browser.run("return performance.getEntriesByType('resource').map((entry) => entry.name)"))
    for entry in browser.log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            sent.add(message["params"]["request"]["url"])
    strangers = [url for url in sent if not url.startswith((f"{address}/", "data:"))]
    check(not strangers, f"requests left the server: {strangers}")
    for path in ["docs/swagger-ui-bundle.js", "openapi/tether-relay.json", "v1/organization"]:
        check(f"{address}/{path}" in sent, f"/{path} was not asked for: {sorted(sent)}")
    complaints = [entry["message"] for entry in browser.log("browser") if entry["level"] in ("WARNING", "SEVERE")]
    check(not complaints, "the browser complained:\n" + "\n".join(complaints))
    return len(sent)


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    folder = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    with server(program) as (address, demo), Browser("127.0.0.1") as browser:
        try:
            browser.open(f"{address}/docs")
            check(browser.address() == f"{address}/docs/", browser.address())
            browser.element(".opblock")
            browser.screenshot(folder / "docs.png")
            agent_message(browser, address, demo)
            browser.screenshot(folder / "agentmessage.png")
            tether(browser, address, demo)
            browser.screenshot(folder / "tether.png")
            for button in ("section.models .json-schema-2020-12-expand-deep-button", ".dark-mode-toggle button"):
                browser.click(button)
            browser.screenshot(folder / "schemas.png")
            count = check_requests(browser, address)
        except Failed:
            browser.screenshot(folder / "failed.png")
            raise
    print(f"docs page: both APIs authorized and tried out, {count} addresses, all of this server; see {folder}")


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        sys.exit(f"docs page: {failure}")
