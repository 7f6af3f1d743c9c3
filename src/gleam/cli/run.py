"""What RUN means on the command line: a trained run, or the name of a classical method."""

from pathlib import Path

from gleam.device import choose
from gleam.errors import BadInput
from gleam.physics.classical import CLASSICAL
from gleam.reconstruction.early_exit import EarlyExit
from gleam.reconstruction.reconstructor import Reconstructor
from gleam.training.run import load_run, read_trained_on


def reconstructor(
    run: str,
    iterations: int | None = None,
    change: float | None = None,
    force: bool = False,
    device: str = "auto",
) -> Reconstructor:
    """The method, where it is to compute.

    Args:
        run: a run's folder, or one of `CLASSICAL`.
        iterations, change: see `EarlyExit`; for a run only.
        force: see `Reconstructor`.
        device: see `gleam.device`.

    Raises:
        BadInput: the folder is not a run, or its files are broken; it has fewer iterations.
    """
    place = choose(device)
    if run in CLASSICAL:
        if iterations is not None or change is not None:
            raise BadInput(f"{run}: has no iterations to stop after; give a trained run")
        return Reconstructor(CLASSICAL[run], place, 1, run)
    recipe, network = load_run(Path(run))
    most = recipe.network.iterations
    if iterations is not None and not 1 <= iterations <= most:
        raise BadInput(f"{run}: has {most} iterations, so --iterations is 1 to {most}")
    frozen, sizes = recipe.training.frozen, recipe.module_sizes()
    modules = [frozen, *sizes] if frozen else sizes
    if change is not None and len(modules) == 1:
        raise BadInput(
            f"{run}: was trained end-to-end, so it has an image at its end only and --until cannot "
            "stop it; give a greedy run"
        )
    words = f"neural network, {recipe.network.build or recipe.network.family} of {most} iterations"
    method = EarlyExit(network.to(place), modules, iterations, change)
    trained_on = read_trained_on(Path(run))
    return Reconstructor(method, place, recipe.network.sets, words, trained_on, run, force)
