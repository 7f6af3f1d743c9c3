"""Run the benchmarks that need no data; write the figures into benchmarks/results/latest.json."""

import torch

from benchmarks import (
    adapters,
    depth,
    espirit,
    idle,
    inversion,
    parallel,
    patches,
    schemes,
    sense,
    volumes,
)
from benchmarks.measure import keep, show

BENCHMARKS = (
    schemes, depth, inversion, sense, espirit, parallel, volumes, adapters, idle, patches,
)  # fmt: skip


def main() -> None:
    torch.set_num_threads(1)
    for benchmark in BENCHMARKS:
        figures = benchmark.run()
        show(figures)
        keep(figures)


main()
