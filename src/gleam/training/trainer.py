"""Train a recipe into a run folder: the loop, and what surrounds it."""

import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from gleam.arrays import crop
from gleam.data.example import ExampleFile, find, fingerprint
from gleam.data.loader import TrainingBatches, check, every_slice
from gleam.errors import BadInput, Diverged, Stopped
from gleam.metrics import psnr_complex
from gleam.networks import Unrolled
from gleam.recipe import Recipe
from gleam.training import checkpoint, run
from gleam.training.checkpoint import Progress
from gleam.training.flow import Module, split, train_step
from gleam.training.loss import LOSSES
from gleam.training.meter import metered, state_bytes
from gleam.training.progress import shown
from gleam.training.run import Row
from gleam.training.schedule import warmup_cosine
from gleam.training.start import fingerprint_of_start, initial
from gleam.training.storage import STORAGES, offload


def train(recipe: Recipe, folder: Path, resume: bool = False, quiet: bool = False) -> None:
    """Train, validate and checkpoint until the recipe's last step.

    A resumed run ends with the same weights as one that was never stopped: to the bit on a CPU,
    and on a GPU as far as its convolutions repeat themselves.

    Args:
        recipe: what to train.
        folder: the run's folder; made, unless `resume`.
        resume: go on from the last checkpoint in `folder`.
        quiet: show no progress.

    Raises:
        BadInput: the data do not fit the recipe, or the folder is (not) a run.
        Stopped: by a signal.
        Diverged: by a loss or weight that is not finite; the last good checkpoint stays.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    t = recipe.training
    examples = find(recipe.data.train, recipe.network.sets)
    validation = find(recipe.data.validation, recipe.network.sets) if recipe.data.validation else []
    if t.offload_to is not None and not t.offload_to.is_dir():
        raise BadInput(f"training.offload_to: {t.offload_to}: is not a folder; make it first")
    check([*examples, *validation], recipe.mask)  # before a folder is made, or time is spent
    batches = TrainingBatches(examples, recipe.mask, recipe.data.batch, recipe.seed)
    network = initial(recipe).to(device)
    modules = make_modules(network, recipe)
    data = fingerprint([*examples, *validation]) + fingerprint_of_start(recipe)

    def loss(state: Tensor, target: Tensor) -> Tensor:
        return LOSSES[t.loss](network.image(state), target)

    with (
        _stop_signals() as stop_asked,
        _logged(folder, recipe, network, modules, data, resume) as log,
        shown(log.progress.step, t.steps, quiet) as display,
    ):
        for batch in batches.between(log.progress.step, t.steps):
            started = time.perf_counter()
            batch = batch.to(device)
            assert batch.target is not None
            step = log.progress.step
            work = partial(
                train_step,
                modules,
                network.start(batch.measurement),
                batch.measurement,
                batch.target,
                loss,
                step,
                t.overlap,
            )
            if len(log.times) < 2:  # the first step makes the optimizer states, the second has them
                losses, peak = metered(work, device)
                frozen = network.iterations[: network.frozen].parameters()
                log.memory = peak + state_bytes(modules) + sum(p.nbytes for p in frozen)
                display.memory(log.memory)
            else:
                losses = work()
            values = dict(zip(losses, torch.stack([*losses.values()]).tolist(), strict=True))
            _refuse_non_finite(values, step, folder)
            log.step(values, time.perf_counter() - started)
            display.step([*values.values()])

            step = log.progress.step
            last = step == t.steps or stop_asked()
            best = False
            if validation and (step == t.steps or step % t.validate_every == 0):
                psnr = validate(network, validation, recipe, device)
                best = log.validated(psnr)
                display.say(f"step {step}: validation PSNR {psnr[-1]:.2f} dB")
            if last or best or step % t.checkpoint_every == 0:
                log.keep()
            if last and step < t.steps:
                raise Stopped(f"stopped at step {step}; go on with: gleam train --resume {folder}")


def make_modules(network: Unrolled, recipe: Recipe) -> list[Module]:
    """What is to be trained, cut into modules, each with storage, optimizer (Adam) and schedule."""
    t = recipe.training
    schedule = partial(
        warmup_cosine, highest=t.learning_rate, warmup=min(t.warmup, t.steps), steps=t.steps
    )
    storage = STORAGES[t.storage]
    if t.offload_to is not None:
        storage = partial(offload, folder=t.offload_to)
    return [
        Module(
            iterations=part,
            storage=storage,
            optimizer=torch.optim.Adam(part.parameters(), lr=t.learning_rate, fused=True),
            schedule=schedule,
            clip=t.clip,
            weight=weight,
        )
        for part, weight in zip(
            split(network.iterations[network.frozen :], recipe.module_sizes()),
            recipe.loss_weights(),
            strict=True,
        )
    ]


@torch.no_grad()
def validate(
    network: Unrolled, examples: Sequence[ExampleFile], recipe: Recipe, device: torch.device
) -> list[float]:
    """Mean complex PSNR in dB over all slices but empty ones, after every iteration."""
    scores = []
    for batch in every_slice(examples, recipe.mask, recipe.data.batch):
        batch = batch.to(device)
        assert batch.target is not None
        iterates = network.iterates(batch.measurement)
        target = crop(batch.target, batch.matrix)
        psnr = [psnr_complex(crop(image, batch.matrix), target) for image in iterates]
        scores.append(torch.stack(psnr, 1))
    means: list[float] = torch.cat(scores).nanmean(0).tolist()
    return means


@dataclass
class _Log:
    """What a run has to remember, and write down, beside its weights."""

    folder: Path
    recipe: Recipe
    network: Unrolled
    modules: Sequence[Module]
    progress: Progress
    memory: int = 0  # weights, optimizer states, and the peak of a step above them
    times: list[float] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.memory = run.read_summary(self.folder).get("peak_memory_bytes", 0)
        self.writer = SummaryWriter(
            str(self.folder / "tensorboard"), purge_step=self.progress.step + 1
        )

    def step(self, losses: Mapping[int, float], seconds: float) -> None:
        self.times.append(seconds)
        done = self.progress
        self.progress = replace(done, step=done.step + 1, seconds=done.seconds + seconds)
        self._add("loss", losses)

    def validated(self, psnr: Sequence[float]) -> bool:
        """Note the PSNR per iteration; say whether it is the best so far."""
        self._add("psnr", dict(enumerate(psnr)))
        if not psnr[-1] > self.progress.best_psnr:
            return False
        self.progress = replace(self.progress, best_psnr=psnr[-1], best_step=self.progress.step)
        return True

    def keep(self) -> None:
        """Write everything down; the checkpoint comes last, so that what it counts is there."""
        done, checkpoints = self.progress, self.folder / "checkpoints"
        for number, module in enumerate(self.modules):
            if not all(p.isfinite().all() for p in module.iterations.parameters()):
                raise Diverged(_not_finite("weight", number, done.step, self.folder))
        run.append_metrics(self.folder, self.rows)
        self.rows.clear()
        self.writer.flush()
        run.write_summary(self.folder, self._summary())
        if done.best_step in (None, done.step):
            run.save_model(self.folder, self.network)
        checkpoint.save(checkpoints, self.modules, done)
        checkpoint.forget(checkpoints, self.recipe.training.keep, done.best_step)

    def _add(self, metric: str, values: Mapping[int, float]) -> None:
        done = self.progress
        for index, value in values.items():
            self.rows.append(Row(done.step, metric, index, value, round(done.seconds, 3)))
            self.writer.add_scalar(f"{metric}/{index}", value, done.step)

    def _summary(self) -> dict[str, object]:
        done = self.progress
        return {
            "steps": done.step,
            "seconds": done.seconds,
            "seconds_per_step": median(self.times[2:] or self.times),
            "peak_memory_bytes": self.memory,
            "parameters": sum(p.numel() for p in self.network.parameters()),
            "modules": self.recipe.module_sizes(),
            "best_step": done.best_step,
            "best_validation_psnr_db": None if done.best_step is None else done.best_psnr,
        }


@contextmanager
def _logged(
    folder: Path,
    recipe: Recipe,
    network: Unrolled,
    modules: Sequence[Module],
    data: str,
    resume: bool,
) -> Iterator[_Log]:
    """Begin a run, or go on with it."""
    if resume:
        run.check_data(folder, data)
    else:
        run.start(folder, recipe, data)
    log = _Log(folder, recipe, network, modules, _restore(folder, modules))
    with log.writer:
        yield log


def _restore(folder: Path, modules: Sequence[Module]) -> Progress:
    """Go back to the last checkpoint, if any, and forget what was noted after it."""
    kept = checkpoint.found(folder / "checkpoints")
    progress = checkpoint.load(kept[-1], modules) if kept else Progress()
    rows = [row for row in run.read_metrics(folder) if row.step <= progress.step]
    run.write_metrics(folder, rows)
    return progress


def _refuse_non_finite(losses: Mapping[int, float], step: int, folder: Path) -> None:
    for number, value in losses.items():
        if not math.isfinite(value):
            raise Diverged(_not_finite("loss", number, step + 1, folder))


def _not_finite(what: str, module: int, step: int, folder: Path) -> str:
    kept = checkpoint.found(folder / "checkpoints")
    good = f"the last good checkpoint is {kept[-1]}" if kept else "there was no checkpoint yet"
    return (
        f"module {module} (counted from 0) has a {what} that is not finite at step {step}; {good}. "
        "Try a lower training.learning_rate or training.clip"
    )


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """SIGINT and SIGTERM ask for a stop after the step; a second one does not ask."""
    asked = False

    def ask(number: int, _: object) -> None:
        nonlocal asked
        asked = True
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
