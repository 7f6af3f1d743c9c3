"""Methods that one is checked beside where the user names none, and where they stand in for it:
those that need no training."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from gleam.data.example import Example
from gleam.data.loader import SLAB
from gleam.errors import BadInput
from gleam.physics.classical import CLASSICAL, compressed_sensing_of
from gleam.recipe import MaskRecipe
from gleam.reconstruction.check import check
from gleam.reconstruction.checked import Check
from gleam.reconstruction.reconstruct import Reconstruction, reconstruct
from gleam.reconstruction.reconstructor import Classical, Reconstructor


def rival_of(method: Reconstructor, example: Example) -> Reconstructor:
    """Compressed sensing of the scan's kind: the floor that a network is to beat.

    Wavelets; total variation over time of a series. Of these themselves, CG-SENSE.
    """
    name = compressed_sensing_of(example.shape[2])
    name = "cg-sense" if method.name == name else name
    return Classical(name, CLASSICAL[name], device=method.device)


def image_of(
    method: Reconstructor,
    example: Example,
    mask: MaskRecipe | None = None,
    checks: bool = False,
    best: bool = False,
    progress: Callable[[int], None] = lambda done: None,
    at_once: int = 1,
    slab: int = SLAB,
) -> Reconstruction:
    """The image that a user gets who asks for a method's.

    A method on trial makes it only if a check without the truth ranks it first, its rival if that
    is not known.

    Args:
        method, example, mask, progress, at_once, slab: see `reconstruct`.
        checks: have the check of it beside `rival_of`, too; where none can be made, a doubt says
            why.
        best: make it by the method that the check ranks first, if it can rank the one given; of one
            on trial it is so always.

    Raises:
        BadInput: see `Reconstructor.check`.
    """
    make = partial(
        reconstruct, example=example, mask=mask, progress=progress, at_once=at_once, slab=slab
    )
    chooses = best or method.on_trial
    if not (checks or chooses):
        return make(method)
    rival = rival_of(method, example)
    otherwise = rival if method.on_trial else method
    methods = {one.name: one for one in (method, rival)}
    try:
        checked = check(methods, example, mask, progress=lambda done: progress(0), slab=slab)
    except BadInput as error:
        doubts = method.check(example, mask)
        by = f"; the image is by {rival.name}" if method.on_trial else ""
        return replace(make(otherwise), doubts=[*doubts, f"was not checked: {error}{by}"])
    chosen = methods[_best(method, checked) or otherwise.name] if chooses else method
    return replace(make(chosen), check=checked if checks else None, verdict=checked.verdict)


def _best(method: Reconstructor, checked: Check) -> str | None:
    """The name of the best, where that can be told of the method at all."""
    return None if checked[method.name].learnt else checked.best
