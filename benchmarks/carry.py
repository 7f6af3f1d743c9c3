"""What makes a network carry over to other families of images than it was trained on.

    python -m benchmarks.carry --work FOLDER --seeds 3

Small networks are trained on simulated anatomy, each otherwise than the first in one thing, and
scored on simulated slices of other families: as they are, and after a short greedy adaptation to
the undersampled slice itself. Weights, training slices' masks and test scans differ from seed to
seed; variants are compared within one. Data, networks and outcomes stay in the work folder, so the
same command goes on where it was.
"""

import argparse
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from benchmarks.adaptation import written
from benchmarks.adaptation_cases import FAMILIES, example_of, scan_of, trained
from benchmarks.adaptation_outcome import USUAL, Setting, remembered
from benchmarks.measure import Figures, figure, keep, show
from gleam.recipe import MaskRecipe
from gleam.training.adam import Adam, recordable

SIZE, CENTRE, SCANS = (48, 64), 6, 20
STEPS, RATE = 400, 2e-3
ADAPTING = Setting("40 steps", replace(USUAL, steps=40))
DECAY, MOMENTUM = 1e-2, 0.95
NEWTON_SCHULZ, ROUNDS = (3.4445, -4.7750, 2.0315), 5  # Jordan et al., Muon, 2024


def decaying(weights: Sequence[nn.Parameter], rate: float, scalars: float = 1.0) -> Adam:
    """AdamW (Loshchilov & Hutter 2019): weights decay apart from Adam's update."""
    adam = recordable(weights, rate, scalars)
    for group in adam.param_groups:
        group["weight_decay"], group["decoupled_weight_decay"] = DECAY, True
    return adam


class Muon(Adam):
    """Momentum made orthogonal, of convolutions as matrices of (output, input and window); all
    other weights learn by Adam.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One update."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.ndim < 4 or weight.grad is None:
                    continue
                state = self.state[weight]
                momentum = state.setdefault("momentum", torch.zeros_like(weight))
                momentum.lerp_(weight.grad, 1 - MOMENTUM)
                update = orthogonal(weight.grad.lerp(momentum, MOMENTUM).flatten(1))
                scale = 0.2 * math.sqrt(max(update.shape))  # as long as Adam's
                weight -= float(group["lr"]) * scale * update.reshape(weight.shape)
                weight.grad = None  # Adam passes over it
        return super().step(closure)


def orthogonal(matrix: Tensor) -> Tensor:
    """About U Vᵀ of a matrix U S Vᵀ, by iterations of Newton and Schulz."""
    a, b, c = NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(ROUNDS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if tall else x


def muon(weights: Sequence[nn.Parameter], rate: float, scalars: float = 1.0) -> Muon:
    """`Muon`, its learning rate as `recordable` has it."""
    groups = recordable(weights, rate, scalars).param_groups
    return Muon([{**group} for group in groups], fused=True, capturable=True)


@dataclass(frozen=True)
class Variant:
    """What differs from the first.

    Attributes:
        training, regulariser: fields of the recipe.
        optimizer: of each module.
    """

    training: Mapping[str, Any] = field(default_factory=dict)
    regulariser: Mapping[str, Any] = field(default_factory=dict)
    optimizer: Callable[..., Adam] = recordable


BASE = "greedy, Adam"
VARIANTS = {
    BASE: Variant(),
    "end-to-end": Variant({"modules": 1}),
    "AdamW": Variant(optimizer=decaying),
    "Muon": Variant(optimizer=muon),
    "gradient and last change shown": Variant(regulariser={"inputs": ["gradient", "change"]}),
}


def network(work: Path, name: str, seed: int, steps: int = STEPS) -> Path:
    """A run of a variant, trained unless it is there."""
    variant = VARIANTS[name]
    with mock.patch("gleam.runs.assembly.recordable", variant.optimizer):
        return trained(
            work,
            f"{name}, seed {seed}",
            SIZE,
            SCANS,
            CENTRE,
            seed=seed,
            network={"iterations": 6, "regulariser": {"width": 16} | dict(variant.regulariser)},
            training={"modules": 3, "steps": steps, "learning_rate": RATE, "loggers": ()}
            | dict(variant.training),
        )


@dataclass(frozen=True)
class Score:
    """Complex PSNR in dB, of the test slices of a seed on average.

    Attributes:
        before: of the network as it is.
        adapted: of the one that was adapted to each slice.
    """

    before: float
    adapted: float


def scored(work: Path, name: str, seed: int) -> Score:
    """A variant's score on a slice of each family."""
    start = network(work, name, seed)
    found = []
    for family in FAMILIES:
        example = example_of(scan_of(family, SIZE, 20 + seed), work / "scans", CENTRE)
        found.append(remembered(work, start, example, MaskRecipe(), ADAPTING))
    return Score(
        statistics.fmean(one.before for one in found),
        statistics.fmean(one.chosen for one in found),
    )


def compared(scores: Mapping[str, Sequence[Score]]) -> tuple[list[str], Figures]:
    """Rows of a table, and figures: means, and what each variant has over the first in the same
    seed, with the standard error of that over seeds.
    """
    rows, figures = [HEAD], {}
    for name, own in scores.items():
        cells = [name, f"{len(own)}"]
        for what in ("before", "adapted"):
            values = [getattr(one, what) for one in own]
            base = [getattr(one, what) for one in scores[BASE][: len(own)]]
            over = [value - other for value, other in zip(values, base, strict=True)]
            spread = statistics.stdev(over) / math.sqrt(len(over)) if len(over) > 1 else math.nan
            cells += [
                f"{statistics.fmean(values):.2f}",
                f"{statistics.fmean(over):+.2f} ± {spread:.2f}",
            ]
            if name != BASE:
                key = f"carry.{name.replace(' ', '_')}_{what}_db"
                figures[key] = figure(statistics.fmean(over), "dB", COMMAND)
        rows.append(f"| {' | '.join(cells)} |")
    return rows, figures


COMMAND = "carry --work FOLDER --seeds 3"
HEAD = """| trained | seeds | unadapted | over the first | adapted | over the first |
| --- | --- | --- | --- | --- | --- |"""
TEXT = f"""# What carries over to other families of images

`python -m benchmarks.{COMMAND}`

Networks of 6 iterations in 3 modules, trained for {STEPS} steps on simulated anatomy, each
otherwise than the first in one thing; complex PSNR in dB on simulated slices of other families
({", ".join(FAMILIES)}; one of each per seed), {SIZE[0]} × {SIZE[1]} voxels, 4× equispaced: as
they are, and adapted greedily to the undersampled slice for {ADAPTING.how.steps} steps, by Adam.
± is the standard error over seeds of the difference in the same seed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of data and networks")
    parser.add_argument("--seeds", type=int, default=3)
    a = parser.parse_args()
    scores: dict[str, list[Score]] = {name: [] for name in VARIANTS}
    for seed in range(a.seeds):
        for name, own in scores.items():
            own.append(scored(a.work, name, seed))
            print(f"seed {seed}, {name}: {own[-1]}", flush=True)
    rows, figures = compared(scores)
    written("carry_over.md", TEXT, rows)
    show(figures)
    keep(figures)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
