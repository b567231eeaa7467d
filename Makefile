# make demo: see the main job at work. make test: all tests. Both do all their set-up.

PYTHON ?= python3
BIN := .venv/bin
LOWEST := .venv/lowest
WITH_BROKER := $(BIN)/python -m cbsim.bus.provider
IN_PARALLEL := -n auto --dist worksteal

.PHONY: demo test long fuzz audit lowest bench lint proto schemas picture lock broker clean
.DELETE_ON_ERROR:

demo: .venv/package
	@$(WITH_BROKER) auto tests/demo.sh

# In random order, in a process for each core, each with a RabbitMQ of its own.
test: .venv/dev broker
	$(BIN)/pytest $(IN_PARALLEL) $(PYTEST_ARGS)

# What takes minutes to show: 20 kills of a broker, 200 interrupts, a soak of five minutes.
long: .venv/dev broker
	$(WITH_RABBITMQ) $(BIN)/pytest --long tests/bus/test_killed_broker.py tests/test_interrupt.py tests/test_soak.py

# Every reader of what others wrote, for as long as you like: FUZZ_ARGS="verify map --seconds 600".
fuzz: .venv/dev
	$(BIN)/python -m tests.support.fuzz $(FUZZ_ARGS)

# Known vulnerabilities of what cbsim installs; needs to reach PyPI's advisories.
audit: .venv/dev
	$(BIN)/pip install --quiet --disable-pip-version-check pip-audit
	$(BIN)/pip-audit --requirement requirements.lock --no-deps --disable-pip

# The tests with the oldest releases that pyproject.toml allows of what its users install.
lowest: .venv/dev broker
	$(BIN)/pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv venv --quiet --clear --seed --python $(BIN)/python $(LOWEST)
	$(BIN)/uv pip compile --quiet --resolution lowest-direct --all-extras pyproject.toml \
		--output-file $(LOWEST)/requirements.txt
	$(BIN)/uv pip install --quiet --python $(LOWEST) --constraint $(LOWEST)/requirements.txt \
		--editable '.[docker,metrics,test]' --group tests
	HYPOTHESIS_STORAGE_DIRECTORY=$(LOWEST)/hypothesis $(LOWEST)/bin/pytest $(IN_PARALLEL) -m "not locked" $(PYTEST_ARGS)

# What cbsim promises, beside its peers. BENCH=short for everyday use, BENCH_ARGS for one piece.
bench: .venv/dev broker
	$(BIN)/python -m benchmarks $(if $(filter short,$(BENCH)),--short) $(BENCH_ARGS)

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

proto: .venv/dev
	$(BIN)/python proto/build.py

schemas: .venv/dev
	$(BIN)/python schemas/build.py

picture: .venv/dev broker
	$(WITH_BROKER) local $(BIN)/python docs/picture.py

# The versions of the development environment, for every Python that we support.
lock: .venv/dev
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
		--no-emit-index-url --group dev pyproject.toml --output-file requirements.lock

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("cbsim needs Python 3.11 or newer") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv .venv

.venv/package: .venv/bin/python pyproject.toml requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable .
	@touch $@

.venv/dev: .venv/package
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.lock
	@touch $@

# A RabbitMQ for the tests: CBSIM_BROKER_URL, or rabbitmq-server, which we install from the
# distribution's packages where we may.
broker:
	@test -n "$$CBSIM_BROKER_URL" || test -x /usr/lib/rabbitmq/bin/rabbitmq-server || command -v rabbitmq-server >/dev/null \
		|| { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && echo "installing rabbitmq-server" >&2 \
			&& apt-get update -qq && apt-get install -qq --no-install-recommends rabbitmq-server >/dev/null; } \
		|| { echo "no broker: set CBSIM_BROKER_URL, or install rabbitmq-server" >&2; exit 1; }

clean:
	rm -rf .venv dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis
