# Everything runs in a virtual environment of its own; the only things needed are Python 3.11 to 3.13 and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

STACK ?= .stack

.PHONY: help demo test stack-up stack-down test-stack check format clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v[:2] <= (3, 13) else \
	    f"Python 3.11 to 3.13 is needed, {v[0]}.{v[1]} was found: make PYTHON=/path/to/python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(INSTALLED) ## replay a year of real flights and open the findings in out/index.html
	$(BIN)/python examples/flights/demo.py out

test: $(INSTALLED) ## run the tests
	$(BIN)/python -m pytest

stack-up: ## start Kafka, OpenSearch and an S3 server on 127.0.0.1 (needs Java and Maven)
	@$(PYTHON) compose/native/stack.py up --folder $(STACK)

stack-down: ## stop them
	@$(PYTHON) compose/native/stack.py down --folder $(STACK)

test-stack: $(INSTALLED) ## start the servers, run the tests that need them, stop the servers
	@$(PYTHON) compose/native/stack.py up --folder $(STACK); code=$$?; \
	if [ $$code -eq 0 ]; then \
	    STREAMGAUGE_STACK=$(abspath $(STACK)) $(BIN)/python -m pytest tests/integration -m integration; code=$$?; \
	fi; \
	$(PYTHON) compose/native/stack.py down --quiet --folder $(STACK); exit $$code

check: $(INSTALLED) ## format, lint, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(INSTALLED) ## format the code and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove the virtual environment and the demo's output
	rm -rf $(VENV) out
