# Every target makes the virtual environment it needs. On the machine: Python 3.11 or later, make;
# Java 17 and Maven for the tests' Kafka, Go 1.26 for their Prometheus, Alertmanager and kustomize,
# Node 20 with npm and Chromium for stock SDKs and the browser script, redis-server; nothing else.
# With a C compiler the machine that every event passes through is compiled, and compiled anew when
# its sources change.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := -m pip --disable-pip-version-check --quiet

.PHONY: demo test check fuzz bench chaos test-docker clean

demo: $(VENV)/ready
	$(BIN)/footfall demo $(DEMO)

# All tests, in two runs side by side. One test, more output ...: make test PYTEST="-k cart -v"
test: $(VENV)/ready
ifdef PYTEST
	$(BIN)/python -m pytest -m "not chaos and not docker" $(PYTEST)
else
	$(BIN)/python -m tests.halves
endif

check: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/footfall schemas check

# Property tests with new examples each time, ROUNDS times or until one fails.
ROUNDS ?= 10
fuzz: $(VENV)/ready
	@for round in $$(seq $(ROUNDS)); do echo "round $$round of $(ROUNDS)"; \
		$(BIN)/python -m pytest -q -m "hypothesis and not kafka and not chaos and not docker" \
			$(PYTEST) || exit 1; done

# The long form of the tests that kill, stop and starve things.
chaos: $(VENV)/ready
	$(BIN)/python -m pytest -m chaos -rs $(PYTEST)

# Footfall and its comparators side by side on a Kafka of their own; BENCH="recovery scale" or
# BENCH=all for the others, N=... and ROUNDS=... for other sizes (docs/performance.md).
bench: $(VENV)/ready $(VENV)-bench/ready
	PY=$(CURDIR)/$(VENV)-bench/bin/python $(BIN)/python bench/run.py $(BENCH)

# The same tests on a container of Apache Kafka, where a Docker engine answers.
test-docker: $(VENV)/ready
	@if $(BIN)/python -m tests.docker_engine; then \
		FOOTFALL_TEST_DOCKER=1 $(BIN)/python -m pytest -rs \
			-m "(kafka or docker) and not chaos" $(PYTEST); fi

COMPILED := $(shell sed -n 's/^    "\(src.*\.py\)",$$/\1/p' setup.py)
$(VENV)/ready: pyproject.toml setup.py $(COMPILED)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) install -e '.[dev]'
	@touch $@

$(VENV)-bench/ready: bench/comparators/requirements.txt
	$(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python $(PIP) install -r $<
	@touch $@

clean:
	rm -rf $(VENV) $(VENV)-bench build src/footfall/browser/node_modules tests/browser/node_modules
	find src -name "*.so" -delete
