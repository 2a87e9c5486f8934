"""Runs schemathesis against a real server on one database, with both specs and several seeds."""

import argparse
import concurrent.futures
import os
import subprocess
import sys
import time

import collection
import yaml
from live_server import ROOT, build, live_server
from whole_rules import with_whole_rules

SEEDS = (1, 2, 3)
# Working directory of schemathesis: the settings and their paths are relative to it.
OUTSIDE = ROOT / "tests" / "outside"
OUT = ROOT / "target" / "contract"


def spec_with_links(name):
    """Writes the spec with the links of links.yaml and with whole rules. Returns its path."""
    document = with_whole_rules(yaml.safe_load((ROOT / "openapi" / f"{name}.yaml").read_text()))
    links = yaml.safe_load((OUTSIDE / "contract" / "links.yaml").read_text())[name]
    operations = {
        operation["operationId"]: operation
        for path in document["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict) and "operationId" in operation
    }
    for operation, responses in links.items():
        for status, named in responses.items():
            operations[operation]["responses"][status]["links"] = named
    path = OUT / f"{name}.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    return path


def schemathesis(server, spec, name, seed, credential, examples):
    """Runs schemathesis once and prints the verdict. Returns the completed process."""
    own = server.environment["CONTRACT_KEY_ID"]
    environment = os.environ | {"CONTRACT_CREDENTIAL": credential, "CONTRACT_KEY_ID": own}
    arguments = ["--url", server.url, "--seed", str(seed), "--no-color"]
    if examples:
        arguments += ["--max-examples", str(examples)]
    started = time.monotonic()
    run = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", str(spec), *arguments],
        cwd=OUTSIDE,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    took = time.monotonic() - started
    (OUT / f"{server.database}-{name}-{seed}.txt").write_text(run.stdout)
    print(f"{server.database:8}  {name:12}  seed {seed}  {took:5.1f} s  {verdict(run)}", flush=True)
    return run


def verdict(run):
    """Returns the verdict with the number of test cases from the summary of schemathesis."""
    lines = [line.strip() for line in run.stdout.splitlines()]
    counts = [line for line in lines if "generated" in line]
    return f"{'ok' if run.returncode == 0 else 'FAILED'}: {counts[-1] if counts else 'no summary'}"


def spare_keys(server, count):
    """Creates keys that the run may read, rotate and revoke, because a schema cannot predict
    their ids."""
    new = (
        "key",
        "create",
        "--org",
        server.organization["id"],
        "--label",
        "spare",
        "--scopes",
        "org:read",
    )
    ids = [server.json(*new)["id"] for _ in range(count)]
    (OUT / "api-keys.txt").write_text(
        "".join(f'spare{number}="{id}"\n' for number, id in enumerate(ids))
    )


def own_key(server):
    """Returns the id of the key that runs the tests, which they must not revoke."""
    keys = server.json("key", "list", "--org", server.organization["id"])
    return next(key["id"] for key in keys if server.keys["admin"].startswith(key["prefix"]))


def contract(kind, seeds, examples):
    """Runs every seed with both specs, two runs at a time. Returns the failed runs."""
    with live_server(kind) as server:
        spare_keys(server, 8)
        server.environment["CONTRACT_KEY_ID"] = own_key(server)
        organization = server.organization
        (OUT / "organizations.txt").write_text(
            f'uuid="{organization["id"]}"\nexternal="{organization["external_id"]}"\n'
        )
        jobs = []
        for seed in seeds:
            role = "admin" if seed % 2 == 0 else "superadmin"
            jobs.append(("agentmessage", seed, server.keys["admin"]))
            jobs.append(("tether-relay", seed, server.tokens[role]))
        specs = {name: spec_with_links(name) for name in ("agentmessage", "tether-relay")}
        # The specs have no settings in common, so their runs do not affect each other.
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            lanes = [
                pool.submit(
                    lambda name=name: [
                        schemathesis(server, specs[name], name, seed, credential, examples)
                        for job, seed, credential in jobs
                        if job == name
                    ]
                )
                for name in specs
            ]
            runs = [run for lane in lanes for run in lane.result()]
        count = collection.write(server.url, server.json("demo"), OUT, send=True)
        print(f"{kind:8}  collections: {count} requests, all accepted")
        print(f"{kind:8}  audit log: {server.command('audit', 'verify').strip()}")
        if "panic" in server.log.read_text():
            raise RuntimeError(f"the server panicked: {server.log.read_text()[-4000:]}")
    return [run for run in runs if run.returncode != 0]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", choices=("sqlite", "postgres"))
    parser.add_argument(
        "--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=SEEDS
    )
    parser.add_argument(
        "--examples", type=int, help="examples per operation (default: schemathesis.toml)"
    )
    arguments = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    build()
    failed = contract(arguments.database, arguments.seeds, arguments.examples)
    for run in failed:
        print(run.stdout)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
