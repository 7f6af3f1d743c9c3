PYTHON ?= python3
BIN := .venv/bin

.PHONY: .venv demo test test-all test-gpu mutants lint bench docs map clean

.venv: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

demo: .venv
	$(BIN)/gleam demo --force

test test-all test-gpu bench: export OMP_NUM_THREADS = 1
# or every process of the tests would compile all sources again
unexport PYTHONDONTWRITEBYTECODE

# one process for each CPU; each takes the tests of files that follow each other, so that what
# the tests of a file share is seldom made twice, and the first to end helps the others
PARALLEL := -n auto --dist worksteal

test: .venv
	$(BIN)/python -m pytest $(PARALLEL) -m 'not slow and not cuda'

test-all: .venv
	$(BIN)/python -m pytest $(PARALLEL) --timeout 3600

# on a GPU, which is one process's at a time; GLEAM_TEST_DEVICE=cpu: the same tests without one
test-gpu: export GLEAM_TEST_DEVICE ?= cuda
test-gpu: .venv
	$(BIN)/python -m pytest -n0 -m cuda

# which one-line faults would no test notice? tests/faults.py and a random sample, for an hour or two;
# others: make mutants MUTANTS='--no-list --seed 7'
mutants: .venv
	$(BIN)/python tests/mutants.py $(MUTANTS)

lint: .venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv
	$(BIN)/python -m benchmarks

# the picture of docs/architecture.md, from the imports
map: .venv
	$(BIN)/python docs/generate/rooms.py

docs: export NO_MKDOCS_2_WARNING = 1
docs: .venv
	$(BIN)/mkdocs build --strict

clean:
	rm -rf .venv demo site
