# The two commands of the README are `make demo` and `make test`; both set everything up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
FUZZING := .venv-fuzz

.PHONY: demo test fuzz fuzz-guided soak lint types tables bench lock clean

demo: $(READY)
	$(BIN)/recount demo

test: $(READY) lint types
	$(BIN)/python -m pytest -n 2 --dist loadgroup

# The generated inputs of hostile nodes, FUZZ times as many as in `make test`.
FUZZ ?= 20
fuzz: $(READY)
	RECOUNT_FUZZ=$(FUZZ) $(BIN)/python -m pytest -n 2 -m property --timeout 3600

# Every parser and decoder, guided by coverage, SECONDS of processor time each; atheris needs an
# environment of its own.
SECONDS ?= 30
fuzz-guided: $(FUZZING)/.ready
	$(FUZZING)/bin/python -m tests.fuzz --seconds $(SECONDS)

$(FUZZING)/.ready: requirements.lock
	test -x $(FUZZING)/bin/python || $(PYTHON) -m venv $(FUZZING)
	$(FUZZING)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(FUZZING)/bin/python -m pip install --quiet --disable-pip-version-check atheris==3.0.0
	touch $@

# Whole runs that are killed, starved and lied to; RECOUNT_SOAK_SEED repeats an earlier one.
soak: $(READY)
	RECOUNT_SOAK_ROWS=$${RECOUNT_SOAK_ROWS:-50000} $(BIN)/python -m pytest -s tests/soak

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-cache

types: $(READY)
	$(BIN)/mypy

# Makes the generated documents anew: docs/reasons.md and docs/chains.md.
tables: $(READY)
	RECOUNT_UPDATE_GOLDEN=1 $(BIN)/python -m pytest -q tests/docs

bench: $(READY)
	$(BIN)/python -m tests.bench

$(READY): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# Makes the lock file anew, for Python 3.11 to 3.13, without any host name in it.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --group dev --extra cluster --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) $(FUZZING) fuzz-failures runs build dist
