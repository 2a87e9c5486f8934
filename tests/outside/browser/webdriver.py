"""The little of the W3C WebDriver protocol that docs.py needs, over chromedriver, with the standard
library only: starting a headless Chromium, finding elements, waiting, typing, clicking, and the browser's logs."""

import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

WAIT_SECS = 60
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]


class Failed(Exception):
    """What the browser did is not what it should have done."""


def find_browser():
    named = os.environ.get("CHROMIUM")
    found = [named] if named else filter(None, map(shutil.which, BROWSERS))
    return next(iter(found), None)


class Browser:
    """One Chromium with a profile of its own. A context manager."""

    def __init__(self, allowed_host):
        self.profile = tempfile.TemporaryDirectory(prefix="quietline-chromium-")
        self.driver = subprocess.Popen(
            [os.environ.get("CHROMEDRIVER", "chromedriver"), "--port=0"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            self.session = None
            self.url = f"http://127.0.0.1:{self._port()}"
            options = {
                "binary": find_browser(),
                "args": [
                    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
                    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
                    "--no-first-run", "--window-size=1280,1600",
                    f"--user-data-dir={self.profile.name}",
                    # No name but the server's leads anywhere.
                    f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {allowed_host}",
                ],
            }
            capabilities = {
                "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            }
            made = self._call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
            self.session = made["sessionId"]
            # What Chromium loads of itself for its first page is not asked about.
            self.open("about:blank")
            self.log("performance")
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.session:
            self._call("DELETE", f"/session/{self.session}")
        self.driver.terminate()
        self.driver.wait(timeout=20)
        self.driver.stdout.close()
        self.profile.cleanup()

    def _port(self):
        for line in self.driver.stdout:
            if found := re.search(r"started successfully on port (\d+)", line):
                return int(found[1])
        raise Failed("chromedriver did not start")

    def _call(self, method, path, body=None):
        data = None if method != "POST" else json.dumps(body or {}).encode()
        request = urllib.request.Request(
            self.url + path, data=data, method=method, headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise Failed(f"{value['error']}: {value['message'].splitlines()[0]}") from error

    def _in_session(self, method, path, body=None):
        return self._call(method, f"/session/{self.session}{path}", body)

    def open(self, url):
        self._in_session("POST", "/url", {"url": url})

    def address(self):
        return self._in_session("GET", "/url")

    def run(self, script, *arguments):
        return self._in_session("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def log(self, kind):
        return self._in_session("POST", "/se/log", {"type": kind})

    def elements(self, css):
        found = self._in_session("POST", "/elements", {"using": "css selector", "value": css})
        return [element[ELEMENT] for element in found]

    def element(self, css):
        """The first match that can be seen; waits for it."""
        def visible():
            for element in self.elements(css):
                if self._in_session("GET", f"/element/{element}/displayed"):
                    return element
            return None
        return self.wait(f"an element {css}", visible)

    def wait(self, what, condition):
        """What `condition` returns, as soon as it is something."""
        deadline = time.monotonic() + WAIT_SECS
        while time.monotonic() < deadline:
            try:
                if value := condition():
                    return value
            except Failed as failure:
                # The page has put another element in its place.
                if "stale" not in str(failure):
                    raise
            time.sleep(0.1)
        raise Failed(f"waited {WAIT_SECS} s for {what}")

    def click(self, css):
        def clicked():
            element = self.element(css)
            center = "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})"
            self.run(center, {ELEMENT: element})
            try:
                self._in_session("POST", f"/element/{element}/click")
            except Failed as failure:
                if "intercepted" in str(failure):
                    return False
                raise
            return True
        self.wait(f"a click on {css}", clicked)

    def text(self, css):
        return self._in_session("GET", f"/element/{self.element(css)}/text")

    def type(self, css, text):
        """Puts `text` in the place of what is there."""
        element = self.element(css)
        self._in_session("POST", f"/element/{element}/clear")
        self._in_session("POST", f"/element/{element}/value", {"text": text})

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self._in_session("GET", "/screenshot")))
