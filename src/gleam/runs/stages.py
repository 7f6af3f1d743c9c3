"""Training in stages, each a run of its own that starts from the one before.

*Growing* appends iterations to a trained network and trains only those: the memory is that of one
module, whatever the depth. Or the new ones begin as copies of its last iteration, and all are
trained: a shallow network learns fast, and a deep one then starts from what it knows. (The first
iterations know how to begin, so copies of them spoil an image that is nearly done.) *Polishing*
trains a greedy network end-to-end for a few steps, under checkpointing.
"""

import math
from pathlib import Path

from gleam.parallel.placement import ONE_PROCESS, Placement
from gleam.recipe import END_TO_END, STEPS, Recipe, StageRecipe
from gleam.runs import folder as run_folder
from gleam.runs.train import train

POLISHED = "polished"  # folder inside a run
GENTLER = 3  # times lower is the learning rate of polishing: the network is nearly there


def grown(recipe: Recipe, start: Path, iterations: int, copy: bool = False) -> Recipe:
    """The recipe that appends iterations to a run, in modules as long as its longest.

    Args:
        recipe: of the run.
        start: its folder.
        iterations: how many to append.
        copy: begin them as copies of the last iteration, and train all; otherwise they are drawn,
            and nothing else is trained.
    """
    before = recipe.network.iterations
    trained = before + iterations if copy else iterations
    training = {
        "start": start,
        "copies": copy,
        "frozen": 0 if copy else before,
        "modules": math.ceil(trained / max(recipe.module_sizes())),
        "overlap": 0,
        "loss_weights": "flat",
        "stages": (),
        "polish": 0,
    }
    return recipe.changed(network={"iterations": before + iterations}, training=training)


def following(recipe: Recipe, start: Path, stage: StageRecipe) -> Recipe:
    """The recipe of a stage.

    Args:
        recipe: of the stage before, as it was asked for.
        start: the folder of that stage's run.
        stage: what is said of this one.

    Raises:
        BadInput: that makes no recipe.
    """
    deeper = grown(recipe, start, stage.iterations - recipe.network.iterations, copy=True)
    own = stage.model_dump(exclude={"iterations"}, exclude_none=True)
    if stage.minutes is not None and stage.steps is None:
        own["steps"] = STEPS  # a recipe says one of the two
    elif stage.steps is not None:
        own.setdefault("minutes", None)
    return deeper.changed(training=own)


def polished(recipe: Recipe, start: Path, steps: int) -> Recipe:
    """The recipe that polishes a run: its whole network, end-to-end.

    Args:
        recipe: of the run.
        start: its folder.
        steps: of polishing.
    """
    t = recipe.training
    training = END_TO_END | {
        "start": start,
        "frozen": 0,
        "storage": "checkpoint",
        "offload_to": None,
        "learning_rate": t.learning_rate / GENTLER,
        "patience": None,  # at this rate a loss hardly falls
        "copies": False,
        "stages": (),
        "polish": 0,
    }
    return recipe.lasting(steps).changed(training=training)


def train_in_stages(
    recipe: Recipe,
    folder: Path,
    resume: bool = False,
    quiet: bool = False,
    placement: Placement = ONE_PROCESS,
    force: bool = False,
) -> Path | None:
    """Train a recipe; then the stages that it says, deeper and polished, in runs of their own.

    Args:
        recipe: what to train.
        folder: of the run; made, unless `resume`.
        resume: go on from where it stopped, in any stage.
        quiet: show no progress.
        placement: see `train`; later stages are for one process.
        force: replace another run in `folder`.

    Returns:
        The folder of the run that ends with the network asked for; of several processes, in the one
        that keeps the records.

    Raises:
        BadInput, Stopped, Diverged: see `gleam.runs.train.train`.
    """
    t = recipe.training
    if not (resume and (t.stages or t.polish) and _ended(folder)) and not train(
        recipe, folder, resume, quiet, placement, force
    ):
        return None
    alone, last = Placement(device=placement.device), folder
    for number, stage in enumerate(t.stages, 2):
        deeper = folder / f"stage-{number}"
        recipe = following(recipe, last, stage)
        if not _ended(deeper):
            train(recipe, deeper, run_folder.is_there(deeper), quiet, alone)
        last = deeper
    if t.polish:
        before, last = last, last / POLISHED
        if not _ended(last):
            known = run_folder.load_recipe(before)  # its steps are known by now
            train(polished(known, before, t.polish), last, run_folder.is_there(last), quiet, alone)
    return last


def _ended(folder: Path) -> bool:
    """Whether a run is there, and was trained to its last step."""
    return run_folder.is_there(folder) and run_folder.finished(
        folder, run_folder.load_recipe(folder).training.steps
    )
