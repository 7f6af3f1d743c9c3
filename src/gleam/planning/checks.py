"""Memory that an image takes which is checked: it is made, rivalled, and predicted from less."""

from dataclasses import replace

import numpy as np

from gleam.data.example import Example
from gleam.data.holdout import Draw
from gleam.planning.inference import Needs, needs, needs_of
from gleam.planning.machine import Machine
from gleam.planning.uses import Use
from gleam.preparation.noise_level import looked_at
from gleam.preparation.prepare import Prepared
from gleam.recipe import MaskRecipe
from gleam.reconstruction.check import USUAL, held_out_batch
from gleam.reconstruction.reconstructor import Reconstructor
from gleam.reconstruction.rivals import rival_of

# Where the noise level of a stored scan is read again: copies of a slice's k-space, and then of the
# lines that are looked at.
_READ, _LOOKED_AT = 6, 4


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
        kspace, lines = int(np.prod(example.shape[1:])), looked_at(example.shape)
        again = 8 * max(_READ * kspace, kspace + _LOOKED_AT * lines)
        found.append(replace(found[-1], each=again))
    weights = found[0].weights  # they lie there all the while
    return max((replace(one, weights=weights) for one in found), key=lambda one: one.peak)
