"""What every benchmark shares: how a figure is written."""

import json
import platform
from pathlib import Path
from typing import Any

import torch

from gleam.files import replacing

Figures = dict[str, dict[str, Any]]

LATEST = Path(__file__).parent / "results" / "latest.json"


def figure(value: float, unit: str, benchmark: str) -> dict[str, Any]:
    """One entry of the results."""
    return {
        "value": float(f"{value:.4g}"),
        "unit": unit,
        "command": f"OMP_NUM_THREADS=1 python -m benchmarks.{benchmark}",
        "hardware": hardware(),
    }


def hardware() -> str:
    """The CPU in words."""
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return f"{names[0] if names else platform.machine()}, {torch.get_num_threads()} thread"


def show(figures: Figures) -> None:
    """Print figures, one a line."""
    for name, entry in figures.items():
        print(f"{name}: {entry['value']} {entry['unit']} ({entry['hardware']})", flush=True)


def keep(figures: Figures) -> None:
    """Write figures into benchmarks/results/latest.json, beside those that are there."""
    latest = json.loads(LATEST.read_text()) if LATEST.exists() else {}
    with replacing(LATEST) as temporary:
        temporary.write_text(json.dumps(latest | figures, indent=2, sort_keys=True) + "\n")
