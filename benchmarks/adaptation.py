"""Networks adapted to undersampled scans: against themselves before, wavelets, and end-to-end.

    python -m benchmarks.adaptation --work FOLDER --study
    python -m benchmarks.adaptation --work FOLDER
    python -m benchmarks.adaptation --work FOLDER --data FOLDER --start RUN
    python -m benchmarks.adaptation --work FOLDER --supervised

The first settles how samples are held out, how long and how fast is learnt, on simulated scans of
other families than training's. The others use what `Adaptation` says then: one network is adapted
to simulated scans of other families; to the real brains and a volume of a folder, and a series if
it was trained on such, which chose nothing. The last trains from undersampled scans alone, beside
training with targets. Data, networks and outcomes stay in the work folder, so the same command goes
on where it was; tables are written into benchmarks/results/.
"""

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import torch

from benchmarks.adaptation_cases import FAMILIES, anatomy, example_of, real, scan_of, trained
from benchmarks.adaptation_outcome import HEAD, USUAL, Outcome, Setting, remembered, row
from benchmarks.measure import Figures, figure, keep, show
from gleam import recipe as recipes
from gleam.data.example import ExampleFile
from gleam.data.holdout import PATTERNS
from gleam.data.kind import kind_of
from gleam.data.loader import every_slice
from gleam.recipe import BY_ITSELF, HoldoutRecipe, MaskRecipe
from gleam.runs.learner import quality_of
from gleam.runs.run import Run
from gleam.simulation.scan import simulate_scan

RESULTS = Path(__file__).parent / "results"
COMMAND = "python -m benchmarks.adaptation --work FOLDER"
EQUISPACED, POISSON = MaskRecipe(), MaskRecipe(kind="poisson", acceleration=8)
MASKS = (EQUISPACED, POISSON)
SIZE, CENTRE = (48, 64), 6  # of the study: 10 lines outside the centre at 4×
SEEDS = 3
STUDIED = FAMILIES[:2]
SMALL = 10**5  # voxels of scans that are adapted to end-to-end and from random weights, too
GREEDY, END_TO_END = Setting("greedy"), Setting("end-to-end", replace(USUAL, modules=1))
DRAWN = Setting("from random weights")


def settings() -> Iterator[tuple[Setting, int]]:
    """Of the study, one thing changed at a time, and on how many scans each is tried."""
    every, some = SEEDS * len(STUDIED), SEEDS
    patterns = (*PATTERNS, "mixed")
    for pattern in sorted(patterns, key=lambda one: one != USUAL.holdout.pattern):
        yield Setting(pattern, replace(USUAL, holdout=HoldoutRecipe(pattern=pattern))), every
    yield END_TO_END, every
    yield Setting("rate 3e-3", replace(USUAL, learning_rate=3e-3)), some
    yield Setting("rate 3e-4", replace(USUAL, learning_rate=3e-4)), some
    yield Setting("200 steps", replace(USUAL, steps=200)), some
    yield Setting("constant rate", constant=True), some
    yield Setting("consistency × 1", replace(USUAL, consistency_rate=1.0)), some
    for share in (0.5, 1.0):
        yield Setting(f"weights {share:g} of the way", replace(USUAL, interpolation=share)), every
    yield Setting("last module", replace(USUAL, last=1)), some


def study(work: Path) -> None:
    """A row for each setting, written down as it is found."""
    start = small(work, "study")
    cases = [(STUDIED[n % len(STUDIED)], n // len(STUDIED)) for n in range(SEEDS * len(STUDIED))]
    examples = [
        example_of(scan_of(family, SIZE, seed), work / "study-scans", CENTRE)
        for family, seed in cases
    ]
    rows, usual = [STUDY_HEAD], dict[str, float]()
    for setting, count in settings():
        found = [remembered(work, start, one, EQUISPACED, setting) for one in examples[:count]]
        usual = usual or {one.scan: one.chosen for one in found}
        better = fmean(one.chosen - usual[one.scan] for one in found)
        rows.append(f"{row(setting.name, found)} {better:+.2f} |")
        print(rows[-1], flush=True)
        written("adaptation_study.md", STUDY, rows)


def small(work: Path, name: str, seed: int = 0, **training: object) -> Path:
    """A network of 6 iterations, quickly trained on simulated anatomy."""
    return trained(
        work,
        name,
        anatomy(work, SIZE, 20, CENTRE),
        seed=seed,
        network={"iterations": 6, "regulariser": {"width": 16}},
        training={"modules": 3, "steps": 800, "learning_rate": 2e-3, "loggers": ()} | training,
    )


def shows(work: Path, data: Path | None, start: Path | None) -> Figures:
    """One network with one setting on every scan, greedily and end-to-end."""
    if start is None:
        data = anatomy(work, (96, 96), 40)
        start = trained(work, "start", data, training={"steps": 600, "learning_rate": 2e-3})
    if data is None:
        scans = [scan_of(family, (96, 96), 10) for family in FAMILIES]
        examples, masks = [example_of(scan, work / "scans") for scan in scans], MASKS[:1]
    else:
        examples, masks = real_examples(start, data, work), MASKS
    page, rows = "adaptation_real.md" if data else "adaptation.md", [HEAD]
    greedy, pairs, drawn = list[Outcome](), list[tuple[Outcome, Outcome]](), list[Outcome]()
    cases = [(mask, example) for mask in masks for example in examples]
    for mask, example in sorted(cases, key=_size):
        one = remembered(work, start, example, mask, GREEDY)
        greedy.append(one)
        name = f"{one.scan}, {mask.kind} {mask.acceleration:g}×"
        rows.append(row(name, [one]))
        if mask == EQUISPACED and math.prod(example.shape[2:]) < SMALL:
            pairs.append((one, remembered(work, start, example, mask, END_TO_END)))
            drawn.append(remembered(work, untrained(start, work), example, mask, DRAWN))
            for other in (pairs[-1][1], drawn[-1]):
                rows.append(row(f"{name}, {other.setting}", [other]))
        written(page, shown(start), rows)
        print("\n".join(rows), flush=True)
    whole = [row("all", greedy), row("end-to-end, all", [other for _, other in pairs])]
    whole.append(row(f"{DRAWN.name}, all", drawn))
    written(page, shown(start), [*rows, *whole])
    over = [one.chosen - one.wavelet for one in greedy]
    values = {
        "minus_wavelet_db_mean": (fmean(over), "dB"),
        "minus_wavelet_db_worst": (min(over), "dB"),
        "gain_db_mean": (fmean(one.chosen - one.before for one in greedy), "dB"),
        "greedy_minus_end_to_end_db": (fmean(g.chosen - w.chosen for g, w in pairs), "dB"),
        "random_start_minus_wavelet_db_mean": (fmean(r.chosen - r.wavelet for r in drawn), "dB"),
        "memory_over_end_to_end": (max(g.memory / w.memory for g, w in pairs), "ratio"),
        "guard_lost_db_mean": (fmean(one.best - one.chosen for one in greedy), "dB"),
    }
    room, option = ("adapt", " --data FOLDER") if data else ("adapt.simulated", "")
    command = f"adaptation --work FOLDER{option} --start {start.name}"
    return {f"{room}.{name}": figure(*value, command) for name, value in values.items()}


def real_examples(start: Path, data: Path, work: Path) -> list[ExampleFile]:
    """The real scans that a run is for."""
    known = Run(start).trained_on
    return [
        one
        for one in real(data, work)
        if kind_of(one) in known.kinds or known.takes_slices_of(kind_of(one))
    ]


def untrained(start: Path, work: Path) -> Path:
    """The recipe of a run's network, from weights that are drawn."""
    path = work / f"{start.name}.yaml"
    recipes.save(Run(start).recipe.changed(training=BY_ITSELF), path)
    return path


def _size(case: tuple[MaskRecipe, ExampleFile]) -> int:
    """How long it takes, about: masks over both axes of slices leave no slabs."""
    mask, example = case
    return math.prod(example.shape) * (4 if mask == POISSON else 1)


def supervised(work: Path) -> Figures:
    """Training from undersampled scans alone, beside training with targets; equal steps."""
    tests = [
        example_of(
            simulate_scan(SIZE, 6, 2, 80.0, (13, seed), name=f"test-{seed}"), work / "test", CENTRE
        )
        for seed in range(4)
    ]
    differences = []
    for seed in range(SEEDS):
        found = []
        for target in ("image", "kspace"):
            run = small(work, f"{target}-{seed}", seed, target=target, steps=400)
            network = Run(run).network
            found.append(
                fmean(
                    quality
                    for batch in every_slice(tests, EQUISPACED)
                    for quality in quality_of(network(batch.measurement), batch).tolist()
                )
            )
        print(
            f"seed {seed}: supervised {found[0]:.2f} dB, self-supervised {found[1]:.2f}", flush=True
        )
        differences.append(found[1] - found[0])
    command = "adaptation --work FOLDER --supervised"
    name = "selfsupervised.minus_supervised_db"
    return {name: figure(fmean(differences), "dB", command)}


STUDY_HEAD = "\n".join(
    line + more
    for line, more in zip(HEAD.splitlines(), (" over the usual |", " --- |"), strict=True)
)
STUDY = f"""# How to adapt: settings on simulated scans

`{COMMAND} --study`

A network of 6 iterations in 3 modules, trained on simulated anatomy, is adapted to simulated slices
of other families ({", ".join(STUDIED)}): {SEEDS} of each, {SIZE[0]} × {SIZE[1]} voxels,
6 coils, 4× equispaced. One thing is changed at a time from {USUAL.holdout.pattern}, 100 steps, rate
{USUAL.learning_rate:g}, cosine, all modules, data consistency × {USUAL.consistency_rate:g}.
Complex PSNR in dB, of the weights that the guard keeps; lost: by the guard, to the best step."""


def shown(start: Path) -> str:
    """What stands above the table."""
    run = Run(start)
    masks = ", ".join(f"{one.acceleration:g}× {one.kind}" for one in run.recipe.training_masks)
    return f"""# A network adapted to scans of other kinds than it was trained on

One network, {start.name}, of {run.recipe.network.iterations} iterations in
{len(run.recipe.module_sizes())} modules, trained for {run.recipe.training.steps} steps on simulated
anatomy ({masks}), is adapted to each scan with the usual setting. Complex PSNR in dB, of the
weights that the guard keeps; wavelets are GLEAM's own, their weight by the noise level. scan-0000
is a volume, made slice by slice: a T1 brain of 64 × 96 × 80 voxels, simulated coils."""


def written(name: str, text: str, rows: Sequence[str]) -> None:
    """A page with a table."""
    (RESULTS / name).write_text("\n".join([text, "", *rows, ""]), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of data and networks")
    parser.add_argument("--study", action="store_true", help="settings, on simulated scans")
    parser.add_argument("--supervised", action="store_true", help="training from the start")
    parser.add_argument("--data", type=Path, help="folder of the real scans")
    parser.add_argument("--start", type=Path, help="run to adapt; a short one if not said")
    a = parser.parse_args()
    if a.study:
        study(a.work)
        return
    figures = supervised(a.work) if a.supervised else shows(a.work, a.data, a.start)
    show(figures)
    keep(figures)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
