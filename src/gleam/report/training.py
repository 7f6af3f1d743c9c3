"""Training of a network, read from its run's folder."""

from dataclasses import dataclass
from pathlib import Path

from gleam.networks import build
from gleam.recipe import Recipe
from gleam.report.plots import Curve
from gleam.runs import folder as run_folder
from gleam.runs.pace import in_words
from gleam.words import counted


@dataclass(frozen=True)
class RunSummary:
    """Summary of a network's training.

    Attributes:
        name: that of the method, where the run is one of the methods evaluated.
        scheme: "greedy, 8 modules of 2 iterations", in words.
        parameters: number of trainable parameters.
        peak_bytes: largest memory in use during a training step; None when not measured.
        seconds_per_step: median; None when not measured.
        pace: where it was trained and how fast, in words; empty when not measured.
        losses: training loss over steps, a curve per module.
        validation: complex PSNR (dB) over steps.
    """

    name: str
    scheme: str
    parameters: int
    peak_bytes: int | None = None
    seconds_per_step: float | None = None
    pace: str = ""
    losses: tuple[Curve, ...] = ()
    validation: Curve | None = None


def summary_of(folder: Path, name: str, recipe: Recipe) -> RunSummary:
    """Summary of a run's training, from its folder."""
    summary, rows = run_folder.read_summary(folder), run_folder.read_metrics(folder)
    sizes = recipe.module_sizes()
    losses = tuple(
        Curve(
            f"module {module}",
            [row.step for row in rows if (row.metric, row.index) == ("loss", module)],
            [row.value for row in rows if (row.metric, row.index) == ("loss", module)],
        )
        for module in range(len(sizes) if rows else 0)
    )
    known = summary.get("parameters")
    if known is None:  # the network left its run
        known = sum(weight.numel() for weight in build(recipe.network).parameters())
    validation = validation_curve(folder, name, recipe)
    return RunSummary(
        name=name,
        scheme=describe(recipe),
        parameters=known,
        peak_bytes=summary.get("peak_memory_bytes"),
        seconds_per_step=summary.get("seconds_per_step"),
        pace=in_words(summary) if "waiting" in summary else "",
        losses=losses,
        validation=validation if validation.x else None,
    )


def validation_curve(folder: Path, name: str, recipe: Recipe) -> Curve:
    """Complex PSNR (dB) on validation data over steps; empty where there was none."""
    last = recipe.network.iterations - 1
    psnr = [r for r in run_folder.read_metrics(folder) if (r.metric, r.index) == ("psnr", last)]
    return Curve(name, [r.step for r in psnr], [r.value for r in psnr])


def describe(recipe: Recipe) -> str:
    """The training scheme in words."""
    sizes, storage = recipe.module_sizes(), recipe.training.storage
    family = recipe.network.title
    how = "" if storage == "store" else f", {storage}"
    if len(sizes) == 1:
        return f"{family}, end-to-end, {counted(sizes[0], 'iteration')}{how}"
    each = "+".join(map(str, sizes)) + " iterations"
    if len(set(sizes)) == 1:
        each = counted(sizes[0], "iteration")
    return f"{family}, greedy, {len(sizes)} modules of {each}{how}"
