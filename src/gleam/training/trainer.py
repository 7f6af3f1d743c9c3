"""Train a recipe into a run folder: the loop, and what surrounds it.

The same loop runs in every process that trains: it learns from batch after batch with the modules
that it holds, and passes on what the next process needs (see `gleam.training.pipeline`). In one
process there is nobody to pass anything on to.
"""

import math
import shlex
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from gleam import recipe as recipes
from gleam.arrays import crop
from gleam.data.batch import Batch
from gleam.data.example import ExampleFile
from gleam.data.loader import (
    TrainingBatches,
    every_slice,
    image_shape,
    slices_in_turn,
)
from gleam.device import described
from gleam.errors import BadInput, Signalled, Stopped, Unwritable
from gleam.metrics import psnr_complex
from gleam.networks import Unrolled
from gleam.networks.weights import weights_of
from gleam.recipe import Recipe
from gleam.terminal import silence, warn
from gleam.training import checkpoint, run
from gleam.training.budget import steps_within
from gleam.training.checkpoint import Progress
from gleam.training.data import find_data
from gleam.training.flow import GreedyModule, train_step
from gleam.training.group import Group, Lost, joined, size_of_group
from gleam.training.meter import metered, state_bytes
from gleam.training.pipeline import Failure, Note, Pipeline
from gleam.training.problem import for_training, loss_of, make_modules, training_batches
from gleam.training.record import Record, forget_after, recorded
from gleam.training.replicas import Replicas
from gleam.training.spread import Spread, cut, seconds
from gleam.training.start import initial

ALONE = Spread()


def train(
    recipe: Recipe,
    folder: Path,
    resume: bool = False,
    quiet: bool = False,
    spread: Spread = ALONE,
    force: bool = False,
) -> bool:
    """Train, validate and checkpoint until the recipe's last step.

    A resumed run ends with the same weights as one that was never stopped, and a run in a pipeline
    of processes with the same as in one process: to the bit on a CPU, and on a GPU as far as its
    convolutions repeat themselves.

    Args:
        recipe: what to train.
        folder: the run's folder; made, unless `resume`.
        resume: go on from the last checkpoint in `folder`.
        quiet: show no progress.
        spread: how the processes that the launcher started divide the work.
        force: replace another run in `folder`.

    Returns:
        Whether this process keeps the run's records; of several one does.

    Raises:
        BadInput: the data do not fit the recipe, or the recipe the processes; the folder is (not)
            a run.
        Signalled: by SIGINT or SIGTERM.
        Stopped: because another process was lost, the disk is full, or the folder is gone.
        Diverged: by a loss or weight that is not finite; the last good checkpoint stays.
    """
    spread.check(recipe, size_of_group())
    with joined(spread.replicas, spread.timeout, spread.device) as group:
        try:
            part = _prepare(recipe, folder, resume, quiet, spread, group, force)
            record = recorded(
                folder, part.recipe, part.parameters, part.frozen, part.progress, quiet
            )
            kept_here = record if group.records else silence()
            try:
                with _stop_signals() as stop_asked, kept_here as kept:
                    if kept:
                        kept.display.say(_where(group))
                    _learn(part, kept, stop_asked)
            except Unwritable as error:
                error.go_on = f"then {_go_on(folder)}"
                raise
        except Lost as lost:
            begun = run.is_there(folder)
            again = f"; {_go_on(folder)}" if begun else ""
            raise Stopped(f"{group.traced(lost)}{again}") from lost
    return group.records


def _where(group: Group) -> str:
    """On what is trained: the first line of a run."""
    processes = f" in {group.size} processes, each" if group.size > 1 else ""
    return f"training{processes} on {described(group.device)}"


def _go_on(folder: Path) -> str:
    return f"go on with: gleam train --resume {shlex.quote(str(folder))}"


@dataclass(frozen=True)
class _Part:
    """What a process holds of a run: some modules, and all that they need.

    Attributes:
        group: of the process.
        recipe: of the run.
        folder: of the run.
        batches: its replica's share of every batch.
        validation: examples.
        network: its iterations only; at the pipeline's head those that are frozen, too.
        first_iteration: number of the first of them.
        modules: by number.
        parameters: of the whole network.
        frozen: weights that are not trained, by their names in the whole network.
        progress: what the run goes on from.
    """

    group: Group
    recipe: Recipe
    folder: Path
    batches: TrainingBatches
    validation: Sequence[ExampleFile]
    network: Unrolled
    first_iteration: int
    modules: dict[int, GreedyModule]
    parameters: int
    frozen: dict[str, Tensor]
    progress: Progress

    def validates(self, step: int) -> bool:
        """Whether validation follows after so many updates."""
        t = self.recipe.training
        return bool(self.validation) and (step == t.steps or step % t.validate_every == 0)

    def shapes(self) -> Iterator[tuple[int, ...]]:
        """Of all states that travel between modules from here on, in order."""
        for step in range(self.progress.step, self.recipe.training.steps):
            yield self.network.state_shape(self.batches.shape(step))
            if self.validates(step + 1):
                for example, slices in slices_in_turn(
                    self.validation, self.recipe.data.batch, self.group.share
                ):
                    yield self.network.state_shape(image_shape(example, len(slices)))


def _prepare(
    recipe: Recipe,
    folder: Path,
    resume: bool,
    quiet: bool,
    spread: Spread,
    group: Group,
    force: bool,
) -> _Part:
    """Read what there is, make the folder, and take this process's modules."""
    t = recipe.training
    data = find_data(recipe)  # before a folder is made, or time is spent
    if t.offload_to is not None and not t.offload_to.is_dir():
        raise BadInput(f"training.offload_to: {t.offload_to}: is no folder that exists; make it")
    network = initial(recipe)
    batches = training_batches(data.training, recipe, network, group.share)
    modules = make_modules(network, recipe)
    kept = checkpoint.found(folder / "checkpoints") if resume else []
    last = kept[-1] if kept else None
    facts = {"recipe": recipe, "data set": data.fingerprint, "code": run.code(), "checkpoint": last}
    group.agree(facts | {"command line": spread, "kind of device": group.wire.type})
    if group.records and resume:
        run.check_data(folder, data.fingerprint)
        if not (folder / run.TRAINED_ON).exists():  # begun by an early version
            run.write_trained_on(folder, data.trained_on())
        forget_after(folder, checkpoint.step_of(last) if last else 0)
    elif group.records:
        run.start(folder, recipe, data.fingerprint, data.trained_on(), force)
    if group.records and not quiet:
        for what, doubt in data.doubts():
            warn(what, [doubt])

    lengths = spread.split or [len(modules)]
    if len(lengths) != group.places:
        costs = partial(_costs, modules, network, batches.at(0), recipe, group.device)
        lengths = cut(group.from_first(costs, len(modules)), group.places)
    first = sum(lengths[: group.place])
    numbers = range(first, first + lengths[group.place])
    if t.minutes is not None:
        recipe = recipe.lasting(steps_within(t.minutes, recipe, batches, numbers, group))
        modules = make_modules(network, recipe)  # with the schedules of as many steps
        if group.records:
            recipes.save(recipe, folder / "recipe.yaml")
    mine = {number: modules[number] for number in numbers}
    iterations = [one for module in mine.values() for one in module.iterations]
    frozen = network.iterations[: network.frozen]
    before = sum(recipe.module_sizes()[:first])
    if group.upstream is None:
        part = Unrolled([*frozen, *iterations], network.state, network.frozen)
    else:
        part = Unrolled(iterations, network.state)
        before += network.frozen
    progress = checkpoint.load(last, mine, len(modules)) if last else Progress()
    group.meet()  # nobody writes before the folder is made
    if not run.is_there(folder):
        raise BadInput(f"{folder}: is not the same folder for all processes; give one that all see")
    return _Part(
        group=group,
        recipe=recipe,
        folder=folder,
        batches=batches,
        validation=data.validation,
        network=part.to(group.device),
        first_iteration=before,
        modules=mine,
        parameters=sum(p.numel() for p in network.parameters()),
        frozen={f"iterations.{name}": weight for name, weight in weights_of(frozen).items()},
        progress=progress,
    )


def _learn(part: _Part, record: Record | None, stop_asked: Callable[[], int]) -> None:
    """The loop over batches; without a record in the processes that keep none."""
    group, t, step = part.group, part.recipe.training, part.progress.step
    first_module, modules = min(part.modules), list(part.modules.values())
    replicas = Replicas(group) if group.replicas > 1 else None
    numbers = len(part.recipe.module_sizes()) + part.recipe.network.iterations
    try:
        pipeline = Pipeline(group, part.shapes, t.steps - step, numbers)
        for batch in part.batches.between(step, t.steps):
            started = time.perf_counter()
            batch = batch.to(group.device)
            measurement, target = for_training(batch)
            metering = step < part.progress.step + 2  # the first makes the optimizers' states
            work: Callable[[], dict[int, Tensor]] = partial(
                train_step,
                modules,
                pipeline.receive(partial(part.network.start, measurement)),
                measurement,
                target,
                partial(loss_of, part.recipe, part.network, batch),
                step,
                t.overlap,
                # A message that the profiler sees leave, and that arrives when it is gone, would
                # write to memory that is gone too.
                partial(pipeline.send, wait=metering),
                replicas.average if replicas else None,
            )
            if replicas:
                work = replicas.finishing(work)
            memory = 0
            if metering:
                losses, peak = metered(work, group.device)
                held = part.network.iterations[: part.network.frozen].parameters()
                memory = peak + state_bytes(modules) + sum(p.nbytes for p in held)
            else:
                losses = work()
            values = torch.stack([*losses.values()]).tolist()
            taken = time.perf_counter() - started
            step += 1

            psnr = validate(part, pipeline) if part.validates(step) else []
            group.check_launcher()
            asked = stop_asked()
            if asked:
                group.ask_to_stop(asked)
            note = pipeline.hear() or Note(last=step == t.steps or group.stops(bool(asked)))
            note.memory = max(note.memory, memory)
            note.losses |= {first_module + m: x for m, x in zip(losses, values, strict=True)}
            note.psnr |= dict(enumerate(psnr, part.first_iteration))
            _keep(part, step, note, pipeline, record, taken)
            if note.last or (note.failure and group.places == 1):
                break
        pipeline.close()
        if record is None:
            group.meet()  # the process with the record ends first: it knows what there is to say
            return
        checkpoint.discard(part.folder / "checkpoints")
        if record.failure:
            raise record.failure
        if step < t.steps:
            number = stop_asked() or group.asked_to_stop()
            raise Signalled(f"stopped at step {step}; {_go_on(part.folder)}", number)
        group.meet()
    except Lost as lost:
        lost.when = f"at step {step + 1}"
        raise


def _keep(
    part: _Part, step: int, note: Note, pipeline: Pipeline, record: Record | None, taken: float
) -> None:
    """Write down what is to be kept after a step, and pass the note on.

    Whether validation was the best so far is known at the pipeline's end only; processes before it
    write their modules in any case.
    """
    checkpoints = part.folder / "checkpoints"
    scheduled = note.last or step % part.recipe.training.checkpoint_every == 0
    validated = part.validates(step)
    if not note.failure and (failure := _failure(part, note, scheduled or validated)):
        note.failure = failure
        part.group.ask_to_stop()
    best = record.add(note, taken) if record else validated and part.group.downstream is not None
    if part.group.replica == 0 and not note.failure and (scheduled or best):
        run.check_there(part.folder)
        checkpoint.write(checkpoints, part.modules, step)
    pipeline.tell(note)
    if record and not record.failure and (scheduled or best):
        record.keep()
    elif record and validated:
        checkpoint.discard(checkpoints, step)


@torch.no_grad()
def validate(part: _Part, pipeline: Pipeline) -> list[float]:
    """Mean complex PSNR in dB over all slices but empty ones, after each iteration of a process."""
    network, recipe, group = part.network, part.recipe, part.group
    totals = torch.zeros(2, len(network.iterations), dtype=torch.float64, device=group.device)
    for batch in every_slice(
        part.validation, recipe.mask, recipe.data.batch, group.share, recipe.data.slab
    ):
        batch = batch.to(group.device)
        assert batch.target is not None
        target = crop(batch.target, batch.matrix)
        first = partial(network.first, batch.measurement)  # before what is frozen, too
        state = pipeline.receive(first)
        for k, iteration in enumerate(network.iterations):
            state = network.advance(iteration, state, batch.measurement)
            psnr = psnr_complex(crop(network.image(state), batch.matrix), target).double()
            totals[:, k] += torch.stack([psnr.nansum(), (~psnr.isnan()).sum()])
        pipeline.send(state)
    total, count = group.over_replicas(totals.cpu())
    means: list[float] = (total / count).tolist()
    return means


def _costs(
    modules: Sequence[GreedyModule],
    network: Unrolled,
    batch: Batch,
    recipe: Recipe,
    device: torch.device,
) -> list[float]:
    """Seconds that each module takes to learn from a batch."""
    network.to(device)
    batch = batch.to(device)
    measurement, target = for_training(batch)
    state = network.start(measurement)

    def learn(module: GreedyModule) -> None:
        output = module.storage(list(module.iterations), state, measurement)
        error = loss_of(recipe, network, batch, output, target)
        torch.autograd.backward(error)
        module.optimizer.zero_grad(set_to_none=True)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return seconds([partial(learn, module) for module in modules])


def _failure(part: _Part, note: Note, kept: bool) -> Failure | None:
    """The first loss that is not finite, or weight of what is to be kept."""
    for number in part.modules:
        if not math.isfinite(note.losses.get(number, 0)):
            return "loss", number
    for number, module in part.modules.items() if kept else []:
        if not all(p.isfinite().all() for p in module.iterations.parameters()):
            return "weight", number
    return None


@contextmanager
def _stop_signals() -> Iterator[Callable[[], int]]:
    """SIGINT and SIGTERM ask for a stop after the step; a second one does not ask.

    Yields:
        Says which of them came, 0 if none did.
    """
    asked = 0

    def ask(number: int, _: object) -> None:
        nonlocal asked
        asked = number
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
