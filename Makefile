# The two commands: `make run` and `make test`. Each sets up what it needs, in .venv, from the lock
# files; nothing is installed anywhere else. `make help` lists the rest.

PYTHON ?=
ARGS ?=
BENCH ?=
ROW ?=
BIN := .venv/bin
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help run setup setup-dev test check conform fix docs snapshots bench torture lock build
.PHONY: clean fuzz-simulators conform-clients chart

help:  ## list the targets
	@grep -hE '^[a-z-]+: .*## |^[a-z-]+:  ##' Makefile \
	  | awk -F ':|## ' '{printf "  make %-16s %s\n", $$1, $$NF}'

run: setup  ## start Junctor with its demo
	@$(BIN)/junctor up --demo $(ARGS)

setup:  ## make .venv with what Junctor needs to run
	@sh tools/setup.sh run

setup-dev:  ## make .venv with what tests and checks need, too
	@sh tools/setup.sh dev

test: setup-dev  ## all tests, on a real PostgreSQL (ARGS="-k word" for some)
	$(BIN)/python -m pytest $(ARGS)

check: setup-dev  ## lint, format, types, layers, documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n 0 tests/test_layers.py tests/test_sizes.py tests/docs

conform: setup-dev  ## connectors and simulators against OpenAPI documents (ARGS="toky" for one)
	@$(BIN)/python -m tools.conform $(ARGS)

fix: setup-dev  ## mend what the linter and the formatter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup-dev  ## remake the reference pages from the code
	$(BIN)/python -m tools.reference

snapshots: setup-dev  ## remake the snapshots of every module's form; read the difference like code
	JUNCTOR_WRITE_SNAPSHOTS=1 $(BIN)/python -m pytest -q -n 0 tests/contract/test_connectors.py -k forms_stay

bench: setup-dev  ## the benchmarks (BENCH=name for one; ARGS for its arguments)
	@sh tools/bench.sh $(BENCH) $(ARGS)

torture: setup-dev  ## real processes, hurt; every event accounted for (ROW=kill; ARGS="--short --seed 7")
	@PYTHONPATH=src:. $(BIN)/python -m torture $(ROW) $(ARGS)

fuzz-simulators: setup-dev  ## fuzz the simulators for minutes (ARGS="crisp --examples 200")
	$(BIN)/python -m tools.fuzz_simulators $(ARGS)

conform-clients: setup-dev  ## the vendors' own client libraries against the simulators (needs npm)
	@sh tools/clients/setup.sh
	JUNCTOR_CI_CLIENTS=required $(BIN)/python -m pytest -n 0 tests/simulators/test_sim_clients.py $(ARGS)

chart:  ## the Helm chart, linted and rendered by Helm's code, by Kubernetes' schemas (loads 100 MB once)
	@sh tools/chart/setup.sh
	tools/chart/.venv/bin/python tools/chart/check.py

lock:  ## remake the lock files from pyproject.toml (ARGS=--upgrade for newer versions)
	@sh tools/lock.sh $(ARGS)

build: setup-dev  ## the wheel, in dist/
	$(BIN)/python -m hatchling build -t wheel

clean:  ## remove .venv and what tools left behind (never your data)
	rm -rf .venv .cache dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
