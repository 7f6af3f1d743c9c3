"""Memory that an image takes which is checked: it is made, rivalled, and predicted from less."""

from dataclasses import replace

import numpy as np

from gleam.data.example import Example
from gleam.data.holdout import Draw
from gleam.planning.inference import Needs, needs, needs_of
from gleam.planning.machine import Machine
from gleam.planning.uses import Use
from gleam.preparation.prepare import Prepared
from gleam.recipe import MaskRecipe
from gleam.reconstruction.check import USUAL, held_out_batch
from gleam.reconstruction.reconstructor import Reconstructor
from gleam.reconstruction.rivals import rival_of

_COPIES = 3  # of a slice's k-space, where the noise level of a stored scan is read again


def needs_checked(
    method: Reconstructor, example: Example, mask: MaskRecipe | None, machine: Machine, use: Use
) -> Needs:
    """Needs of what takes most: the image by the method, that by its rival, or the check of either.

    A check makes images one after the other; what is held out lies beside them.

    Raises:
        BadInput: see `needs`.
    """
    split = Draw(0, USUAL.share, USUAL.pattern)

    def predict(method: Reconstructor, example: Example) -> None:
        batch = held_out_batch(example, 0, mask, split, use.slab)
        image = method(batch.measurement).cpu()
        assert batch.heldout is not None
        batch.heldout.error(image)

    found = []
    for one in (method, rival_of(method, example)):
        check = needs_of(predict, one, example, machine, use)
        found.append(needs(one, example, mask, machine, use))
        found.append(replace(check, images=0, image=0, at_once=1))
    if not isinstance(example, Prepared) and not machine.is_gpu:
        again = _COPIES * 8 * int(np.prod(example.shape[1:]))
        found.append(replace(found[-1], each=again))
    weights = found[0].weights  # they lie there all the while
    return max((replace(one, weights=weights) for one in found), key=lambda one: one.peak)
