"""Peak memory of preparing a volume larger than it: simulated, 256 × 256 × 192 and 8 coils.

`gleam prepare` runs in a process of its own, whose largest resident size the system tells: Python,
its libraries and mapped files included.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.measure import Figures, figure, show

# The largest size of a process counts from the one that started it, so this one stays small.
SIMULATE = """
import sys
from functools import partial
from pathlib import Path
from gleam.simulation import simulate, simulate_scan
draw = partial(simulate_scan, (256, 256, 192), 8, 1, 30.0)
simulate(Path(sys.argv[1]), 1, draw, seed=0, format="cfl", name="volume")
"""
PREPARE = """
import resource, sys
from pathlib import Path
from gleam.preparation.jobs import prepare_one
from gleam.preparation.prepare import Settings
folder = Path(sys.argv[1])
(outcome,) = prepare_one(folder / "volume-0000.cfl", folder, Settings())
assert outcome.status == "prepared", outcome
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def run() -> Figures:
    """Measure; figures by name."""
    with tempfile.TemporaryDirectory() as folder:
        _python(SIMULATE, folder)
        began = time.perf_counter()
        peak = int(_python(PREPARE, folder))
        seconds = time.perf_counter() - began
        size = Path(folder, "volume-0000.cfl").stat().st_size
    return {
        "volumes.prepare_peak_gib": figure(peak / 2**30, "GiB", "volumes"),
        "volumes.prepare_peak_over_kspace": figure(peak / size, "× its k-space", "volumes"),
        "volumes.prepare_seconds": figure(seconds, "s", "volumes"),
    }


def _python(code: str, folder: str) -> str:
    command = [sys.executable, "-c", code, folder]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    torch.set_num_threads(1)
    show(run())
