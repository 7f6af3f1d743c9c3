PYTHON ?= python3
BIN := .venv/bin

.PHONY: .venv demo test test-all lint bench docs clean

.venv: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

demo: .venv
	$(BIN)/gleam demo

test test-all bench: export OMP_NUM_THREADS = 1

test: .venv
	$(BIN)/python -m pytest -m 'not slow'

test-all: .venv
	$(BIN)/python -m pytest

lint: .venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv
	$(BIN)/python -m benchmarks

docs: .venv
	$(BIN)/pdoc --docformat google --output-directory docs/api gleam '!gleam.__main__'

clean:
	rm -rf .venv demo
