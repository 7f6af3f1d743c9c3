"""Run the benchmarks that need no data; write the figures into benchmarks/results/latest.json."""

import json
from pathlib import Path

import torch

from benchmarks import depth, espirit, inversion, parallel, schemes, sense, volumes
from benchmarks.measure import Figures, show
from gleam.files import replacing

RESULTS = Path(__file__).parent / "results" / "latest.json"


def main() -> None:
    torch.set_num_threads(1)
    results: Figures = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for benchmark in (schemes, depth, inversion, sense, espirit, parallel, volumes):
        figures = benchmark.run()
        show(figures)
        results.update(figures)
    with replacing(RESULTS) as temporary:
        temporary.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n")


main()
