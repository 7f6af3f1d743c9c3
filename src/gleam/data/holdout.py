"""The division of acquired samples; those of the centre, which calibrate the scan, are never held
out.

Samples are drawn in hybrid space: along an axis that was sampled in full and decoded, the mask may
vary while F does not run there. Of a scan undersampled along one axis, few lines lie outside its
centre, and a line need not be held out whole.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from gleam.data.example import Example
from gleam.data.masks import mask_seed, varying
from gleam.errors import BadInput
from gleam.recipe import HoldoutRecipe

Pattern = Literal["lines", "segments", "samples"]
PATTERNS: tuple[Pattern, ...] = get_args(Pattern)
SEGMENT = 16  # positions of a decoded axis that are held out together
LINES = 5  # outside the centre; with fewer, a mixture holds out none whole

Samples = Bool[Tensor, "#frame *#space"]


@dataclass(frozen=True)
class Split:
    """The division of a scan's samples into those that are given and those that are to be
    predicted.

    Attributes:
        recipe: how much is held out, and in which pattern.
        seed: of a training step's draw, from all but the guard; None holds out the guard itself.
        number: of the draw, where a step makes several; no two hold out the same sample.
    """

    recipe: HoldoutRecipe
    seed: int | None = None
    number: int = 0

    def __call__(
        self, example: Example, sampled: Samples, axes: Sequence[int]
    ) -> tuple[Samples, Samples]:
        """Masks of the samples that are given, and of those that are held out.

        Args:
            example: whose samples they are.
            sampled: all that may be used, shift-free along `axes`, of length 1 where it does not
                vary.
            axes: the space axes that F runs along.
        """
        space = example.shape[3:]
        inside = centre(space, axes, example.header.calibration)
        recipe, name = self.recipe, mask_seed(example.header.name)

        def drawn(samples: Samples, share: float, pattern: Pattern, *seed: int) -> Samples:
            return held_out(samples, inside, axes, space, share, pattern, seed)

        patterns = self._patterns(sampled & ~inside, axes)
        guard = drawn(sampled, recipe.guard, patterns[0], name)
        rest = sampled & ~guard
        if self.seed is None:
            return rest, guard
        seed, pattern = (name, self.seed), patterns[self.seed % len(patterns)]
        loss = _one_of_several(
            self.number,
            recipe.share,
            rest,
            lambda samples, share, number: drawn(samples, share, pattern, *seed, number),
        )
        return rest & ~loss, loss

    def _patterns(self, free: Samples, axes: Sequence[int]) -> Sequence[Pattern]:
        """The patterns that steps take in turn; the guard has the first."""
        if self.recipe.pattern != "mixed":
            return [self.recipe.pattern]
        return PATTERNS if _lines(free, axes).sum() >= LINES else PATTERNS[1:]


@dataclass(frozen=True)
class Draw:
    """One of several that hold out parts of a scan's samples, no sample twice.

    Attributes:
        number: of it, from 0 on.
        share: of the samples outside the centre that each of them holds out; at least one.
        pattern: see `held_out`.
    """

    number: int
    share: float
    pattern: Pattern

    def __call__(
        self, example: Example, sampled: Samples, axes: Sequence[int]
    ) -> tuple[Samples, Samples]:
        """Masks of the samples that are given, and of those that are held out; see `Split`. Nothing
        where nothing is left."""
        space = example.shape[3:]
        inside = centre(space, axes, example.header.calibration)
        name = mask_seed(example.header.name)
        drawn = _one_of_several(
            self.number,
            self.share,
            sampled,
            lambda samples, share, number: held_out(
                samples, inside, axes, space, share, self.pattern, (name, number)
            ),
        )
        if maps_of_average(example, sampled, axes):  # a position stays that no other frame has
            drawn = drawn & (sampled & ~drawn).any(0)
        return sampled & ~drawn, drawn


def maps_of_average(example: Example, sampled: Samples, axes: Sequence[int]) -> bool:
    """Whether maps come from the average over time: a series has no calibration region."""
    return len(sampled) > 1 and not all(example.header.calibration[axis] for axis in axes)


def check_split(example: Example, sampled: Samples, recipe: HoldoutRecipe) -> None:
    """Make sure that a scan has samples to hold out.

    Raises:
        BadInput: it has too few outside its centre.
    """
    axes = varying(sampled) or example.header.axes
    _, guard = Split(recipe)(example, sampled, axes)
    # A mixture begins with what there are fewest of.
    rest, loss = Split(recipe, 0)(example, sampled, axes)
    inside = centre(example.shape[3:], axes, example.header.calibration)
    if not (loss.any() and (rest & ~inside).any() and (guard.any() or not recipe.guard)):
        raise BadInput(
            f"{example.header.name}: has too few samples outside its calibration region for some "
            "to be held out; hold out segments or samples (holdout.pattern, of a recipe or gleam "
            "adapt), or prepare it with fewer calibration lines (gleam prepare --calibration)"
        )


def centre(space: Sequence[int], axes: Sequence[int], calibration: Sequence[int]) -> Samples:
    """The calibration region, shift-free along the axes in k-space, of length 1 along others.

    Args:
        space: sizes of the space axes.
        axes: those in k-space (x = −1, y = −2, z = −3).
        calibration: size of the region along each space axis.
    """
    inside = torch.ones([1] * (1 + len(space)), dtype=torch.bool)
    for axis in axes:
        length, size = space[axis], calibration[axis]
        along = torch.zeros(length, dtype=torch.bool)
        along[length // 2 - size // 2 : length // 2 - size // 2 + size] = True
        shape = [1] * (1 + len(space))
        shape[axis] = length
        inside = inside & torch.fft.ifftshift(along).reshape(shape)
    return inside


def held_out(
    sampled: Samples,
    within: Samples,
    axes: Sequence[int],
    space: Sequence[int],
    share: float,
    pattern: Pattern,
    seed: Sequence[int],
) -> Samples:
    """Draw samples to be held out.

    Args:
        sampled: what was acquired; shift-free along `axes`, of length 1 where it does not vary.
        within: the centre, of which none is taken.
        axes: the space axes in k-space.
        space: sizes of the space axes.
        share: of the lines, segments or samples outside the centre, to the nearest number, but at
            least one of them.
        pattern: lines: whole, along all decoded axes. segments: 16 positions of a line along the
            last decoded axis. samples: each by itself.
        seed: numbers that it depends on.

    Returns:
        Part of `sampled`, without any of `within`; (frame, *space), axes of length 1 where it does
        not vary.
    """
    random = np.random.default_rng([*seed])
    free = sampled & ~within
    decoded = [axis for axis in range(-len(space), 0) if axis not in axes]
    if pattern == "samples":
        return _some(free.expand(len(free), *space), share, random)
    if pattern == "lines" or not decoded:
        return _some(_lines(free, axes), share, random) & free
    axis = decoded[-1]
    length, first = space[axis], int(random.integers(SEGMENT))
    wide = [*free.shape]
    wide[axis] = -(-(length + first) // SEGMENT) * SEGMENT
    padded = torch.zeros(wide, dtype=torch.bool)
    padded.narrow(axis, first, length).copy_(free)
    segments = padded.reshape(*wide[:axis], -1, SEGMENT, *wide[len(wide) + axis + 1 :]).any(axis)
    drawn = _some(segments, share, random).repeat_interleave(SEGMENT, axis)
    return drawn.narrow(axis, first, length) & free


def _one_of_several(
    number: int, share: float, samples: Samples, draw: Callable[[Samples, float, int], Samples]
) -> Samples:
    """Samples that one of several draws holds out; each takes a share, and no two the same one.

    Args:
        number: from 0 on.
        share: that each draw takes.
        samples: that all of them draw from.
        draw: what is left, the share of it, a number → some of it.
    """
    rest, drawn = samples, torch.zeros_like(samples)
    for before in range(number + 1):
        rest = rest & ~drawn
        drawn = draw(rest, share / (1 - min(before * share, 1 - share)), before)
    return drawn


def _lines(free: Tensor, axes: Sequence[int]) -> Tensor:
    """The lines that any samples are of, of length 1 along all axes but those in k-space."""
    decoded = [axis for axis in range(1 - free.ndim, 0) if axis not in axes]
    return free.amax(dim=decoded, keepdim=True) if decoded else free


def _some(free: Tensor, share: float, random: np.random.Generator) -> Tensor:
    """A share of what is true, at least one."""
    places = free.flatten().nonzero().flatten().numpy()
    count = min(len(places), max(1, round(share * len(places)))) if share else 0
    drawn = torch.zeros(free.shape, dtype=torch.bool)
    drawn.view(-1)[torch.from_numpy(random.choice(places, count, replace=False))] = True
    return drawn
