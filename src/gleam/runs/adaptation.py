"""Adapting a network to undersampled scans: it learns from what was acquired of them.

No ground truth is read. In each step some samples outside the centre are held out, the network
reconstructs a slab of rows from the rest, and every module's loss is how badly its image predicts
what was held out (SSDU: Yaman et al. 2020; zero-shot: Yaman et al. 2022). Other samples, the same
in all steps, are held out as a guard: how well these are predicted chooses the weights that are
kept, be they those it started from.
"""

import math
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gleam.data.example import Example, find, is_example
from gleam.data.masks import mask_axes
from gleam.data.slices import taken
from gleam.device import choose
from gleam.errors import BadInput
from gleam.files import check_new, make_folder
from gleam.networks import Unrolled
from gleam.parallel.placement import Placement
from gleam.physics.sampling import DIMENSIONS
from gleam.preparation.jobs import find_scans, prepare_one
from gleam.preparation.prepare import Settings
from gleam.recipe import (
    BY_ITSELF,
    INTERPOLATION,
    OF_ONE_SCAN,
    STEPS,
    HoldoutRecipe,
    MaskRecipe,
    Recipe,
)
from gleam.runs import folder as run_folder
from gleam.runs.budget import steps_of_validation
from gleam.runs.data import find_data
from gleam.runs.start import Start
from gleam.runs.train import train
from gleam.terminal import followed, warn
from gleam.words import counted

LENGTH = 100  # steps, if nothing else is said
ROWS, PLANES = 64, 8  # positions along the readout of slices and volumes that a step looks at
EXAMPLES = "examples"  # folder inside a run
_CHECKS = 10  # validations, if a scan is small


@dataclass(frozen=True)
class Adaptation:
    """Settings of a network's adaptation.

    Attributes:
        steps: of training; None makes 100.
        minutes: instead of steps: as many as take so long, validation apart.
        modules: as in `gleam.recipe.TrainingRecipe`, 1 being end-to-end; None takes the run's.
        last: only so many of the last modules learn; None has all learn.
        holdout: how samples are held out.
        learning_rate: of Adam, at its highest.
        consistency_rate: times that: the rate of what data consistency learns.
        interpolation: see `gleam.recipe.TrainingRecipe`; weights that were drawn are left behind.
        mask: undersamples scans that were fully sampled; None refuses these.
        leaner: fields of the recipe, part by part, by which less memory is taken, and the same is
            learnt.
    """

    steps: int | None = None
    minutes: float | None = None
    modules: int | None = None
    last: int | None = None
    holdout: HoldoutRecipe = OF_ONE_SCAN
    learning_rate: float = 1e-3
    consistency_rate: float = 30.0
    interpolation: float = INTERPOLATION
    mask: MaskRecipe | None = None
    leaner: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.steps is not None and self.minutes is not None:
            raise BadInput(
                "--steps and --minutes both say how long to learn from the scan; give one of them"
            )


def adapt(
    start: Path,
    scans: Sequence[Path],
    folder: Path,
    how: Adaptation | None = None,
    settings: Settings | None = None,
    *,
    force: bool = False,
    quiet: bool = False,
    device: str = "auto",
) -> Path:
    """Adapt a network to scans, as a new run.

    Args:
        start: folder of the run; or a recipe, whose network starts from weights that are drawn.
        scans: scan files, which are prepared first, or example files, or folders of either; one
            scan, or several of one protocol.
        folder: of the new run. What it learns from is in its folder `examples`.
        how: see `Adaptation`.
        settings: how scan files are prepared; map sets are as many as the network's.
        force: replace another run in the folder; and use a network on another kind of scans than
            it was trained on.
        quiet: show no progress.
        device: see `gleam.device`.

    Returns:
        The new run's folder.

    Raises:
        BadInput: a scan cannot be used, has nothing to hold out, or is none for the network.
        Stopped: see `gleam.runs.train.train`.
    """
    how = how or Adaptation()
    if not scans:
        raise BadInput("no scan is named; give the run to start from, then one scan or more")
    earlier = Start.of(start)  # what is wrong with it is said before scans are prepared
    if folder.resolve() == start.resolve():
        raise BadInput(f"{folder}: is the run to start from; give the new run another folder")
    choose(device)
    goal = folder / EXAMPLES
    _check_place(folder, goal, force)
    make_folder(folder.parent)
    with TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        place = Path(temporary) / EXAMPLES
        place.mkdir()
        sets = earlier.recipe.network.sets
        _gather(scans, place, replace(settings or Settings(), sets=sets), quiet)
        examples = find(place, sets)
        for example in examples:
            _check(example, earlier, how, force)
        recipe = adapted(earlier, examples, how)
        find_data(recipe.changed(data=_data(place, how)))
        make_folder(folder)
        shutil.rmtree(goal, ignore_errors=True)
        place.rename(goal)
    recipe = recipe.changed(data=_data(goal, how))
    train(recipe, folder, quiet=quiet, placement=Placement(device=device), force=force)
    return folder


def _data(examples: Path, how: Adaptation) -> dict[str, Path | None]:
    """The folders that are learnt from, and judged by; without a guard nothing is judged."""
    return {"train": examples, "validation": examples if how.holdout.guard else None}


def _check_place(folder: Path, goal: Path, force: bool) -> None:
    """Have only what an earlier adaptation wrote be replaced, and only if the user says so."""
    if run_folder.is_there(folder):
        check_new(folder, force, "holds a run already", "choose another place")
        before = run_folder.load_recipe(folder).data.train
        if goal.exists() and before.exists() and before.samefile(goal):
            return
    if goal.exists():
        raise BadInput(f"{goal}: is there, and is of no adapted run; choose another place")


def adapted(earlier: Start, examples: Sequence[Example], how: Adaptation) -> Recipe:
    """The recipe that adapts a network to examples, whose place is still to be said.

    Raises:
        BadInput: fields that do not fit the network's recipe, or each other.
    """
    recipe, volumes = earlier.recipe, earlier.volumes(examples)
    examples = taken(examples, volumes)
    slab = _slab(earlier.network, examples, how.mask or recipe.mask, recipe.data.slab)
    steps = how.steps
    if steps is None:
        steps = LENGTH if how.minutes is None else STEPS
    training: dict[str, Any] = BY_ITSELF | {
        "target": "kspace",
        "holdout": how.holdout,
        "start": earlier.run,
        "modules": _modules(recipe) if how.modules is None else how.modules,
        "overlap": 0,
        "loss_weights": "flat",
        "offload_to": None,
        "learning_rate": how.learning_rate,
        "consistency_rate": how.consistency_rate,
        "interpolation": 1.0 if earlier.run is None else how.interpolation,
        "warmup": 5,
        "clip": 1.0,
        "validate_every": min(steps, max(1, steps // _CHECKS, steps_of_validation(examples, slab))),
        "checkpoint_every": LENGTH // _CHECKS,
        "patience": None,
        "steps": steps,
        "minutes": how.minutes,
    }
    if isinstance(recipe.training.idle, Path):
        training["idle"] = "host"  # that folder was for the run
    data = {"batch": 1, "slab": slab, "margin": None, "masks": (), "volumes": volumes}
    changed = recipe.changed(data=data, mask=how.mask or recipe.mask, training=training)
    if how.last is not None:
        changed = _last(changed, how.last)
    return changed.changed(**how.leaner)


def _modules(recipe: Recipe) -> int | list[int]:
    """Modules of the whole network; of one that has grown, as long as the longest that was
    trained."""
    t = recipe.training
    if not t.frozen:
        return t.modules
    return math.ceil(recipe.network.iterations / max(recipe.module_sizes()))


def _last(recipe: Recipe, modules: int) -> Recipe:
    """The same, but only the last modules learn."""
    sizes = recipe.module_sizes()
    if not 1 <= modules <= len(sizes):
        raise BadInput(
            f"only the last {counted(modules, 'module')} are to learn, but the network has "
            f"{len(sizes)}; give 1 to {len(sizes)}"
        )
    learning = sizes[-modules:]
    frozen = sum(sizes) - sum(learning)
    return recipe.changed(training={"frozen": frozen, "modules": learning})


def _slab(
    network: Unrolled, examples: Sequence[Example], mask: MaskRecipe, slab: int | None
) -> int | None:
    """Positions along the readout that a step looks at; None where scans cannot be cut."""
    dimensions = DIMENSIONS[mask.kind]
    for example in examples:
        axis, space = example.header.decoded_axis, example.shape[3:]
        axes = mask_axes(example.header.readout, len(space), dimensions)
        if axis is None or (example.complete and axis in axes):
            return None
    try:
        network.reach(-1)
    except BadInput:  # a network of somebody's own need not know how far it looks
        return None
    volumes = any(example.header.slab_axis is not None for example in examples)
    return (slab or PLANES) if volumes else ROWS


def _gather(scans: Sequence[Path], place: Path, settings: Settings, quiet: bool) -> None:
    """Have all examples in one folder: what is raw is prepared, what is prepared is linked."""
    sources = find_scans(scans)
    work = sources if quiet else followed(sources, "preparing", len(sources))
    for source in work:
        if is_example(source):
            goal = place / f"{source.stem}.h5"  # some are called .H5
            if goal.exists():
                raise BadInput(f"{source}: is called as a part of another scan; rename one of them")
            _link(source, goal)
            continue
        for outcome in prepare_one(source, place, settings):
            if outcome.reason is not None:
                raise BadInput(f"{source}: {outcome.reason}")
            warn(source.name, outcome.warnings)


def _link(source: Path, goal: Path) -> None:
    """A file under another name, or a copy where a disk ends."""
    try:
        os.link(source.resolve(), goal)
    except OSError:
        shutil.copyfile(source, goal)


def _check(example: Example, earlier: Start, how: Adaptation, force: bool) -> None:
    """Make sure that a scan can be learnt from without a target."""
    name = example.header.name
    if example.complete and how.mask is None:
        raise BadInput(
            f"{name}: was sampled in full, so there is nothing to hold out and nothing to gain; "
            "undersample it first (--acceleration), or train on it (gleam train)"
        )
    if example.shape[1] == 1:
        raise BadInput(
            f"{name}: has one coil, and its samples say too little of each other to learn from; "
            "reconstruct it without adapting"
        )
    warn(str(earlier.place), earlier.check(example, force))
