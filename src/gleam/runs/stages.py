"""Training in stages, each a run of its own that starts from the one before.

*Growing* appends iterations to a trained network and trains only those: the memory is that of one
module, whatever the depth. *Polishing* trains a greedy network end-to-end for a few steps, under
checkpointing.
"""

import math
from pathlib import Path

from gleam.parallel.placement import ONE_PROCESS, Placement
from gleam.recipe import END_TO_END, Recipe
from gleam.runs import folder as run_folder
from gleam.runs.train import train

POLISHED = "polished"  # folder inside a run
GENTLER = 3  # times lower is the learning rate of polishing: the network is nearly there


def grown(recipe: Recipe, start: Path, iterations: int) -> Recipe:
    """What appends iterations to a run, in modules as long as its longest.

    Args:
        recipe: of the run.
        start: its folder.
        iterations: how many to append.
    """
    before = recipe.network.iterations
    training = {
        "start": start,
        "frozen": before,
        "modules": math.ceil(iterations / max(recipe.module_sizes())),
        "overlap": 0,
        "loss_weights": "flat",
        "polish": 0,
    }
    return recipe.changed(network={"iterations": before + iterations}, training=training)


def polished(recipe: Recipe, start: Path, steps: int) -> Recipe:
    """What polishes a run: its whole network, end-to-end.

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
    """Train a recipe; if it says so, polish the network in a run of its own inside the first.

    Args:
        recipe: what to train.
        folder: of the run; made, unless `resume`.
        resume: go on from where it stopped, in either stage.
        quiet: show no progress.
        placement: see `train`; who polishes is alone.
        force: replace another run in `folder`.

    Returns:
        The folder of the run that ends with the network asked for; of several processes, in the one
        that keeps the records.

    Raises:
        BadInput, Stopped, Diverged: see `gleam.runs.train.train`.
    """
    done = resume and recipe.training.polish and run_folder.finished(folder, recipe.training.steps)
    if not done and not train(recipe, folder, resume, quiet, placement, force):
        return None
    steps = recipe.training.polish
    if not steps:
        return folder
    last = folder / POLISHED
    recipe = run_folder.load_recipe(folder)  # its steps are known by now
    if not run_folder.finished(last, steps):
        alone = Placement(device=placement.device)
        train(polished(recipe, folder, steps), last, run_folder.is_there(last), quiet, alone)
    return last
