"""A check that needs no truth: how well images predict samples that they were not reconstructed
from.

Some of the acquired samples outside the centre are held out; every method reconstructs from the
rest, and its image, through the coils, must predict them. Nothing has seen what is held out: the
scan is calibrated without it (`gleam.reconstruction.without`). Several draws hold out different
samples; the slices of a stack have them in turn, a single slice or a volume all of them.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import cache

import torch
from torch import Tensor

from gleam.data.batch import Batch
from gleam.data.collate import Item, collate, masks_of
from gleam.data.example import Example, on_disk
from gleam.data.holdout import Draw, centre, maps_of_average
from gleam.data.loader import SLAB
from gleam.data.masks import mask_seed
from gleam.data.volume import collate_volume
from gleam.errors import BadInput
from gleam.recipe import MaskRecipe
from gleam.reconstruction.checked import Check, Plan
from gleam.reconstruction.reconstructor import Reconstructor
from gleam.reconstruction.verdict import Trial, judged
from gleam.reconstruction.without import without

USUAL = Plan()

Seen = Callable[[int, str, Tensor], None]


def check(
    methods: Mapping[str, Reconstructor],
    example: Example,
    mask: MaskRecipe | None = None,
    plan: Plan = USUAL,
    progress: Callable[[int], None] = lambda done: None,
    seen: Seen = lambda index, method, image: None,
    slab: int = SLAB,
) -> Check:
    """Hold out, reconstruct, predict.

    Args:
        methods: at least one, by name.
        example: a prepared scan, on disk or not.
        mask: undersample a fully sampled scan first; None takes it as it was acquired.
        plan: what is held out.
        progress: called with the number of rounds done, see `Plan`.
        seen: called with every image (set, frame, *space), in the scan's intensities, and with the
            slice and the method that it is of.
        slab: see `gleam.reconstruction.reconstruct.reconstruct`.

    Raises:
        BadInput: a method is not for the scan; there is nothing to hold out, or too little; or
            an image is not finite.
    """
    trials = {
        name: Trial(name, method, method.check(example, mask), method.learnt_from(example))
        for name, method in methods.items()
    }
    _check_samples(example, mask, plan)
    energies, noises, done = dict[int, list[float]](), list[float](), 0
    for split, slices, left in _without_each_draw(example, mask, plan):
        noise = left.header.noise
        for index in slices:
            batch = held_out_batch(left, index, mask, split, slab)
            assert batch.heldout is not None
            energies.setdefault(split.number, []).append(float(batch.heldout.energy().square()))
            heard = float(batch.heldout.heard)
            noises.append(math.nan if noise is None else heard * noise**2)
            for name, trial in trials.items():
                start = time.perf_counter()
                image = trial.method(batch.measurement).cpu()
                seconds = time.perf_counter() - start
                if not torch.view_as_real(image).isfinite().all():
                    raise BadInput(f"{name}: its image of {left.header.name} is not finite")
                error = float(batch.heldout.error(image).square())
                trial.add(split.number, error, seconds)
                seen(index, name, image[0] * left.header.scale)
            done += 1
            progress(done)
    return judged(example.header.name, plan, energies, noises, list(trials.values()))


def _without_each_draw(
    example: Example, mask: MaskRecipe | None, plan: Plan
) -> Iterator[tuple[Draw, range, Example]]:
    """Every draw, the slices that have it, and the scan as it is known without what it holds out.

    What no draw changes, as a rule all but the noise level, is prepared once for all of them.
    """
    with ExitStack() as stack:
        again = plan.draws > example.shape[0]
        prepared = cache(lambda: stack.enter_context(on_disk(example, again)))
        for number, slices in plan.turns(example.shape[0]):
            split = Draw(number, plan.share, plan.pattern)
            given, _, axes = _split(example, mask, split)
            with on_disk(without(example, given, axes, prepared)) as left:
                yield split, slices, left


def _check_samples(example: Example, mask: MaskRecipe | None, plan: Plan) -> None:
    """Make sure that a scan was undersampled, and that there are samples to hold out.

    Raises:
        BadInput: it was not, or there are too few.
    """
    name = example.header.name
    if mask is None and example.complete:
        raise BadInput(
            f"{name}: was sampled in full, so there is nothing that its image has to guess, and "
            "nothing to check; gleam check with --acceleration checks methods on it as if it were "
            "undersampled"
        )
    for draw in range(plan.draws):
        given, held, axes = _split(example, mask, Draw(draw, plan.share, plan.pattern))
        inside = centre(example.shape[3:], axes, example.header.calibration)
        if not held.any() and maps_of_average(example, given, axes):
            raise BadInput(
                f"{name}: has too few positions of k-space that several frames sampled for "
                f"{plan.draws} draws to hold some out (what one frame alone has stays: maps are of "
                "the average over time); gleam check takes fewer --draws, and cannot check the "
                "scan where one is too many"
            )
        if not (held.any() and (given & ~inside).any()):
            raise BadInput(
                f"{name}: has too few samples outside its calibration region for {plan.draws} "
                "draws to hold some out; gleam check takes fewer --draws, or holds out segments or "
                "samples with --pattern"
            )


def sets_of(methods: Mapping[str, Reconstructor]) -> int:
    """Number of map sets that a scan is prepared with for all methods; others than networks take
    any.

    Raises:
        BadInput: networks want different ones.
    """
    wanted = {method.sets: name for name, method in methods.items() if method.learns}
    if len(wanted) > 1:
        one, other = list(wanted.values())[:2]
        raise BadInput(f"{one} and {other} want different map sets (network.sets); name them apart")
    return next(iter(wanted), 1)


def _split(
    example: Example, mask: MaskRecipe | None, split: Draw
) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    item = Item(example, 0, mask_seed(example.header.name))
    (sampled,), axes = masks_of([item], mask)
    return *split(example, sampled, axes), axes


def held_out_batch(
    example: Example, index: int, mask: MaskRecipe | None, split: Draw, slab: int = SLAB
) -> Batch:
    """A slice, or a volume in slabs, with what a draw holds out of it."""
    item = Item(example, index, mask_seed(example.header.name), split=split)
    if example.header.slab_axis is None:
        return collate([item], mask)
    return collate_volume(item, mask, slab)
