# `make run` and `make test` are the whole set-up. Longer recipes are in scripts/.

.DEFAULT_GOAL := help
.PHONY: help run dev release check test test-long fmt lint lint-rust lint-spec lint-python generate \
	check-generated schema bench contract error-table sdk collection breaking-changes browser-test clients

# A workspace of its own, in target/sdk/rust.
SDK_TESTS = tests/outside/sdk/rust/tests/*/*.rs

help: ## show this help
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

run: ## build, make a demo organization on SQLite, print its credentials and curl lines, serve
	@scripts/run demo

dev: ## the same from a debug build, seconds after an edit
	@scripts/run dev

release: ## build the optimized program, target/release/quietline
	cargo build --release --locked

check: ## what finds most mistakes, in three minutes: format, clippy, the tests on SQLite
	@scripts/test check

test: ## everything that must hold, on SQLite and on PostgreSQL
	@scripts/test short

test-long: ## the same suites with more random cases, and what seldom breaks
	@scripts/test long

fmt: ## format the code
	cargo fmt --all
	rustfmt --edition 2024 $(SDK_TESTS)

lint: lint-rust lint-spec lint-python ## rustfmt, clippy, ruff, and the linters of the two specs

lint-rust:
	cargo fmt --all --check
	rustfmt --edition 2024 --check $(SDK_TESTS)
	cargo clippy --workspace --all-targets --locked -- -D warnings

lint-spec: ## the linters of the two specs
	@scripts/lint-spec

lint-python:
	@bash -ec '. scripts/tools python; ruff check --quiet; ruff format --quiet --check'

generate: ## make generated/ from openapi/; installs the pinned generator into .venv
	scripts/generate

check-generated: ## fail if generated/ is not what the generator makes of openapi/
	scripts/generate
	git diff --exit-code -- generated

contract: ## schemathesis against a real server on both databases
	@scripts/contract

error-table: ## write the table of error codes in docs/CLIENTS.md from openapi/
	@bash -ec '. scripts/tools python; python3 tests/outside/contract/error_table.py'

sdk: ## make, build and test the client SDKs
	@scripts/sdk

clients: ## unmodified clients of other generators and a Go validator, against a real server
	@scripts/clients

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
