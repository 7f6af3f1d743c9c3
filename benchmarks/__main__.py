"""Run the benchmarks that need no data; write the figures into benchmarks/results/latest.json."""

import torch

from benchmarks import adapters, depth, espirit, inversion, parallel, schemes, sense, volumes
from benchmarks.measure import keep, show


def main() -> None:
    torch.set_num_threads(1)
    for benchmark in (schemes, depth, inversion, sense, espirit, parallel, volumes, adapters):
        figures = benchmark.run()
        show(figures)
        keep(figures)


main()
