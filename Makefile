# demo · test · check · soak · bench · bench-quick · compile · screenshots: each builds .venv first if it is missing.
# Nothing else is needed but Python >= 3.11 and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH_VENV := .venv-bench
BENCH_STAMP := $(BENCH_VENV)/.installed

.PHONY: demo demo-postgres test check soak lint types mypy pyright contracts drift parser proofs traces compile screenshots bench bench-quick clean

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

## demo: kill a job three times and watch it finish
demo: $(STAMP)
	$(BIN)/python examples/stdlib_report.py demo

## demo-postgres: two drivers on a PostgreSQL server; the first is killed, the second finishes
demo-postgres: $(STAMP)
	$(BIN)/python -W ignore examples/two_drivers/drivers.py demo

# Tests wait for disks and for processes that they start: four at a time keep two cores busy.
SUITE := -m pytest -n 4 --dist worksteal

## test: everything that CI runs
# Pyright takes as long as all other checks together, and one core: they run beside it.
test: $(STAMP)
	$(MAKE) --no-print-directory $(if $(filter output-sync,$(.FEATURES)),-O) -j 2 lint pyright mypy contracts drift proofs parser
	$(BIN)/python $(SUITE)

## evidence: all tests, and what they counted written to docs/explanation/evidence.md
.PHONY: evidence
evidence: $(STAMP) parser
	MILEPOST_EVIDENCE=write $(BIN)/python $(SUITE)

## suite: the tests alone, on another Python: make suite PYTHON=python3.13
# In a folder that is named for it, so a path ends in the version as well: /opt/x/bin/python3.13.
SUITE_VENV := .venv-$(notdir $(PYTHON))
SUITE_STAMP := $(SUITE_VENV)/.installed

$(SUITE_STAMP): pyproject.toml
	$(PYTHON) -m venv $(SUITE_VENV)
	$(SUITE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

.PHONY: suite
suite: $(SUITE_STAMP)
	$(SUITE_VENV)/bin/mypy --python-version $$($(SUITE_VENV)/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
	$(SUITE_VENV)/bin/python $(SUITE)

check: lint types contracts drift proofs

## soak: what `make test` runs a part of, twenty times as long; MINUTES=90 goes on for so long
soak: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,pebble]'
	$(BIN)/milepost traces statemachine.yaml --json | cmp - tests/generated/mapreduce_traces.json
	$(BIN)/python tools/soak $(if $(MINUTES),--minutes $(MINUTES))

## mutants: change what decides in one place at a time, and say what no test notices
.PHONY: mutants
mutants: $(STAMP)
	nice $(BIN)/python -m tests.mutants

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: mypy pyright

mypy: $(STAMP)
	$(BIN)/mypy

pyright: $(STAMP)
	$(BIN)/pyright

contracts: $(STAMP)
	$(BIN)/lint-imports

drift: $(STAMP)
	$(BIN)/milepost compile --check
	$(BIN)/python -m milepost_twin --check

# What cannot be had is said, and its tests are skipped; what does not work stops here.
parser: $(STAMP)
	$(BIN)/python tools/mermaid || test $$? -eq 3

## proofs: is the certificate of statemachine.yaml of what there is, and does it hold?
proofs: $(STAMP)
	$(BIN)/milepost check --recheck

## traces: find a run to everything in statemachine.yaml again, which tests/generated takes
traces: $(STAMP)
	$(BIN)/milepost traces statemachine.yaml --json > tests/generated/mapreduce_traces.json.new
	mv tests/generated/mapreduce_traces.json.new tests/generated/mapreduce_traces.json

## compile: regenerate the tables and diagrams from statemachine.yaml, and the manager's awaited twin
compile: $(STAMP)
	$(BIN)/milepost compile
	$(BIN)/python -m milepost_twin

## screenshots: the pictures of docs/how-to/serve.md anew, by a real Chromium (tools/chromium)
screenshots: $(STAMP)
	$(BIN)/python -m tests.web.browser.pictures

# The peers have a .venv of their own: what they bring along is nothing to develop with.
$(BENCH_STAMP): pyproject.toml
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	touch $@

## bench: paired ratios against named floors and peers
bench: $(BENCH_STAMP)
	$(BENCH_VENV)/bin/python bench/run.py

# So has what the documentation is built with.
DOCS_VENV := .venv-docs
DOCS_STAMP := $(DOCS_VENV)/.installed

$(DOCS_STAMP): pyproject.toml
	$(PYTHON) -m venv $(DOCS_VENV)
	$(DOCS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch $@

## docs: the documentation site, in build/docs; warnings are errors
.PHONY: docs
docs: $(DOCS_STAMP)
	$(DOCS_VENV)/bin/python -m docs.website.build

## bench-quick: counts of calls, instructions and writes against the stored build (UPDATE=1 stores)
bench-quick: $(STAMP)
	$(BIN)/python bench/quick.py $(if $(UPDATE),--update)

## package: both distributions in dist/, checked as an index does, tried on every Python that there is
.PHONY: package
package: $(STAMP)
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	MILEPOST_DIST=dist MILEPOST_PYTHONS=all $(BIN)/python -m pytest tests/package -v

clean:
	rm -rf $(VENV) $(BENCH_VENV) $(DOCS_VENV) .venv-python* dist build
