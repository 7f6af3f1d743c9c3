"""Prepare a run: one function for each thing to be done, in the order of `prepare`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from gleam import precision
from gleam import recipe as recipes
from gleam.data.batch import Batch
from gleam.data.example import Example
from gleam.data.feed import Feed
from gleam.data.loader import SLAB, TrainingBatches, every_slice, image_shape, slices_in_turn
from gleam.errors import BadInput
from gleam.networks import Unrolled
from gleam.networks.weights import weights_of
from gleam.parallel.group import Group
from gleam.parallel.neighbours import Note
from gleam.parallel.pipeline import Pipeline
from gleam.parallel.placement import Placement, partition
from gleam.recipe import Recipe
from gleam.runs import checkpoint, loggers
from gleam.runs import folder as run_folder
from gleam.runs.assembly import goal_of, idle_of, make_learner, part_of, training_batches
from gleam.runs.budget import seconds_of_modules, seldom_validated, steps_within
from gleam.runs.checkpoint import RunProgress
from gleam.runs.data import TrainingData, find_data
from gleam.runs.environment import code
from gleam.runs.initial import grown_from, initial
from gleam.runs.learner import Learner
from gleam.runs.record import forget_after
from gleam.runs.shipped import located
from gleam.terminal import warn
from gleam.training.module import GreedyModule
from gleam.training.plateau import Plateau


@dataclass(frozen=True)
class Setup:
    """A run that is ready to go on.

    Attributes:
        recipe: of the run.
        folder: of the run.
        group: the processes.
        learner: the modules of this process.
        first_module: its number.
        first_iteration: its number.
        batches: its share of every training batch.
        validation: examples.
        parameters: of the whole network.
        start: weights of the run that it starts from, by their names in the whole network.
        grown: how many iterations that run had, if others are appended to them; else 0.
        progress: what the run goes on from.
        ended: it goes on from where every module had stopped.
        owes: validation of the step that it goes on from was broken off, and comes first.
    """

    recipe: Recipe
    folder: Path
    group: Group
    learner: Learner
    first_module: int
    first_iteration: int
    batches: TrainingBatches
    validation: Sequence[Example]
    parameters: int
    start: dict[str, Tensor]
    grown: int
    progress: RunProgress
    ended: bool
    owes: bool = False

    @property
    def modules(self) -> dict[int, GreedyModule]:
        """Numbers of this process's modules."""
        return dict(enumerate(self.learner.modules, self.first_module))

    def validates(self, step: int, last: bool = False) -> bool:
        """Whether validation follows after so many updates, or the `last` one."""
        t = self.recipe.training
        last = last or step == t.steps
        return bool(self.validation) and (last or step % t.validate_every == 0)

    def all_stopped(self, note: Note) -> bool:
        """Whether no module of the network learns any more, as far as a note knows."""
        return len(note.stopped) == len(self.recipe.module_sizes())

    def feed(self) -> Feed:
        """This process's share of the training batches to come."""
        first, steps = self.progress.step, self.recipe.training.steps
        return self.batches.between(first, first if self.ended else steps, self.learner.device)

    @property
    def judges_start(self) -> bool:
        """Whether the network that it starts from is to be validated first."""
        whole = self.recipe.training.start is not None and not self.grown
        return whole and bool(self.validation) and self.progress.step == 0

    def validation_batches(self) -> Iterator[Batch]:
        """This process's share of the validation examples, with masks that never change."""
        data, group = self.recipe.data, self.group
        return every_slice(
            self.validation,
            self.recipe.mask,
            data.batch,
            group.share,
            max(data.slab or 0, SLAB),
            group.device,
            goal_of(self.recipe),
            self.recipe.training.maps == "host",
        )


def prepare(
    recipe: Recipe,
    folder: Path,
    resume: bool,
    quiet: bool,
    placement: Placement,
    group: Group,
    force: bool,
) -> Setup:
    """Read what there is, make the folder, and take this process's modules; see `train`."""
    precision.decide(recipe.training.deterministic)
    data = find_data(recipe)  # before a folder is made, or time is spent
    _check_folders(recipe)
    loggers.check(recipe.training.loggers)
    idle = idle_of(recipe, group.device)
    network = initial(recipe, idle)
    batches = training_batches(data.training, recipe, network, group.share)
    if group.pipeline_size > 1:
        network.state_shape(batches.shape(0))  # whether it knows, before anything is made
    last = _last_checkpoint(folder) if resume else None
    _agree(group, recipe, data, last, placement)
    _open_folder(folder, recipe, data, last, resume, group, force)
    if group.records and not quiet:
        for what, doubt in data.doubts():
            warn(what, [doubt])
    numbers = _place(recipe, batches, placement, group)
    recipe = _counted(recipe, batches, numbers, group, folder, data.validation)
    grown = grown_from(recipe)
    start = _weights_to_start_from(network, recipe, grown)
    parameters = sum(p.numel() for p in network.parameters())
    part = part_of(network, recipe, numbers)
    part = part.to(group.device) if idle is None else part
    learner = make_learner(part, recipe, numbers, idle=idle)  # beside the weights, where they stay
    learner.modules = _that_may_stop(learner.modules, recipe)
    progress = _restore(learner, recipe, numbers, last)
    learns = group.maximum(float(len(numbers) - len(learner.stopped)))
    _meet_in(folder, group)  # nobody writes before the folder is made
    before = sum(recipe.module_sizes()[: numbers.start])
    setup = Setup(
        recipe=recipe,
        folder=folder,
        group=group,
        learner=learner,
        first_module=numbers.start,
        first_iteration=before + network.frozen if numbers.start else 0,
        batches=batches,
        validation=data.validation,
        parameters=parameters,
        start=start,
        grown=grown,
        progress=progress,
        ended=not learns,
    )
    if progress.step and setup.validates(progress.step, setup.ended):
        setup = replace(setup, owes=run_folder.last_validation(folder) < progress.step)
    if group.world_size > 1:
        learner.neighbours = _neighbours(setup)
    return setup


def _check_folders(recipe: Recipe) -> None:
    """Check the folders of files that come and go while it trains."""
    for field in ("offload_to", "idle"):
        folder = getattr(recipe.training, field)
        if isinstance(folder, Path) and not folder.is_dir():
            raise BadInput(f"training.{field}: {folder}: is no folder that exists; make it")


def _last_checkpoint(folder: Path) -> Path | None:
    kept = checkpoint.found(folder / "checkpoints")
    return kept[-1] if kept else None


def _agree(
    group: Group, recipe: Recipe, data: TrainingData, last: Path | None, placement: Placement
) -> None:
    facts = {
        "recipe": recipe,
        "data set": data.fingerprint,
        "code": code(),
        "checkpoint": last,
    }
    group.agree(facts | {"command line": placement, "kind of device": group.comm_device.type})


def _open_folder(
    folder: Path,
    recipe: Recipe,
    data: TrainingData,
    last: Path | None,
    resume: bool,
    group: Group,
    force: bool,
) -> None:
    """Make the run's folder, or have it be as it was at its last checkpoint."""
    if not group.records:
        return
    if not resume:
        run_folder.begin(folder, recipe, data.fingerprint, data.trained_on(), force, group.device)
        return
    run_folder.check_data(folder, data.fingerprint)
    if not (folder / run_folder.TRAINED_ON).exists():  # begun by an early version
        run_folder.write_trained_on(folder, data.trained_on())
    forget_after(folder, checkpoint.step_of(last) if last else 0)


def _place(recipe: Recipe, batches: TrainingBatches, placement: Placement, group: Group) -> range:
    """The modules of this process, by number."""
    count = len(recipe.module_sizes())
    lengths = placement.split or [count]
    if len(lengths) != group.pipeline_size:
        costs = partial(seconds_of_modules, recipe, batches, group.device)
        lengths = partition(group.broadcast(costs, count), group.pipeline_size)
    first = sum(lengths[: group.pipeline_rank])
    return range(first, first + lengths[group.pipeline_rank])


def _counted(
    recipe: Recipe,
    batches: TrainingBatches,
    numbers: range,
    group: Group,
    folder: Path,
    validation: Sequence[Example],
) -> Recipe:
    """The recipe, with as many steps as its minutes allow, and validated as seldom as these ask."""
    minutes = recipe.training.minutes
    if minutes is None:
        return recipe
    recipe = recipe.lasting(steps_within(minutes, recipe, batches, numbers, group))
    recipe = seldom_validated(recipe, validation)
    if group.records:
        recipes.save(recipe, folder / "recipe.yaml")
    return recipe


def _weights_to_start_from(network: Unrolled, recipe: Recipe, grown: int) -> dict[str, Tensor]:
    if recipe.training.start is not None and not grown:
        there = load_file(located(recipe.training.start) / run_folder.MODEL)
        drawn = {name: w for name, w in weights_of(network).items() if name not in there}
        return there | {name: weight.clone() for name, weight in drawn.items()}
    before = weights_of(network.iterations[:grown])
    return {f"iterations.{name}": weight for name, weight in before.items()}


def _that_may_stop(modules: Sequence[GreedyModule], recipe: Recipe) -> list[GreedyModule]:
    """The modules of a run, which stop early where the recipe says so; others learn to the end."""
    t = recipe.training
    if t.patience is None:
        return [*modules]
    watches = (Plateau(t.patience, t.least_fall, recipe.warmup()) for _ in modules)
    return [replace(module, plateau=watch) for module, watch in zip(modules, watches, strict=True)]


def _restore(learner: Learner, recipe: Recipe, numbers: range, last: Path | None) -> RunProgress:
    if last is None:
        return RunProgress()
    modules = dict(zip(numbers, learner.modules, strict=True))
    return checkpoint.load(last, modules, len(recipe.module_sizes()))


def _meet_in(folder: Path, group: Group) -> None:
    group.barrier()
    if not run_folder.is_there(folder):
        raise BadInput(f"{folder}: is not the same folder for all processes; give one that all see")


def _neighbours(setup: Setup) -> Pipeline:
    group, recipe, network = setup.group, setup.recipe, setup.learner.network

    def shapes() -> Iterator[tuple[int, ...]]:
        """Shapes of all states that travel between modules from here on, in order."""
        if setup.judges_start or setup.owes:
            yield from of_validation()
        for step in range(setup.progress.step, recipe.training.steps):
            yield network.state_shape(setup.batches.shape(step))
            if setup.validates(step + 1):
                yield from of_validation()

    def of_validation() -> Iterator[tuple[int, ...]]:
        for example, slices in slices_in_turn(setup.validation, recipe.data.batch, group.share):
            yield network.state_shape(image_shape(example, len(slices)))

    numbers = len(recipe.module_sizes()) + recipe.network.iterations
    notes = recipe.training.steps - setup.progress.step + setup.owes
    return Pipeline(group, shapes, notes, numbers)
