# `make demo` and `make test` do everything, from a fresh clone on.

# Not the default shell: with that one, make looks programs up on the PATH from before this line.
SHELL := /bin/bash
export PATH := $(CURDIR)/.make/bin:$(CURDIR)/.venv/bin:$(PATH)
unexport UV_PROJECT_ENVIRONMENT VIRTUAL_ENV
PYTEST_ARGS ?=
# On a shared machine a test of promised seconds may be starved: in CI, what failed runs once more.
RETRY := $(if $(CI),|| coverage run -m pytest --last-failed --last-failed-no-failures none)
SETUP_INPUTS := scripts/setup.sh pyproject.toml uv.lock

.PHONY: help demo test bench bundle lint format clean setup
help: ## Say what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

setup: .venv/.setup-all ## Set up everything, the tests' programs included

.venv/.setup-base: $(SETUP_INPUTS)
	bash scripts/setup.sh base

.venv/.setup-all: $(SETUP_INPUTS) tests/clients/package-lock.json \
		$(wildcard tests/real_model/requirements/*.txt)
	bash scripts/setup.sh all

demo: .venv/.setup-base ## Set up and run the tour
	.venv/bin/kowalski run examples/tour.md
	@echo
	@echo 'To have kowalski in this shell: export PATH="$(CURDIR)/.venv/bin:$$PATH"'

test: lint ## Set up, check everything and run every test
	coverage erase
	coverage run -m pytest -n 2 --dist loadfile -m 'not alone' $(PYTEST_ARGS) $(RETRY)
	coverage run -m pytest -m alone $(PYTEST_ARGS) $(RETRY)
	coverage combine --quiet
	coverage report
	coverage report --include='core/kowalski/documents/*' --fail-under=100

lint: setup ## Check format, style, types and layers
	ruff format --check .
	ruff check .
	mypy
	lint-imports

format: setup ## Write the code in the project's format
	ruff format .
	ruff check --fix .

bench: setup ## Measure, side by side with the baselines
	uv run --no-sync python -m benchmarks

bundle: setup ## Make dist/kowalski.mcpb, which Claude Desktop installs with a double click
	bash scripts/bundle.sh

clean: ## Remove what make and the tests have written
	rm -rf .venv .make dist build .coverage .coverage.* tests/clients/node_modules
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
