"""Methods that one is checked beside where the user names none: those that need no training."""

from collections.abc import Callable
from dataclasses import replace

from gleam.data.example import Example
from gleam.errors import BadInput
from gleam.physics.classical import CLASSICAL
from gleam.recipe import MaskRecipe
from gleam.reconstruction.check import check
from gleam.reconstruction.checked import Check
from gleam.reconstruction.reconstruct import Reconstruction, reconstruct
from gleam.reconstruction.reconstructor import Classical, Reconstructor


def rival_of(method: Reconstructor, example: Example) -> Reconstructor:
    """Compressed sensing of the scan's kind: the floor that a network is to beat.

    Wavelets; total variation over time of a series. Of these themselves, CG-SENSE.
    """
    name = "temporal-tv" if example.shape[2] > 1 else "wavelet"
    name = "cg-sense" if method.name == name else name
    return Classical(name, CLASSICAL[name], device=method.device)


def reconstruct_checked(
    method: Reconstructor,
    example: Example,
    mask: MaskRecipe | None,
    best: bool,
    progress: Callable[[int], None] = lambda done: None,
    at_once: int = 1,
) -> Reconstruction:
    """An image, and a check of it beside `rival_of`; where none can be made, a doubt says why.

    Args:
        method: how.
        example, mask, progress, at_once: see `reconstruct`.
        best: make it by the method that the check ranks first, if it can rank the one given.

    Raises:
        BadInput: see `Reconstructor.check`.
    """
    rival = rival_of(method, example)
    methods = {one.name: one for one in (method, rival)}
    try:
        checked = check(methods, example, mask, progress=lambda done: progress(0))
    except BadInput as error:
        image = reconstruct(method, example, mask, progress, at_once)
        return replace(image, doubts=[*image.doubts, f"was not checked: {error}"])
    chosen = _chosen(method, checked) if best else method.name
    image = reconstruct(methods[chosen], example, mask, progress, at_once)
    return replace(image, check=checked, verdict=checked.verdict)


def _chosen(method: Reconstructor, checked: Check) -> str:
    return method.name if checked.best is None or checked[method.name].learnt else checked.best
