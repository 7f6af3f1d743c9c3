"""What every benchmark shares: how a figure is written."""

import json
import platform
from pathlib import Path
from typing import Any

from gleam.files import replacing

Figures = dict[str, dict[str, Any]]

LATEST = Path(__file__).parent / "results" / "latest.json"


def figure(value: float, unit: str, benchmark: str, threads: int = 1) -> dict[str, Any]:
    """One entry of the results; of several threads, by a benchmark that sets them itself."""
    setting = "OMP_NUM_THREADS=1 " if threads == 1 else ""
    return {
        "value": float(f"{value:.4g}"),
        "unit": unit,
        "command": f"{setting}python -m benchmarks.{benchmark}",
        "hardware": hardware(threads),
    }


def hardware(threads: int = 1) -> str:
    """The CPU in words, and how many threads used it."""
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return f"{names[0] if names else platform.machine()}, {threads} thread" + "s" * (threads > 1)


def show(figures: Figures) -> None:
    """Print figures, one a line."""
    for name, entry in figures.items():
        print(f"{name}: {entry['value']} {entry['unit']} ({entry['hardware']})", flush=True)


def keep(figures: Figures) -> None:
    """Write figures into benchmarks/results/latest.json, beside those that are there."""
    latest = json.loads(LATEST.read_text()) if LATEST.exists() else {}
    with replacing(LATEST) as temporary:
        temporary.write_text(json.dumps(latest | figures, indent=2, sort_keys=True) + "\n")
