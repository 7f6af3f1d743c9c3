"""What every benchmark shares: how a figure is written."""

import platform
from typing import Any

import torch

Figures = dict[str, dict[str, Any]]


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
