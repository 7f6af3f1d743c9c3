"""Reconstructors by the name that the command line calls RUN: a run, an exported network, or a
classical method."""

from pathlib import Path

from gleam.device import choose
from gleam.errors import BadInput
from gleam.physics.classical import CLASSICAL
from gleam.reconstruction.exported import SUFFIXES, Exported
from gleam.reconstruction.reconstructor import Classical, Reconstructor, Trained


def reconstructor(
    what: str,
    device: str = "auto",
    iterations: int | None = None,
    change: float | None = None,
    force: bool = False,
) -> Reconstructor:
    """The reconstructor that the command line calls RUN: a trained run, or a method without
    learning.

    Args:
        what: a run's folder, or an exported network, or one of `CLASSICAL`.
        device: see `gleam.device`.
        iterations, change, force: see `Trained`; the first two for a run only.

    Raises:
        BadInput: see `Trained.of`; or there is no such device.
    """
    place = choose(device)
    if what.endswith(SUFFIXES):
        if iterations is not None or change is not None:
            raise BadInput(
                f"{what}: is one program, which does not stop early; give a run's folder"
            )
        return Exported.of(Path(what), place, force)
    if what not in CLASSICAL:
        return Trained.of(Path(what), place, iterations, change, force)
    if iterations is not None or change is not None:
        raise BadInput(f"{what}: has no iterations to stop after; give a trained run")
    return Classical(what, CLASSICAL[what], device=place)
