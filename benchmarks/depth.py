"""Peak memory of a training step against depth: end-to-end grows with every iteration.

Proximal gradient and its reversible sibling, 2 to 32 iterations, one iteration per greedy module;
everything else as in `benchmarks.schemes`. Memory is the peak of what a step allocates, without
weights and optimizer states, which grow with depth in every scheme. Run alone, it prints a table
and draws docs/images/memory-depth.png.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks.measure import Figures, figure, show
from benchmarks.schemes import SCHEMES, Scheme, measured

DEPTHS = (2, 4, 8, 16, 32)
SHOWN = ("end_to_end", "checkpoint", "reversible", "greedy")
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "memory-depth.png"


def run() -> Figures:
    """Measure; figures by name: MiB at each depth, and slopes over end-to-end's."""
    figures: Figures = {}
    for batch in (1, 4):
        prefix = "depth." if batch == 1 else f"depth.batch{batch}."
        slopes = {}
        for name in SHOWN:
            peaks = [peak(name, depth, batch) for depth in DEPTHS]
            slopes[name] = float(np.polyfit(DEPTHS, peaks, 1)[0])
            for depth, bytes_ in zip(DEPTHS, peaks, strict=True):
                figures[f"memory.{prefix}{name}.{depth}"] = figure(bytes_ / 2**20, "MiB", "depth")
        for name in SHOWN[1:]:
            share = slopes[name] / slopes["end_to_end"]
            figures[f"memory.{prefix}{name}_slope_over_end_to_end"] = figure(
                share, "ratio", "depth"
            )
    return figures


def peak(name: str, depth: int, batch: int) -> int:
    """Bytes."""
    greedy = Scheme("greedy", {"modules": depth}, {})
    scheme = greedy if name == "greedy" else SCHEMES[name]
    with tempfile.TemporaryDirectory() as folder:
        _, cost = measured(scheme, "pgd", batch, Path(folder), depth)
        return cost.step


def table(figures: Figures, batch: int) -> str:
    """In Markdown."""
    prefix = "depth." if batch == 1 else f"depth.batch{batch}."
    head = ["scheme", *map(str, DEPTHS), "slope over end-to-end's"]
    rows = []
    for name in SHOWN:
        peaks = [f"{figures[f'memory.{prefix}{name}.{n}']['value']:.1f}" for n in DEPTHS]
        slope = figures.get(f"memory.{prefix}{name}_slope_over_end_to_end", {"value": 1.0})
        rows.append([name.replace("_", "-"), *peaks, f"{100 * slope['value']:.1f} %"])
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def draw(figures: Figures) -> None:
    """The picture: both axes logarithmic, so that linear growth is a straight slope."""
    from matplotlib.figure import Figure

    plot = Figure(figsize=(6, 3.6), layout="constrained")
    axes = plot.subplots()
    for name in SHOWN:
        peaks = [figures[f"memory.depth.batch4.{name}.{n}"]["value"] for n in DEPTHS]
        axes.plot(DEPTHS, peaks, marker="o", label=name.replace("_", "-"))
    axes.set(xlabel="iterations", ylabel="peak memory of a step (MiB)", xscale="log", yscale="log")
    axes.set_xticks(DEPTHS, [str(n) for n in DEPTHS])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    plot.savefig(PICTURE, dpi=130)


if __name__ == "__main__":
    torch.set_num_threads(1)
    results = run()
    show(results)
    for slices in (1, 4):
        print(f"\nMiB, {slices} slice(s):\n{table(results, slices)}")
    draw(results)
