"""What RUN means on the command line: a trained run, or the name of a classical method."""

from pathlib import Path

import torch

from gleam.reconstruction.baselines import cg_sense, zero_filled
from gleam.reconstruction.reconstructor import Reconstructor
from gleam.training.run import load_run

BASELINES = {"zero-filled": zero_filled, "cg-sense": cg_sense}


def reconstructor(run: str) -> Reconstructor:
    """The method, on the GPU if there is one.

    Args:
        run: a run's folder, or one of `BASELINES`.

    Raises:
        BadInput: the folder is not a run, or its files are broken.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if run in BASELINES:
        return Reconstructor(BASELINES[run], device, 1, run)
    recipe, network = load_run(Path(run))
    words = f"neural network, {recipe.network.family} of {recipe.network.iterations} iterations"
    return Reconstructor(network.to(device), device, recipe.network.sets, words)
