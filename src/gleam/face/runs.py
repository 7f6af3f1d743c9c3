"""`train`, `adapt`, `open_run`, `Run`: what a recipe trained, and what can be done with it."""

import os
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from gleam import recipe as recipes
from gleam.errors import BadInput
from gleam.face.examples import settings_of
from gleam.face.images import Image
from gleam.face.methods import Data, reconstruct
from gleam.face.scans import given_layout
from gleam.face.words import checked_mask, in_python, path_of
from gleam.networks import Unrolled
from gleam.parallel.placement import Placement
from gleam.recipe import INTERPOLATION, MaskRecipe, Recipe
from gleam.runs import adaptation
from gleam.runs import folder as run_folder
from gleam.runs import run as trained
from gleam.runs.adaptation import Adaptation
from gleam.runs.stages import train_in_stages
from gleam.trust import trusting
from gleam.words import counted


class Run(trained.Run):
    """A folder that a recipe trained: the network, the recipe, how training went.

    `run.network(A)` is an image; `run.recipe` says every field; `run.metrics` are rows of losses
    and validation; `run.summary` has steps, seconds and memory.

    >>> run = gleam.open_run("runs/greedy")
    >>> run
    <Run 'runs/greedy': modl, 3 iterations in 2 modules, 6 steps, validation PSNR ... dB>
    >>> run.reconstruct(data, gleam.mask(acceleration=4)).magnitude.shape
    (1, 2, 32, 48)

    Args:
        folder: of the run, of which its path may stand wherever it does.
        trust: modules that may be imported for a network of somebody's own, by name.

    Raises:
        BadInput: the folder is no run.
    """

    @in_python()
    def __init__(self, folder: str | os.PathLike[str], *, trust: Sequence[str] = ()) -> None:
        super().__init__(folder)
        self.trust = trust

    @cached_property
    def network(self) -> Unrolled:
        """The trained network, on the CPU, ready for inference: `run.network(A)` is an image."""
        with in_python(), trusting(self.trust):
            return super().network

    def reconstruct(self, data: Data, mask: MaskRecipe | None = None, **settings: Any) -> Image:
        """The image of a prepared scan; see `gleam.reconstruct`."""
        return reconstruct(data, self, mask, **{"trust": self.trust} | settings)

    def __repr__(self) -> str:
        network, modules = self.recipe.network, self.recipe.module_sizes()
        iterations = counted(network.iterations, "iteration")
        known = [network.family, f"{iterations} in {counted(len(modules), 'module')}"]
        if "steps" in self.summary:
            known.append(counted(self.summary["steps"], "step"))
        best = self.summary.get("best_validation_psnr_db")
        if best is not None:
            known.append(f"validation PSNR {best:.1f} dB")
        return f"<Run {reprlib.repr(str(self.folder))}: {', '.join(known)}>"


def open_run(folder: str | Path, *, trust: Sequence[str] = ()) -> Run:
    """The run in a folder, of `gleam.train` or `gleam train`.

    >>> gleam.open_run("runs/greedy").recipe.network.family
    'modl'

    Args:
        folder: of the run.
        trust: modules that may be imported for a network of somebody's own, by name.

    Raises:
        BadInput: the folder is no run.
    """
    return Run(folder, trust=trust)


@in_python()
def train(
    recipe: Recipe | str | Path | Mapping[str, Any],
    folder: str | Path,
    *,
    resume: bool = False,
    force: bool = False,
    quiet: bool = False,
    device: str | None = None,
    trust: Sequence[str] = (),
    **changes: Any,
) -> Run:
    """Train a recipe: batches, modules, validation, checkpoints; as `gleam train` does.

    >>> run = gleam.train("recipe.yaml", "runs/new", quiet=True, training={"steps": 2})
    >>> run.summary["steps"]
    2
    >>> [row.value for row in run.metrics if row.metric == "loss"]  # of two modules, in two steps
    [..., ..., ..., ...]

    Args:
        recipe: its file, or its fields; see docs/recipes.md.
        folder: where the run goes.
        resume: go on with the run in `folder`, as its own recipe says; `recipe` is not read.
        force: replace another run in `folder`.
        quiet: show no progress.
        device: "cpu", "cuda", "cuda:1"; by default a GPU if there is one.
        trust: modules that may be imported for a network of your own, as `network.build` names it.
        changes: of the recipe, part by part: training={"modules": 8}, seed=1.

    Returns:
        The run, of several processes in each.

    Raises:
        BadInput: the data do not fit the recipe, or the folder holds another run.
    """
    folder = Path(folder)
    chosen = run_folder.load_recipe(folder) if resume else recipe_of(recipe)
    if changes and resume:
        raise BadInput("train: resume goes on with the run's own recipe; give no changes")
    chosen = chosen.changed(**changes)
    placement = Placement(device=device or "auto")
    with trusting(trust):
        last = train_in_stages(chosen, folder, resume, quiet, placement, force=force)
    return Run(last or folder, trust=trust)


def recipe_of(source: object) -> Recipe:
    """The recipe of a file, or of its fields."""
    if isinstance(source, Recipe):
        return source
    if isinstance(source, Mapping):
        return recipes.parse(dict(source), "recipe")
    return recipes.load(path_of(source, "a recipe, its file or its fields,"))


@in_python()
def adapt(
    run: Run | str | os.PathLike[str],
    scans: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    folder: str | Path,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    modules: int | None = None,
    last: int | None = None,
    mask: MaskRecipe | None = None,
    holdout: Mapping[str, Any] | None = None,
    interpolation: float = INTERPOLATION,
    calibration: int | None = None,
    coils: int | None = None,
    reference: str | Path | None = None,
    noise: str | Path | None = None,
    axes: str | None = None,
    variable: str | None = None,
    oversampled: str | None = None,
    measurement: str | None = None,
    force: bool = False,
    quiet: bool = False,
    device: str | None = None,
    trust: Sequence[str] = (),
) -> Run:
    """Have a run's network learn from undersampled scans, without ground truth; see docs/adapt.md.

    >>> mask = gleam.mask(acceleration=4)  # of scans that were sampled in full, to try it out
    >>> own = gleam.adapt("runs/greedy", "examples", "runs/own", mask=mask, steps=2, quiet=True)
    >>> own.reconstruct(data, mask)
    <Image 'scan-0': 2 slices, 1 frame, 32 × 48 voxels of ... mm, neural network, ...>

    Args:
        run: to start from; or a recipe's file, whose network starts from weights that are drawn.
        scans: files of scans or examples, or folders of them.
        folder: where the new run goes.
        steps: of training; by default 100.
        minutes: instead: as many steps as take so long, validation apart.
        modules: that learn by a loss of their own; 1 is end-to-end, by default the run's.
        last: only so many of the last modules learn.
        mask: undersamples scans that were sampled in full.
        holdout: what of the samples is held out, as the recipe's `training.holdout`.
        interpolation: place of the weights that are kept, on the way from the run's (0) to those
            learnt (1).
        calibration, coils, reference, noise: how scan files are prepared, as for `prepare`.
        axes, variable, oversampled, measurement: how they are read, as for `load`.
        force: replace another run in `folder`; and use a network on another kind of scans.
        quiet: show no progress.
        device: "cpu", "cuda", "cuda:1"; by default a GPU if there is one.
        trust: modules that may be imported for the run's network, by name.

    Returns:
        The new run; its network is as it was, where nothing became better.

    Raises:
        BadInput: a scan cannot be used, has nothing to hold out, or is none for the network.
    """
    given: Any = scans
    several = isinstance(given, Iterable) and not isinstance(given, str | os.PathLike)
    paths = given if several else [given]
    where = [path_of(path, "a file of a scan or an example, or a folder,") for path in paths]
    usual = Adaptation()
    how = Adaptation(
        steps,
        minutes,
        modules,
        last,
        usual.holdout.changed(**(holdout or {})),
        mask=checked_mask(mask),
        interpolation=interpolation,
    )
    settings = replace(
        settings_of(calibration, coils, reference, noise),
        layout=given_layout(axes, variable, oversampled),
        measurement=measurement,
    )
    trust = trust or getattr(run, "trust", ())
    with trusting(trust):
        done = adaptation.adapt(
            Path(run),
            where,
            Path(folder),
            how,
            settings,
            force=force,
            quiet=quiet,
            device=device or "auto",
        )
    return Run(done, trust=trust)


@in_python()
def export(
    run: Run | str | os.PathLike[str],
    to: str | os.PathLike[str],
    *,
    axes: str | None = None,
    force: bool = False,
    trust: Sequence[str] = (),
) -> None:
    """Write a run's network so that it can be given away; see docs/export.md.

    >>> gleam.export("runs/greedy", "greedy", force=True)
    >>> gleam.reconstruct(data, "greedy", gleam.mask(acceleration=4))
    <Image 'scan-0': 2 slices, 1 frame, 32 × 48 voxels of ... mm, neural network, ...>

    Args:
        run: the run, or its folder.
        to: a folder, for its weights, recipe and model card; or a .pt2 file of torch.export; or an
            .onnx file.
        axes: of a file, along which scans will be undersampled: "x" or "y x"; by default the last,
            as many as the run's masks take.
        force: replace what is there.
        trust: packages that the run may take its network from.

    Raises:
        BadInput: there is no such run, something is there, or the network cannot be a program.
    """
    from gleam import exporting

    with trusting(trust or getattr(run, "trust", ())):
        exporting.export(Path(run), Path(to), axes, force)
