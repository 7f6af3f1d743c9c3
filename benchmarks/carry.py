"""What makes a network carry over to other families of images than it was trained on.

    python -m benchmarks.carry --work FOLDER --seeds 3

Small networks are trained on simulated anatomy, each otherwise than the first in one thing, and
scored on simulated slices of other families: as they are, and after a short greedy adaptation to
the undersampled slice itself. Weights, training slices' masks and test scans differ from seed to
seed; variants are compared slice by slice. Data, networks and outcomes stay in the work folder, so
the same command goes on where it was.
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
from benchmarks.adaptation_cases import COILS, FAMILIES, SNR, example_of, scan_of, trained
from benchmarks.adaptation_outcome import USUAL, Setting, remembered
from benchmarks.measure import Figures, figure, keep, show
from gleam.data.loader import every_slice
from gleam.recipe import MaskRecipe
from gleam.reconstruction.reconstructor import Trained
from gleam.runs.learner import quality_of
from gleam.simulation.scan import simulate_scan
from gleam.training.adam import Adam, recordable

SIZE, CENTRE, SCANS = (48, 64), 6, 20
STEPS, RATE = 400, 2e-3
ADAPTING = Setting("40 steps, 3 modules", replace(USUAL, steps=40, modules=3))
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
class Scores:
    """Complex PSNR in dB of a variant, slice by slice, those of all seeds.

    Attributes:
        home: of the network as it is, on slices of the family it was trained on.
        before: the same, on slices of other families.
        adapted: of the one that was adapted to each of these.
    """

    home: list[float] = field(default_factory=list)
    before: list[float] = field(default_factory=list)
    adapted: list[float] = field(default_factory=list)


def score(work: Path, name: str, seed: int, into: Scores) -> None:
    """Add a seed's scores of a variant: of four slices of its own family, one of each other."""
    start = network(work, name, seed)
    scan = simulate_scan(SIZE, COILS, 4, SNR, (13, seed), name=f"anatomy-test-{seed}")
    method = Trained.of(start, torch.device("cpu"))
    for batch in every_slice([example_of(scan, work / "scans", CENTRE)], MaskRecipe()):
        into.home.extend(quality_of(method(batch.measurement), batch).tolist())
    for family in FAMILIES:
        example = example_of(scan_of(family, SIZE, 20 + seed), work / "scans", CENTRE)
        found = remembered(work, start, example, MaskRecipe(), ADAPTING)
        into.before.append(found.before)
        into.adapted.append(found.chosen)


def compared(scores: Mapping[str, Scores]) -> tuple[list[str], Figures]:
    """Rows of a table, and figures: means, and what each variant has over the first on the same
    slices, with the standard error of that.
    """
    rows, figures = [HEAD], {}
    for name, own in scores.items():
        cells = [name]
        for what, values in vars(own).items():
            base = getattr(scores[BASE], what)
            over = [value - other for value, other in zip(values, base, strict=True)]
            mean, error = statistics.fmean(over), statistics.stdev(over) / math.sqrt(len(over))
            cells += [f"{statistics.fmean(values):.2f}", f"{mean:+.2f} ± {error:.2f}"]
            if name != BASE:
                key = f"carry.{name.replace(' ', '_')}_{what}_db"
                figures[key] = figure(mean, "dB", COMMAND)
        rows.append(f"| {' | '.join(cells)} |")
    return rows, figures


COMMAND = "carry --work FOLDER --seeds 3"
HEAD = """| trained | own family | gain | others | gain | adapted | gain |
| --- | --- | --- | --- | --- | --- | --- |"""
TEXT = f"""# What carries over to other families of images

`python -m benchmarks.{COMMAND}`

Networks of 6 iterations in 3 modules, trained for {STEPS} steps on simulated anatomy, each
otherwise than the first in one thing; complex PSNR in dB on simulated slices of that family (four
per seed) and of others ({", ".join(FAMILIES)}; one of each per seed), {SIZE[0]} × {SIZE[1]} voxels,
4× equispaced: as they are, and adapted greedily, all of them in 3 modules and by Adam, to the
undersampled slice for {ADAPTING.how.steps} steps. Three seeds of weights, masks and test slices;
slices of a seed share a network. A gain is over the first on the same slice, ± its standard error
over slices."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of data and networks")
    parser.add_argument("--seeds", type=int, default=3)
    a = parser.parse_args()
    scores = {name: Scores() for name in VARIANTS}
    for seed in range(a.seeds):
        for name, own in scores.items():
            score(a.work, name, seed, own)
            print(f"seed {seed}, {name}: {statistics.fmean(own.adapted):.2f} dB", flush=True)
    rows, figures = compared(scores)
    written("carry_over.md", TEXT, rows)
    show(figures)
    keep(figures)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
