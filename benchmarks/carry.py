"""What makes a network carry over to other families of images than it was trained on.

    python -m benchmarks.carry --work FOLDER --seeds 3

Small networks are trained on simulated anatomy, each otherwise than the first in one thing, and
scored on simulated slices of other families: as they are, and after a short greedy adaptation to
the undersampled slice itself. Weights, training slices' masks and test scans differ from seed to
seed; variants are compared slice by slice, without the families that one of the two has seen. Data,
networks and outcomes stay in the work folder, so the same command goes on where it was.
"""

import argparse
import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from benchmarks.adaptation import written
from benchmarks.adaptation_cases import (
    COILS,
    FAMILIES,
    SNR,
    anatomy,
    example_of,
    scan_of,
    trained,
)
from benchmarks.adaptation_outcome import USUAL, Setting, remembered
from benchmarks.carry_optimizers import decaying, muon
from benchmarks.measure import Figures, figure, keep, show
from gleam.data.loader import every_slice
from gleam.recipe import MaskRecipe
from gleam.reconstruction.reconstructor import Trained
from gleam.runs.learner import quality_of
from gleam.simulation.scan import simulate_scan
from gleam.training.adam import Adam, recordable
from gleam.trust import trusting

SIZE, CENTRE, SCANS = (48, 64), 6, 20
STEPS, RATE = 400, 2e-3
ADAPTING = Setting("40 steps, 3 modules", replace(USUAL, steps=40, modules=3))
BASE, LONG = "greedy, Adam", "ten times as long"
SEEN = "fractal"  # the family that some variants are shown


def plain(work: Path) -> Path:
    """Training examples: simulated anatomy at an SNR of 10 to 200."""
    return anatomy(work, SIZE, SCANS, CENTRE)


def quiet(work: Path) -> Path:
    """The same at an SNR of 10 to 3000."""
    return anatomy(work, SIZE, SCANS, CENTRE, (10.0, 3000.0))


def seen(work: Path, count: int) -> Path:
    """So many slices of another family; not those that are scored."""
    folder = work / f"{SEEN}-{count}"
    for seed in range(100, 100 + count):
        if not (folder / f"{SEEN}-{seed}.h5").exists():
            example_of(scan_of(SEEN, SIZE, seed), folder, CENTRE)
    return folder


def mixed(work: Path) -> Path:
    """Half of the anatomy, and as many slices of another family."""
    folder = work / f"anatomy-and-{SEEN}"
    folder.mkdir(parents=True, exist_ok=True)
    anatomies = sorted(plain(work).glob("*.h5"))[: SCANS // 2]
    for path in (*anatomies, *seen(work, 2 * SCANS).glob("*.h5")):
        link = folder / path.name
        if not link.exists():
            link.symlink_to(path.resolve())
    return folder


@dataclass(frozen=True)
class Variant:
    """What differs from the first.

    Attributes:
        training, network: fields of the recipe.
        optimizer: of each module.
        data: training examples, in the work folder.
        masks: learnt with.
        chosen: the checkpoint is, by validation on another family.
        beside: the variant that it is compared with.
    """

    training: Mapping[str, Any] = field(default_factory=dict)
    network: Mapping[str, Any] = field(default_factory=dict)
    optimizer: Callable[..., Adam] = recordable
    data: Callable[[Path], Path] = plain
    masks: tuple[MaskRecipe, ...] = ()
    chosen: bool = False
    beside: str = BASE

    @property
    def sees(self) -> bool:
        """Whether it has to do with the family `SEEN` before it is scored."""
        return self.chosen or self.data is mixed


SMALL = {"iterations": 6, "regulariser": {"width": 16}}
MASKS = (
    MaskRecipe(),
    MaskRecipe(acceleration=3),
    MaskRecipe(kind="random"),
    MaskRecipe(kind="random", acceleration=6),
)
VARIANTS = {
    BASE: Variant(),
    "end-to-end": Variant({"modules": 1}),
    "AdamW": Variant(optimizer=decaying),
    "Muon": Variant(optimizer=muon),
    "gradient and last change shown": Variant(
        network={"regulariser": {"width": 16, "inputs": ["gradient", "change"]}}
    ),
    "SNR up to 3000": Variant(data=quiet),
    "half of the slices fractal": Variant(data=mixed),
    "four masks": Variant(masks=MASKS),
    "checkpoint chosen on fractals": Variant({"validate_every": STEPS // 10}, chosen=True),
    "first image by wavelets": Variant(network={"first_image": "wavelet"}),
    "learnt wavelets first": Variant(
        {"modules": 4},
        {
            "family": "python",
            "build": "benchmarks.carry_wavelets:WaveletsFirst",
            "iterations": 8,
            "arguments": {"wavelets": 2, "width": 16},
            "regulariser": {},
        },
    ),
    "four times as long": Variant({"steps": 4 * STEPS}),
    "end-to-end, four times as long": Variant({"modules": 1, "steps": 4 * STEPS}),
    LONG: Variant({"steps": 10 * STEPS}),
    "half fractal, ten times as long": Variant({"steps": 10 * STEPS}, data=mixed, beside=LONG),
    "wavelets first, ten times as long": Variant(
        {"steps": 10 * STEPS}, {"first_image": "wavelet"}, beside=LONG
    ),
}


def network(work: Path, name: str, seed: int, **training: Any) -> Path:
    """A run of a variant, trained unless it is there; with other fields of training, if any."""
    variant = VARIANTS[name]
    data: dict[str, Any] = {"masks": variant.masks}
    if variant.chosen:
        data["validation"] = seen(work, 8)
    usual = {"modules": 3, "steps": STEPS, "learning_rate": RATE, "loggers": ()}
    with mock.patch("gleam.runs.assembly.recordable", variant.optimizer):
        return trained(
            work,
            f"{name}, seed {seed}",
            variant.data(work),
            seed=seed,
            data=data,
            network=SMALL | dict(variant.network),
            training=usual | dict(variant.training) | training,
        )


@dataclass(frozen=True)
class Scores:
    """Complex PSNR in dB of a variant, by slice, those of all seeds.

    Attributes:
        home: of the network as it is, on slices of the family it was trained on.
        before: the same, on slices of families that it has not seen.
        adapted: of the one that was adapted to each of these.
    """

    home: dict[str, float] = field(default_factory=dict)
    before: dict[str, float] = field(default_factory=dict)
    adapted: dict[str, float] = field(default_factory=dict)


def score(work: Path, name: str, seed: int, into: Scores) -> None:
    """Add a seed's scores of a variant: of four slices of its own family, one of each other."""
    start = network(work, name, seed)
    scan = simulate_scan(SIZE, COILS, 4, SNR, (13, seed), name=f"anatomy-test-{seed}")
    method = Trained.of(start, torch.device("cpu"))
    for number, batch in enumerate(
        every_slice([example_of(scan, work / "scans", CENTRE)], MaskRecipe())
    ):
        (into.home[f"{seed}, {number}"],) = quality_of(method(batch.measurement), batch).tolist()
    for family in FAMILIES:
        if not (VARIANTS[name].sees and family == SEEN):
            example = example_of(scan_of(family, SIZE, 20 + seed), work / "scans", CENTRE)
            found = remembered(work, start, example, MaskRecipe(), ADAPTING)
            into.before[f"{seed}, {family}"] = found.before
            into.adapted[f"{seed}, {family}"] = found.chosen


def compared(scores: Mapping[str, Scores]) -> tuple[list[str], Figures]:
    """Rows of a table, and figures: means, and what each variant has over the first on the same
    slices, with the standard error of that.
    """
    rows, figures = [HEAD], {}
    for name, own in scores.items():
        cells = [name]
        for what, values in vars(own).items():
            base = getattr(scores[VARIANTS[name].beside], what)
            over = [value - base[case] for case, value in values.items()]
            mean, error = statistics.fmean(over), statistics.stdev(over) / math.sqrt(len(over))
            cells += [f"{statistics.fmean(values.values()):.2f}", f"{mean:+.2f} ± {error:.2f}"]
            if name != BASE:
                key = f"carry.{name.replace(',', '').replace(' ', '_')}_{what}_db"
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
per seed) and of others ({", ".join(FAMILIES)}; one of each per seed, without {SEEN} where it was
seen), {SIZE[0]} × {SIZE[1]} voxels, 4× equispaced: as they are, and adapted greedily, all of them
in 3 modules and by Adam, to the undersampled slice for {ADAPTING.how.steps} steps. Three seeds of
weights, masks and test slices; slices of a seed share a network. A gain is over the first on the
same slice, of the last two over the network that was trained as long, ± its standard error over
slices. Learnt wavelets are two iterations more, before all others."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of data and networks")
    parser.add_argument("--seeds", type=int, default=3)
    a = parser.parse_args()
    scores = {name: Scores() for name in VARIANTS}
    with trusting("benchmarks.carry_wavelets"):
        for seed in range(a.seeds):
            for name, own in scores.items():
                score(a.work, name, seed, own)
                mean = statistics.fmean(own.adapted.values())
                print(f"seed {seed}, {name}: {mean:.2f} dB", flush=True)
    rows, figures = compared(scores)
    written("carry_over.md", TEXT, rows)
    show(figures)
    keep(figures)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
