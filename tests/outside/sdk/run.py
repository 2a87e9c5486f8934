"""Generates the client SDKs from both specs, builds each with its own tools, and tests them on a
live server.

The output is in target/sdk/<language>/<api>. Do not edit it by hand: patches of the templates
(patches/<language>.patch) fix errors of the generator.
"""

import argparse
import concurrent.futures
import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
OUTSIDE = ROOT / "tests" / "outside"
sys.path.insert(0, str(OUTSIDE / "contract"))
from live_server import build as build_server  # noqa: E402
from live_server import command, free_port, live_server  # noqa: E402

SDK = OUTSIDE / "sdk"
OUT = ROOT / "target" / "sdk"
GENERATOR = str(ROOT / ".venv" / "bin" / "openapi-generator-cli")
VERSION = "1.0.0"
LANGUAGES = ("typescript", "python", "rust")


class Api:
    """Spec with the names of its clients."""

    def __init__(self, name, package):
        self.name = name
        self.spec = ROOT / "openapi" / f"{name}.yaml"
        self.package = package

    def options(self, language):
        """Returns the name of the generator and its additional properties."""
        underscored = self.package.replace("-", "_")
        return {
            "typescript": (
                "typescript-fetch",
                {
                    "npmName": self.package,
                    "npmVersion": VERSION,
                    "supportsES6": "true",
                    "stringEnums": "false",
                },
            ),
            "python": ("python", {"packageName": underscored, "packageVersion": VERSION}),
            "rust": (
                "rust",
                {
                    "packageName": self.package,
                    "packageVersion": VERSION,
                    "library": "reqwest",
                    "reqwestDefaultFeatures": "rustls",
                    "avoidBoxedModels": "true",
                },
            ),
        }[language]


APIS = (Api("agentmessage", "agentmessage-client"), Api("tether-relay", "tether-relay-client"))


# Generate


def patched_templates(language):
    """Writes the patched templates of the generator to a folder. Returns None if there is no
    patch."""
    patch = SDK / "patches" / f"{language}.patch"
    if not patch.exists():
        return None
    folder = OUT / language / "templates"
    shutil.rmtree(folder, ignore_errors=True)
    command(GENERATOR, "author", "template", "-g", language, "-o", folder)
    # Inside a repository, git apply skips paths outside the current directory.
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(folder.parent)}
    try:
        command("git", "apply", patch, cwd=folder, env=environment)
    except SystemExit as failure:
        version = command(GENERATOR, "version").strip()
        raise SystemExit(f"{failure}openapi-generator is version {version}") from None
    return folder


def generate_client(language, api, templates):
    """Regenerates one client and adds our notes to its README."""
    name, properties = api.options(language)
    folder = OUT / language / api.name
    shutil.rmtree(folder, ignore_errors=True)
    arguments = [
        GENERATOR,
        "generate",
        "-g",
        name,
        "-i",
        api.spec,
        "-o",
        folder,
        "--additional-properties",
        ",".join(f"{key}={value}" for key, value in properties.items()),
        "--global-property",
        "apiTests=false,modelTests=false",
        "--openapi-normalizer",
        "KEEP_ONLY_FIRST_TAG_IN_OPERATION=true",
        "--ignore-file-override",
        SDK / "generator-ignore",
    ]
    if templates:
        arguments += ["-t", templates]
    command(*arguments)
    readme = folder / "README.md"
    notes = (SDK / language / "NOTES.md").read_text()
    readme.write_text(readme.read_text().rstrip() + "\n\n" + notes)


def generate(languages):
    templates = {language: patched_templates(language) for language in languages}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(generate_client, language, api, templates[language])
            for language in languages
            for api in APIS
        ]
        for job in jobs:
            job.result()


# Build


def copy_tests(language):
    """Copies the tests of a language and the program of docs/CLIENTS.md next to its clients."""
    tests = OUT / language / "tests"
    shutil.rmtree(tests, ignore_errors=True)
    shutil.copytree(SDK / language / "tests", tests, ignore=shutil.ignore_patterns("__pycache__"))
    fence, name = GUIDE[language]
    (tests / name).parent.mkdir(exist_ok=True)
    (tests / name).write_text(guide(fence))
    return tests


# Path of the program of docs/CLIENTS.md, by the language of its fence.
GUIDE = {
    "typescript": ("ts", "src/guide.ts"),
    "python": ("python", "guide.py"),
    "rust": ("rust", "examples/guide.rs"),
}


def guide(fence):
    """Returns the programs of docs/CLIENTS.md in one language, joined."""
    text = (ROOT / "docs" / "CLIENTS.md").read_text()
    programs = re.findall(rf"^```{fence}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    if not programs:
        raise SystemExit(f"docs/CLIENTS.md must have a program in {fence}")
    return "\n".join(programs)


def build_typescript():
    """Builds each package by its own build script, with the tsc of package-lock.json."""
    home = OUT / "typescript"
    tests = copy_tests("typescript")
    modules = home / "node_modules"
    shutil.rmtree(modules, ignore_errors=True)
    modules.mkdir(parents=True)
    for api in APIS:
        # Link the packages as npm workspaces do, without downloading their tools.
        (modules / api.package).symlink_to(f"../{api.name}")
        command("npm", "run", "build", cwd=home / api.name, env=typescript_environment())
    command("npm", "run", "build", cwd=tests, env=typescript_environment())


def typescript_environment():
    """Puts the tools of package-lock.json on PATH, because npm only searches above target/sdk/."""
    path = os.pathsep.join([str(OUTSIDE / "node_modules" / ".bin"), os.environ["PATH"]])
    return os.environ | {"PATH": path}


def build_python():
    """Installs both packages and the pinned requirements.txt into a separate venv."""
    home = OUT / "python"
    copy_tests("python")
    requirements = SDK / "python" / "requirements.txt"
    venv = home / "venv"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    stamp = venv / "installed"
    pip = [
        venv / "bin" / "python3",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    if not stamp.exists() or stamp.read_text() != digest:
        command(sys.executable, "-m", "venv", "--clear", venv)
        command(*pip, "--require-hashes", "--only-binary", ":all:", "-r", requirements)
        stamp.write_text(digest)
    packages = [home / api.name for api in APIS]
    command(*pip, "--no-deps", "--no-build-isolation", "--force-reinstall", *packages)
    command(venv / "bin" / "python3", "-m", "pip", "check", "--disable-pip-version-check")


# Without TLS, because the local server does not use it and it would dominate the build time.
CARGO_TEST = ("cargo", "test", "--quiet", "--locked", "--workspace", "--no-default-features")
CARGO_GUIDE = ("cargo", "run", "--quiet", "--locked", "-p", "sdk-tests", "--example", "guide")


def build_rust():
    """Builds both crates and their tests as a separate workspace, with the dependencies of
    Cargo.lock."""
    home = OUT / "rust"
    copy_tests("rust")
    for name in ("Cargo.toml", "Cargo.lock"):
        shutil.copy(SDK / "rust" / name, home / name)
    command(*CARGO_TEST, "--no-run", cwd=home, env=rust_environment())


def rust_environment():
    return os.environ | {
        "CARGO_TARGET_DIR": str(OUT / "rust" / "target"),
        "CARGO_PROFILE_DEV_DEBUG": "0",
    }


BUILD = {"typescript": build_typescript, "python": build_python, "rust": build_rust}


# Test


@contextlib.contextmanager
def prism(api, upstream):
    """Starts a proxy that rejects requests and responses that violate the spec. Yields its URL."""
    port = free_port()
    log = OUT / f"prism-{api.name}.log"
    with log.open("w") as output:
        proxy = subprocess.Popen(
            [
                OUTSIDE / "node_modules" / ".bin" / "prism",
                "proxy",
                api.spec,
                upstream,
                "--errors",
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_it_answers(url, proxy, log)
        yield url
    finally:
        proxy.terminate()
        proxy.wait(10)
    violations = [
        line
        for line in log.read_text().splitlines()
        if "violation" in line.lower() or "with error" in line
    ]
    if violations:
        raise SystemExit("prism found violations:\n" + "\n".join(violations))


def wait_until_it_answers(url, process, log):
    """Waits up to half a minute until the proxy listens."""
    for _ in range(300):
        if process.poll() is not None:
            raise SystemExit(f"prism exited: {log.read_text()}")
        if "is listening on" in log.read_text():
            return
        time.sleep(0.1)
    raise SystemExit(f"prism does not listen on {url}: {log.read_text()}")


def credentials(server):
    """Returns the environment variables of the tests."""
    personal = server.json("org", "create", "--name", "Personal Tenant", "--kind", "personal")
    organization = server.organization["id"]
    unscoped = (
        "--org",
        organization,
        "--label",
        "no scope of this API",
        "--scopes",
        "billing:read",
    )
    return {
        "SDK_DIRECT_URL": server.url,
        "SDK_KEY": server.keys["admin"],
        "SDK_KEY_READER": server.keys["reader"],
        "SDK_KEY_WITHOUT_SCOPE": key_of(server.json("key", "create", *unscoped)),
        "SDK_KEY_PERSONAL": key_of(
            server.json(
                "key",
                "create",
                "--org",
                personal["id"],
                "--label",
                "personal",
                "--scopes",
                "org:read,org:admin:write",
            )
        ),
        "SDK_ORGANIZATION_ID": organization,
        "SDK_EXTERNAL_ID": server.organization["external_id"],
        "SDK_TOKEN_ADMIN": server.tokens["admin"],
        "SDK_TOKEN_SUPERADMIN": server.tokens["superadmin"],
        "SDK_TOKEN_SALES_REP": server.command(
            "token", "--role", "SALES_REP", "--org", organization
        ).strip(),
    }


def key_of(created):
    """Returns the plaintext of a key from the output of `key create --json`."""
    return created["plaintext"]


def run_tests(language, environment):
    """Runs the tests of one language in their own folder."""
    home = OUT / language
    commands = {
        # One file at a time, because a change in one would make the entity tag of the other stale.
        "typescript": [
            "node",
            "--test",
            "--test-reporter=spec",
            "--test-concurrency=1",
            *sorted(home.glob("tests/dist/*.test.js")),
        ],
        "python": [home / "venv" / "bin" / "python3", "-m", "unittest", "discover", "--quiet"],
        "rust": CARGO_TEST,
    }
    folder = home if language == "rust" else home / "tests"
    base = rust_environment() if language == "rust" else os.environ
    return command(*commands[language], cwd=folder, env=base | environment)


def run_guide(language, server, proxies):
    """Runs the program of docs/CLIENTS.md. The curl commands bypass the proxy: one violates the
    spec on purpose."""
    home = OUT / language
    environment = {"API_URL": proxies["SDK_AGENTMESSAGE_URL"], "KEY": server.keys["admin"]}
    commands = {
        "typescript": ["node", home / "tests" / "dist" / "guide.js"],
        "python": [home / "venv" / "bin" / "python3", home / "tests" / "guide.py"],
        "rust": CARGO_GUIDE,
    }
    base = rust_environment() if language == "rust" else os.environ
    output = command(*commands[language], cwd=home, env=base | environment)
    if "refused: " not in output:
        raise SystemExit(f"the {language} program of docs/CLIENTS.md was never refused:\n{output}")


def run_curl_guide(server):
    """Runs the curl commands of docs/CLIENTS.md in order."""
    environment = {
        "API_URL": server.url,
        "KEY": server.keys["admin"],
        "TOKEN": server.tokens["admin"],
        "ORGANIZATION": server.organization["id"],
    }
    with tempfile.TemporaryDirectory() as folder:
        output = command(
            "bash", "-euo", "pipefail", "-c", guide("sh"), cwd=folder, env=os.environ | environment
        )
    replayed = "idempotent-replayed: true"
    for expected in (
        "304",
        '"billing_email":null',
        '"name":"cannot be null"',
        replayed,
        "we missed your call",
    ):
        if expected not in output:
            raise SystemExit(
                f"the curl commands of docs/CLIENTS.md must print {expected}:\n{output}"
            )


def test(languages):
    """Tests every language on its own server, through prism."""
    build_server()
    for language in languages:
        started = time.monotonic()
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(live_server("sqlite"))
            proxies = {
                f"SDK_{api.name.upper().replace('-', '_')}_URL": stack.enter_context(
                    prism(api, server.url)
                )
                for api in APIS
            }
            output = run_tests(language, credentials(server) | proxies)
            run_guide(language, server, proxies)
            if language == "python":
                run_curl_guide(server)
            server.command("audit", "verify")
        passed = re.findall(r"Ran (\d+) tests|pass (\d+)|(\d+) passed", output)
        count = sum(int(number) for numbers in passed for number in numbers if number)
        if count == 0:
            raise SystemExit(f"tests did not run:\n{output}")
        print(
            f"{'tested':10}{language:12} {time.monotonic() - started:5.1f} s  {count} tests passed",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "steps", nargs="*", choices=("generate", "build", "test", []), help="default: all"
    )
    parser.add_argument("--language", choices=LANGUAGES, action="append", help="default: all")
    arguments = parser.parse_args()
    languages = arguments.language or LANGUAGES
    steps = arguments.steps or ("generate", "build", "test")
    if "generate" in steps:
        started = time.monotonic()
        generate(languages)
        print(f"{'generated':22} {time.monotonic() - started:5.1f} s", flush=True)
    for language in languages if "build" in steps else ():
        started = time.monotonic()
        BUILD[language]()
        print(f"{'built':10}{language:12} {time.monotonic() - started:5.1f} s", flush=True)
    if "test" in steps:
        test(languages)


if __name__ == "__main__":
    main()
