# `make` alone prints this list. What a target needs it sets up itself.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
BENCH_BIN := build/bench-venv/bin
FUZZ_BIN := build/fuzz-venv/bin
GENERATE_BIN := build/generate-venv/bin
COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-annotate \
	--custom-compile-command "make lock"

REST_PORT ?= 8080
GRPC_PORT ?= 50051
# Own metrics; without it the server's own default counts.
METRICS_PORT ?= $(VUMETER_METRICS_PORT)
DB ?= data/vumeter.db
DEMO ?= 1

.PHONY: help setup run test test-pythons wheel test-long test-cluster test-on-cluster test-kills test-cluster-kills test-damage test-fuzz fuzz test-soak test-openapi soak audit lint lint-style lint-imports lint-protos lint-types fix generate grafana-dashboard check-generated bench lock

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/ready ## make .venv/ with everything pinned in requirements.lock

# The editable install is made once: a change of the code needs no new one, a change of
# pyproject.toml or of the lock file does.
.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' || \
		{ echo "vumeter needs Python 3.11 to 3.14: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@echo "setting up .venv"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: setup ## start server and Envoy with demo data, print a key and requests to try
	@VUMETER_REST_PORT=$(REST_PORT) VUMETER_GRPC_PORT=$(GRPC_PORT) VUMETER_DB=$(DB) VUMETER_DEMO=$(DEMO) \
		$(if $(METRICS_PORT),VUMETER_METRICS_PORT=$(METRICS_PORT)) $(BIN)/python -m vumeter_server.quickstart

# The whole suite runs in up to four processes, one file of tests per process at a time. What ARGS
# names runs in this process: `make test ARGS="tests/times -k zone"`; WORKERS=2 gives it two.
WORKERS ?= $(if $(ARGS),0,auto)
PYTEST = $(BIN)/python -m pytest --numprocesses $(WORKERS) --maxprocesses 4

test: setup ## run all tests (ARGS=tests/times: only these, WORKERS=2: in 2 processes)
	@$(PYTEST) $(ARGS)

test-long: setup ## run all tests with many more examples, rounds and kills: hours (ARGS as above)
	@TEST_LONG=1 $(PYTEST) $(ARGS)

test-pythons: setup ## run a part of the tests with each Python 3.11 to 3.14 that is found (PYTHONS=paths of others)
	@$(BIN)/python tools/pythons.py $(ARGS)

wheel: setup ## build the wheel into dist/
	@$(BIN)/python -m hatchling build -t wheel -d dist

test-cluster: setup ## run what knows ClickHouse, on a cluster of three nodes too: several minutes
	@TEST_CLUSTER=1 $(BIN)/python -m pytest tests/clickhouse tests/conformance tests/custom_metrics/clickhouse tests/otlp/test_clickhouse.py tests/simulation/test_clickhouse_store.py tests/store_migration -k "clickhouse or cluster" $(ARGS)

# What callers see through Envoy, asked of a product on a cluster in place of a file.
ON_CLUSTER = $(addprefix tests/end_to_end/test_,examples.py cases.py isolation.py roles.py live_roles.py idempotency.py \
	both_apis.py query_on_both_apis.py bad_input.py malformed.py errors.py usage.py csv.py sign_in.py callers.py export.py \
	old_events.py limits.py grpc_web.py audit.py) \
	$(addprefix tests/live_metrics/test_,examples.py typed_rpcs.py typed_refusals.py) \
	$(addprefix tests/simulation/test_,examples.py typed_rpcs.py rest.py) \
	$(addprefix tests/otlp/test_,payloads.py rejected.py)

test-on-cluster: setup ## run the documented cases, roles, isolation and more through Envoy, on a cluster of three nodes: 10 minutes
	@TEST_ON_CLUSTER=1 $(BIN)/python -m pytest --timeout 600 $(ON_CLUSTER) $(ARGS)

# 60, unless KILLS is given.
CLUSTER_KILLS := $(or $(KILLS),60)
KILLS ?= 1000
test-kills: setup ## kill -9 processes of the product at random moments while clients record (KILLS=1000)
	@TEST_KILLS=$(KILLS) $(BIN)/python -m pytest --verbose --numprocesses auto --maxprocesses 4 --dist load \
		-o tmp_path_retention_policy=failed tests/end_to_end/test_random_kills.py $(ARGS)

test-cluster-kills: setup ## kill -9 nodes of a ClickHouse cluster and servers on it while writers of every family race (KILLS=60 of each)
	@TEST_CLUSTER_KILLS=$(CLUSTER_KILLS) $(BIN)/python -m pytest -s tests/clickhouse/test_kills.py $(ARGS)

test-damage: setup ## damage every page and many blobs of a database file: about an hour
	@TEST_DAMAGE=all $(BIN)/python -m pytest tests/sqlite/test_damage.py $(ARGS)

REQUESTS ?= 1000000
test-fuzz: setup ## send requests that nobody would send, to every path and method (REQUESTS=1000000)
	@TEST_FUZZ=$(REQUESTS) $(BIN)/python -m pytest -s tests/fuzz $(ARGS)

SECONDS_EACH ?= 300
fuzz: setup build/fuzz-venv/ready ## fuzz what parses bytes, guided by coverage (SECONDS_EACH=300 per target, ARGS=record_points: only this)
	@$(FUZZ_BIN)/python -m tests.fuzz.guided --seconds $(SECONDS_EACH) $(ARGS)

# Atheris runs on Linux on x86-64 alone, so that it is installed apart.
build/fuzz-venv/ready: tests/fuzz/requirements.lock
	@echo "setting up build/fuzz-venv"
	@rm -rf build/fuzz-venv
	@$(PYTHON) -m venv build/fuzz-venv
	@$(FUZZ_BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes -r $<
	@printf '%s\n' "$(CURDIR)/server" "$(CURDIR)/generated" > \
		"$$($(FUZZ_BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/vumeter.pth"
	@touch $@

MINUTES ?= 60
test-soak: setup ## compare all stores with their oracles on new random examples for an hour (MINUTES=60)
	@until [ $$SECONDS -ge $$(( $(MINUTES) * 60 )) ]; do \
		$(BIN)/python -m pytest -m hypothesis --hypothesis-seed $$RANDOM --exitfirst $(ARGS) || exit; done

test-openapi: setup ## send random requests made of the OpenAPI document to the product for an hour (MINUTES=60)
	@TEST_OPENAPI=$(MINUTES) $(BIN)/python -m pytest tests/openapi/test_fuzzing.py $(ARGS)

# `make --jobs 2 lint` checks types beside the rest.
lint: lint-style lint-imports lint-protos lint-types ## check style, imports, protos, generated files and types

lint-style: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

lint-imports: setup
	@$(BIN)/lint-imports --no-logo

lint-protos: setup check-generated
	@$(GENERATE_BIN)/python tools/generate.py --lint-image build/protos.binpb
	@$(BIN)/buf lint build/protos.binpb --path vumeter

lint-types: setup
	@$(BIN)/mypy

fix: setup ## repair what lint can repair
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

generate: build/generate-venv/ready ## write generated/ from protos/
	@$(GENERATE_BIN)/python tools/generate.py

grafana-dashboard: setup ## write monitoring/grafana-dashboard.json, the dashboard of own metrics
	@$(BIN)/python -m tools.grafana_dashboard

check-generated: build/generate-venv/ready ## fail if generated/ is not what protos/ gives
	@$(GENERATE_BIN)/python tools/generate.py --check

# Stubs are generated apart from the server: tools/requirements.in says why.
build/generate-venv/ready: tools/requirements.lock
	@echo "setting up build/generate-venv"
	@rm -rf build/generate-venv
	@$(PYTHON) -m venv build/generate-venv
	@$(GENERATE_BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes -r $<
	@touch $@

bench: setup build/bench-venv/ready ## measure against other stores, in ratios within one run (ARGS=--full, --help)
	@$(BENCH_BIN)/python -m bench $(ARGS)

soak: setup build/bench-venv/ready ## use the product in every way, with a verdict on what must not grow (MINUTES=60)
	@$(BENCH_BIN)/python -m bench.soak --minutes $(MINUTES) $(ARGS)

audit: build/audit-venv/ready ## look the pinned packages up among known vulnerabilities
	@build/audit-venv/bin/python tools/audit.py

build/audit-venv/ready: tools/audit.lock
	@echo "setting up build/audit-venv"
	@rm -rf build/audit-venv
	@$(PYTHON) -m venv build/audit-venv
	@build/audit-venv/bin/python -m pip install --quiet --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes -r $<
	@touch $@

# What the product is set against is installed apart from it.
build/bench-venv/ready: bench/requirements.lock
	@echo "setting up build/bench-venv"
	@rm -rf build/bench-venv
	@$(PYTHON) -m venv build/bench-venv
	@$(BENCH_BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes -r $<
	@printf '%s\n' "$(CURDIR)/server" "$(CURDIR)/generated" > \
		"$$($(BENCH_BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/vumeter.pth"
	@touch $@

lock: setup ## renew requirements.lock and those of deploy/, bench/, tools/ and tests/
	@$(COMPILE) --extra dev --upgrade -o requirements.lock pyproject.toml
	@$(COMPILE) --extra clickhouse --upgrade --constraint requirements.lock -o deploy/requirements.lock pyproject.toml
	@$(COMPILE) --upgrade --constraint requirements.lock -o deploy/build-requirements.lock deploy/build-requirements.in
	@$(COMPILE) --extra bench --upgrade --constraint requirements.lock -o bench/requirements.lock pyproject.toml
	@$(COMPILE) --upgrade --constraint requirements.lock -o tests/fuzz/requirements.lock pyproject.toml tests/fuzz/requirements.in
	@$(COMPILE) --upgrade -o tools/requirements.lock tools/requirements.in
	@$(COMPILE) --upgrade -o tools/audit.lock tools/audit.in
	@$(COMPILE) --upgrade $(addprefix --no-emit-package ,flatbuffers llvmlite numba onnxruntime resampy) \
		-o tests/clients/frameworks/pipecat.lock tests/clients/frameworks/pipecat.in
	@$(COMPILE) --upgrade -o tests/clients/frameworks/livekit.lock tests/clients/frameworks/livekit.in
	@! command -v npm >/dev/null || for folder in tests/otlp/node tests/openapi/node; do \
		npm --prefix $$folder update --package-lock-only --ignore-scripts --no-audit --no-fund; done
