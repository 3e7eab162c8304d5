# KITTY: `make run` starts it with the demo lab, `make test` runs the tests.  `make help` lists the rest.
PYTHON ?= python3
UV_VERSION := 0.13.8
UV := .make/uv/bin/uv
BIN := .venv/bin
ARGS ?=

.PHONY: help setup run serve test check bench safety soak docs clean

help: ## what there is to make
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## / - /'

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in {(3, 11), (3, 12)})' || \
		{ echo "KITTY needs Python 3.11 or 3.12; say which: make PYTHON=python3.11 ..."; exit 1; }
	@$(PYTHON) -m venv .make/uv
	@.make/uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.make/run.stamp: $(UV) pyproject.toml uv.lock
	@echo "Setting up the environment in .venv (once; a minute or two)..."
	@$(UV) sync --quiet --locked --inexact --no-dev --python $(PYTHON) --compile-bytecode
	@touch $@

.make/dev.stamp: .make/run.stamp
	@$(UV) sync --quiet --locked --inexact --python $(PYTHON) --compile-bytecode
	@touch $@

setup: .make/run.stamp ## make .venv

run: .make/run.stamp ## start KITTY with the demo lab (ARGS="--port 8500")
	@exec $(BIN)/kitt demo $(ARGS)

serve: .make/run.stamp ## start KITTY with your own lab
	@exec $(BIN)/kitt serve $(ARGS)

test: .make/dev.stamp ## run the tests
	@$(BIN)/pytest -n 2 --dist loadscope -m "not slow" $(ARGS)

check: .make/dev.stamp ## lint, types, layers, generated pages
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m infra.settings --check
	@$(BIN)/python -m assistant.reference --check
	@$(BIN)/python -m assistant.cli.reference --check
	@$(BIN)/python -m assistant.diagrams --check

bench: .make/dev.stamp ## measure; prints CPU time and ratios
	@$(BIN)/pytest -m slow tests/bench -o python_files='bench_*.py' -q -s -n 0 --timeout 900 $(ARGS)

safety: .make/dev.stamp ## run every safety figure and print the table (ARGS=--quick: a tenth)
	@PYTHONPATH=.:tests $(BIN)/python -m safety_figures $(ARGS)

soak: .make/dev.stamp ## 20 commands a second for 60 s, and kill tests at length
	@$(BIN)/pytest -m slow tests/soak tests/faults tests/acceptance -q -s -n 0 --timeout 1800 $(ARGS)

docs: .make/dev.stamp ## write the generated pages
	@$(BIN)/python -m infra.settings --docs
	@$(BIN)/python -m assistant.reference > docs/tools.md
	@$(BIN)/python -m assistant.cli.reference
	@$(BIN)/python -m assistant.diagrams > docs/states.md

clean: ## remove the environment and caches (not KITTY's data)
	@rm -rf .venv .make .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
