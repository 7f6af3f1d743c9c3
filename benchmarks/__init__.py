"""Benchmarks: `make bench` runs them all and writes benchmarks/results/latest.json."""

from gleam import threads

threads.settle()
