# Two commands are the whole set-up: `make run` and `make test`. Longer recipes are in scripts/.

.DEFAULT_GOAL := help
.PHONY: help run test fmt lint generate check-generated schema bench \
	contract sdk collection breaking-changes browser-test

help: ## show this help
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

run: ## build, make a demo organization on SQLite, print its credentials and curl lines, serve
	@scripts/run

test: ## everything that must hold, on SQLite and on PostgreSQL
	@scripts/test

fmt: ## format the code
	cargo fmt --all

lint: ## rustfmt, clippy, and the linters of the two specs
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	scripts/lint-spec

generate: ## make generated/ from openapi/; installs the pinned generator into .venv
	scripts/generate

check-generated: ## fail if generated/ is not what the generator makes of openapi/
	scripts/generate
	git diff --exit-code -- generated

contract: ## schemathesis against a real server on both databases
	@scripts/contract

sdk: ## make, build and test the client SDKs
	@scripts/sdk

collection: ## Postman and Bruno collections with the demonstration's credentials
	@scripts/collection

breaking-changes: ## compare openapi/ with the last release
	@scripts/breaking-changes

browser-test: ## the docs page in a headless Chromium
	@scripts/browser-test

bench: ## the benchmark of docs/PERFORMANCE.md; BENCH_SECONDS and BENCH_ROUNDS say how long
	@scripts/bench

schema: ## write src/db/tables/schema.rs from PostgreSQL; installs the Diesel command line
	scripts/with-postgres scripts/print-schema
