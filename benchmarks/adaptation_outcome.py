"""One network adapted to one scan, looked at every ten steps: what it gains, and what it costs."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any
from unittest import mock

from gleam.data.example import ExampleFile
from gleam.data.loader import every_slice
from gleam.data.slices import taken
from gleam.networks.weights import fill, interpolated, weights_of
from gleam.physics.compressed_sensing import wavelet
from gleam.recipe import MaskRecipe
from gleam.reconstruction.reconstructor import Trained
from gleam.runs.adaptation import Adaptation, adapted
from gleam.runs.assembly import goal_of, make_learner, training_batches
from gleam.runs.initial import initial
from gleam.runs.learner import quality_of
from gleam.runs.start import Start
from gleam.training.schedule import warmup_cosine

EVERY = 10  # steps; of a volume's many slices, as often as users validate
USUAL = Adaptation()  # as users adapt who say nothing


@dataclass(frozen=True)
class Setting:
    """What is tried.

    Attributes:
        name: of it.
        how: a network is adapted.
        constant: the learning rate stays, once it has risen.
    """

    name: str
    how: Adaptation = USUAL
    constant: bool = False


@dataclass
class Outcome:
    """Of one adaptation.

    Attributes:
        scan, setting: their names.
        wavelet: complex PSNR in dB of compressed sensing.
        guard: by step, how well held-out samples are predicted, in dB.
        psnr: by step, complex PSNR in dB of the image from all samples.
        seconds: of CPU time that the steps took.
        memory: bytes at the peak of a step, weights and optimizer states included.
    """

    scan: str
    setting: str
    wavelet: float
    guard: dict[int, float] = field(default_factory=dict)
    psnr: dict[int, float] = field(default_factory=dict)
    seconds: float = 0.0
    memory: int = 0

    @property
    def before(self) -> float:
        """PSNR of the network as it was."""
        return self.psnr[0]

    @property
    def chosen(self) -> float:
        """PSNR with the weights that the guard keeps."""
        return self.psnr[max(self.guard, key=self.guard.__getitem__)]

    @property
    def best(self) -> float:
        """PSNR at the best step, which nobody could know."""
        return max(self.psnr.values())


def adapt(start: Path, example: ExampleFile, mask: MaskRecipe, setting: Setting) -> Outcome:
    """Adapt a run's network to an undersampled scan whose truth is known, but not to it."""
    schedule = _constant if setting.constant else _cosine
    with mock.patch("gleam.runs.assembly.warmup_cosine", schedule):
        return _adapt(start, example, mask, setting)


def _adapt(start: Path, example: ExampleFile, mask: MaskRecipe, setting: Setting) -> Outcome:
    begun = Start.of(start)
    recipe = adapted(begun, [example], replace(setting.how, mask=mask))
    network, scan = initial(recipe), list(every_slice([example], mask))
    method = Trained("adapted", network, trained_on=begun.trained_on)
    learner, learnt = make_learner(network, recipe), taken([example], recipe.data.volumes)
    batches = training_batches(learnt, recipe, network)
    held = partial(every_slice, learnt, mask, slab=recipe.data.slab, goal=goal_of(recipe))
    every = EVERY if learnt == [example] else recipe.training.validate_every

    def psnr(method: Callable[..., Any]) -> float:
        return fmean(q for b in scan for q in quality_of(method(b.measurement), b).tolist())

    before = {name: weight.clone() for name, weight in weights_of(network).items()}

    def psnr_kept() -> float:
        """With the weights that would be kept if these were the last."""
        learnt = {name: weight.clone() for name, weight in weights_of(network).items()}
        fill(network, interpolated(before, learnt, recipe.training.interpolation))
        found = psnr(method)
        fill(network, learnt)
        return found

    found = Outcome(example.header.name.split()[0], setting.name, psnr(wavelet))
    steps = recipe.training.steps
    for step in range(steps + 1):
        if step % every == 0 or step == steps:
            found.guard[step] = learner.validate(held())[-1]
            found.psnr[step] = psnr_kept()
        if step == steps:
            break
        began, batch = time.process_time(), batches.at(step)
        if step < 2:  # the first makes optimizer states, which are counted beside its peak
            found.memory = learner.metered_step(batch, step)[1].memory
        else:
            learner.step(batch, step)
        found.seconds += time.process_time() - began
    return found


_cosine = warmup_cosine


def _constant(step: int, highest: float, warmup: int, steps: int) -> float:
    return highest * min(1.0, (step + 1) / (warmup + 1))


def remembered(
    work: Path, start: Path, example: ExampleFile, mask: MaskRecipe, setting: Setting
) -> Outcome:
    """What an earlier call found, or this one finds."""
    words = start.name, setting.name, mask.kind, f"{mask.acceleration:g}", example.header.name
    path = work / "outcomes" / f"{' '.join(words).replace(' ', '_')}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(vars(adapt(start, example, mask, setting))))
    values = json.loads(path.read_text())
    for name in ("guard", "psnr"):
        values[name] = {int(step): value for step, value in values[name].items()}
    return Outcome(**values)


HEAD = """| | scans | before | adapted | gain | least gain | lost | over wavelets | least | CPU s |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


def row(name: str, found: Sequence[Outcome]) -> str:
    """Of a table: means over scans, and the worst of them."""
    gains = [one.chosen - one.before for one in found]
    over = [one.chosen - one.wavelet for one in found]
    cells = [
        f"{len(found)}",
        f"{fmean(one.before for one in found):.2f}",
        f"{fmean(one.chosen for one in found):.2f}",
        f"{fmean(gains):+.2f}",
        f"{min(gains):+.2f}",
        f"{fmean(one.best - one.chosen for one in found):.2f}",
        f"{fmean(over):+.2f}",
        f"{min(over):+.2f}",
        f"{fmean(one.seconds for one in found):.0f}",
    ]
    return f"| {name} | " + " | ".join(cells) + " |"
