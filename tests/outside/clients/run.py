"""Tests other people's tools on a live server: the unmodified clients that openapi-generator makes
for PHP, Go and Java, and the Go validator kin-openapi.

The output is in target/clients/. Everything comes from Debian's packages and from the wheel of the
generator, because Composer, Go modules and Maven need more registries.
"""

import argparse
import os
import pathlib
import shutil
import sys
import time

import openapi_generator_cli

ROOT = pathlib.Path(__file__).resolve().parents[3]
OUTSIDE = ROOT / "tests" / "outside"
sys.path.insert(0, str(OUTSIDE / "contract"))
from live_server import build as build_server  # noqa: E402
from live_server import command, live_server  # noqa: E402

HERE = OUTSIDE / "clients"
OUT = ROOT / "target" / "clients"
GENERATOR = str(ROOT / ".venv" / "bin" / "openapi-generator-cli")
# Jackson, which the Java client needs, is part of the generator.
GENERATOR_JAR = pathlib.Path(openapi_generator_cli.__file__).parent / "openapi-generator.jar"
APIS = ("agentmessage", "tether-relay")
# Go libraries of Debian's packages.
DEBIAN_GO = "/usr/share/gocode"


def generate(generator, api, folder, **properties):
    """Generates the client of an API into an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    spec = ROOT / "openapi" / f"{api}.yaml"
    settings = ",".join(f"{key}={value}" for key, value in properties.items())
    arguments = ["generate", "-g", generator, "-i", spec, "-o", folder]
    arguments += ["--global-property", "apiTests=false,modelTests=false"]
    arguments += ["--openapi-normalizer", "KEEP_ONLY_FIRST_TAG_IN_OPERATION=true"]
    command(GENERATOR, *arguments, "--additional-properties", settings)


def php(environment):
    namespaces = {"agentmessage": "AgentMessage", "tether-relay": "TetherRelay"}
    for api, namespace in namespaces.items():
        generate("php", api, OUT / "php" / api, invokerPackage=namespace)
    return command("php", HERE / "php" / "test.php", OUT / "php", env=environment)


def go_environment(environment):
    """Builds without modules, from a folder of our own and from Debian's packages."""
    path = os.pathsep.join([str(OUT / "go"), DEBIAN_GO])
    return environment | {"GOPATH": path, "GO111MODULE": "off"}


def go(environment):
    home = OUT / "go" / "src"
    for api, package in (("agentmessage", "agentmessage"), ("tether-relay", "tetherrelay")):
        generate(
            "go",
            api,
            home / package,
            packageName=package,
            # As docs/CLIENTS.md advises.
            disallowAdditionalPropertiesIfNotPresent="false",
            enumUnknownDefaultCase="true",
        )
    return command("go", "run", HERE / "go/client/main.go", env=go_environment(environment))


def java(environment):
    home = OUT / "java"
    classes = home / "classes"
    shutil.rmtree(classes, ignore_errors=True)
    classes.mkdir(parents=True)
    sources = sorted((HERE / "java").rglob("*.java"))
    for api, package in (("agentmessage", "agentmessage"), ("tether-relay", "tetherrelay")):
        folder = home / api
        packages = {f"{kind}Package": f"{package}.{kind}" for kind in ("api", "model")}
        generate(
            "java",
            api,
            folder,
            library="native",
            invokerPackage=package,
            openApiNullable="false",
            enumUnknownDefaultCase="true",
            **packages,
        )
        sources += sorted((folder / "src" / "main").rglob("*.java"))
    path = ["-cp", f"{GENERATOR_JAR}{os.pathsep}{classes}"]
    command("javac", "-nowarn", "-proc:none", "-d", classes, *path, *sources)
    return command("java", *path, "Client", env=environment)


def kin_openapi(environment):
    """Validates AgentMessage as OpenAPI 3.0, as docs/CLIENTS.md converts it."""
    converted = OUT / "agentmessage-3.0.yaml"
    published = ROOT / "openapi" / "agentmessage.yaml"
    command("openapi-down-convert", "--input", published, "--output", converted)
    documents = (converted, ROOT / "openapi" / "tether-relay.yaml")
    program = HERE / "go/validator/main.go"
    return command("go", "run", program, *documents, env=go_environment(environment))


TOOLS = {"php": php, "go": go, "java": java, "kin-openapi": kin_openapi}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tool", choices=TOOLS, action="append", help="default: all")
    tools = parser.parse_args().tool or TOOLS
    OUT.mkdir(parents=True, exist_ok=True)
    build_server()
    for tool in tools:
        started = time.monotonic()
        with live_server("sqlite") as server:
            environment = os.environ | {
                "API_URL": server.url,
                "KEY": server.keys["admin"],
                "TOKEN": server.tokens["admin"],
                "ORGANIZATION": server.organization["id"],
            }
            output = TOOLS[tool](environment)
        took = time.monotonic() - started
        print(f"{tool:12} {took:5.1f} s  {output.strip().splitlines()[-1]}", flush=True)


if __name__ == "__main__":
    main()
