# The two commands of the README are `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
STAGE := $(PYTHON) deploy/stage.py
WEIGHTS ?= selfroute/weights

VENV_VLLM ?= .venv-vllm

# One process more than there are cores, since tests wait too; more than a few would only import the same things again.
WORKERS ?= $(shell $(PYTHON) -c 'import os; n = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1; print(min(n + 1, 9))')
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal

# Where Python keeps no bytecode, each of the processes that tests start compiles all of it again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test test-fast test-slow test-vllm torture checks wheel bench train-reader data clean

## demo: index the sample and ask three questions that end in three ways
demo: $(VENV)/base.stamp
	@BIN=$(BIN) sh eval/samples/demo.sh

## test: the tests but for the slow ones, with every extra installed (minutes)
test: $(VENV)/dev.stamp
	$(PYTEST) -m "not slow"

## test-fast: units alone: no process and no browser (under a minute)
test-fast: $(VENV)/dev.stamp
	$(PYTEST) -m "not slow and not end_to_end" --hypothesis-profile=fast

## test-slow: the rest: what trains, kills, measures memory, or asks a service for everything its description allows
test-slow: $(VENV)/dev.stamp
	$(PYTEST) -m slow

## test-vllm: vLLM itself, its CPU build with a tiny model, in an environment of its own (minutes)
test-vllm: $(VENV_VLLM)/vllm.stamp
	$(VENV_VLLM)/bin/python -m pytest tests/with_vllm

## torture: the slow tests, with 500 kills of what changes an index and each of its system calls failing (half an hour)
torture: $(VENV)/dev.stamp
	KILLS=500 FAULTS=all $(PYTEST) -m slow

## checks: style, types, and who may import whom
checks: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

## wheel: build the wheel and look at what differs from a checkout: its files, its command, missing extras
wheel: $(VENV)/dev.stamp
	BIN=$(BIN) WORKERS=$(WORKERS) sh tests/wheel.sh

## bench: the figures of docs/, with the data of SELFROUTE_DATA (over an hour; readings that build/runs/dev has already are not made again)
bench: data $(VENV)/dev.stamp
	$(BIN)/python eval/bench/cold_start.py eval/samples/harbour.md
	$(BIN)/python eval/bench/runner.py
	$(BIN)/python eval/bench/index.py $(SELFROUTE_DATA)/dev/squad_long.jsonl.xz
	$(BIN)/python eval/bench/long_documents.py $(SELFROUTE_DATA)/dev/squad_long.jsonl.xz $(SELFROUTE_DATA)/dev/covidqa.jsonl.xz
	@$(STAGE) "install what is measured beside" $(PIP) install --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python eval/bench/indexing.py $(wildcard $(SELFROUTE_DATA)/dev/*.jsonl.xz)
	$(BIN)/python eval/bench/embedder.py $(SELFROUTE_DATA)/dev/squad_long.jsonl.xz
	$(BIN)/python eval/bench/reader_speed.py $(SELFROUTE_DATA)/dev/lara_32k_financial_location.jsonl.xz
	$(BIN)/selfroute eval eval/suites/dev.yaml --out build/runs/dev
	$(BIN)/python eval/bench/reader.py build/runs/dev

## train-reader: make the bundled models again from SELFROUTE_DATA/train; goes on after an interruption (hours)
train-reader: data $(VENV)/dev.stamp
	$(BIN)/python -m selfroute.training --data $(SELFROUTE_DATA)/train --work build/reader --out $(WEIGHTS)

# what is no part of the project
data:
	@[ -d "$(SELFROUTE_DATA)" ] || { echo "set SELFROUTE_DATA to the folder that holds the data" >&2; exit 1; }

clean:
	rm -rf $(VENV) $(VENV_VLLM) build dist

$(VENV)/base.stamp: pyproject.toml
	@$(STAGE) "make an environment in $(VENV)" $(PYTHON) -m venv $(VENV)
	@$(STAGE) "install selfroute" $(PIP) install --constraint constraints.txt --editable .
	@touch $@

# torch first: a bare `torch` that another package asks for brings gigabytes of CUDA
$(VENV)/dev.stamp: $(VENV)/base.stamp constraints.txt
	@$(STAGE) "install torch" $(PIP) install --constraint constraints.txt torch
	@$(STAGE) "install the extras" $(PIP) install --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(VENV_VLLM)/vllm.stamp: pyproject.toml constraints.txt tests/with_vllm/install.sh
	PYTHON=$(PYTHON) sh tests/with_vllm/install.sh $(VENV_VLLM)
	@touch $@
