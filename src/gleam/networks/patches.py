"""A CNN applied patch by patch, forward and backward: one iteration need not fit into memory.

Source: Miller, Pirasteh & Johnson, "Memory efficient model based deep learning reconstructions for
high spatial resolution 3D non-Cartesian acquisitions", arXiv 2204.13862: the regulariser of an
unrolled iteration is applied to one patch after the other, each of them checkpointed, and data
consistency to the volume that they make. Here each patch is longer by a margin, as far as the CNN
looks, and begins at a position where the CNN's coarser grids have one, too; so patch by patch is
the whole, and nothing is approximated.

Of the forward pass the input is kept alone. In the backward pass the activations of one patch after
the other are computed again.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from gleam.arrays import narrow, slabs
from gleam.physics.slabs import widened

Patch = Literal["auto"] | tuple[int, ...]

MOST = 2**30  # bytes that the features of a patch may take where its size is not said


@dataclass(frozen=True)
class Along:
    """A patch along one axis.

    Attributes:
        core: the positions that it is there for.
        wide: those with its margin.
    """

    core: range
    wide: range

    @property
    def inner(self) -> range:
        """The core within it."""
        return range(self.core.start - self.wide.start, self.core.stop - self.wide.start)


Box = tuple[Along, ...]


@dataclass(frozen=True)
class Axis:
    """An axis of a grid that is cut.

    Attributes:
        length: positions.
        reach: how many positions to each side the CNN looks.
        alignment: a patch begins at a multiple of it.
        whole: it is not to be cut.
    """

    length: int
    reach: int
    alignment: int
    whole: bool = False

    def parts(self, size: int) -> list[Along]:
        """Cores of so many positions, as even as can be, with their margins."""
        length = self.length
        if self.whole or size >= length:
            return [Along(range(length), range(length))]
        even = math.ceil(length / math.ceil(length / size))
        found = []
        for core in slabs(length, min(size, self.rounded(even))):
            found.append(Along(core, widened(core, self.reach, self.alignment, length)))
        return found

    def rounded(self, size: int) -> int:
        """Up to a multiple of the alignment."""
        return -(-size // self.alignment) * self.alignment

    def longest(self, size: int) -> int:
        """Positions of the longest part."""
        return max(len(part.wide) for part in self.parts(size))


def boxes(axes: Sequence[Axis], patch: Patch, bytes_per_position: float) -> list[Box]:
    """All patches of a grid.

    Args:
        axes: of the grid.
        patch: positions of a core along each; or "auto", the fewest patches whose features take at
            most 1 GiB each, or as little as they can.
        bytes_per_position: that the features of the CNN take.
    """
    sizes = _chosen(axes, bytes_per_position) if patch == "auto" else patch
    parts = [axis.parts(size) for axis, size in zip(axes, sizes, strict=True)]
    return [*product(*parts)]


def _chosen(axes: Sequence[Axis], bytes_per_position: float) -> list[int]:
    sizes = [axis.length for axis in axes]
    while True:
        longest = [axis.longest(size) for axis, size in zip(axes, sizes, strict=True)]
        if math.prod(longest) * bytes_per_position <= MOST:
            return sizes
        # To cut what is not longer than its margins costs more than it saves.
        may = [
            n
            for n, axis in enumerate(axes)
            if not axis.whole and sizes[n] > max(2 * axis.reach, axis.alignment)
        ]
        if not may:
            return sizes
        n = max(may, key=lambda n: sizes[n])
        axis, count = axes[n], math.ceil(axes[n].length / sizes[n]) + 1
        even = axis.rounded(math.ceil(axis.length / count))
        sizes[n] = min(even, axis.rounded(sizes[n]) - axis.alignment)


def patched(
    function: Callable[[Tensor], Tensor],
    channels: Float[Tensor, "images inputs *grid"],
    where: Sequence[Box],
    weights: Iterable[nn.Parameter],
) -> Float[Tensor, "images outputs *grid"]:
    """Output of a function of (images, channel, *grid), patch by patch.

    Args:
        function: to as large a grid; it looks no further than the margins.
        channels: what it is applied to.
        where: patches that together are the grid.
        weights: that it uses.
    """
    result: Tensor = _Patched.apply(channels, function, where, *weights)  # type: ignore[no-untyped-call]
    return result


class _Patched(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        channels: Tensor,
        function: Callable[[Tensor], Tensor],
        where: Sequence[Box],
        *weights: nn.Parameter,
    ) -> Tensor:
        ctx.save_for_backward(channels)
        ctx.function, ctx.where, ctx.weights = function, where, weights
        result = None
        for box in where:
            part = function(_cut(channels, [along.wide for along in box]))
            if result is None:  # real and imaginary parts side by side, as in an image
                shape = channels.shape[0], *channels.shape[2:], part.shape[1]
                result = part.new_empty(shape).movedim(-1, 1)
            inner = _cut(part, [along.inner for along in box])
            _cut(result, [along.core for along in box]).copy_(inner)
        assert result is not None
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (channels,) = ctx.saved_tensors
        of_channels = torch.zeros_like(channels) if ctx.needs_input_grad[0] else None
        learnt = [weight for weight in ctx.weights if weight.requires_grad]
        of_weights: dict[nn.Parameter, Tensor] = {}
        for box in ctx.where:
            wide, inner = [along.wide for along in box], [along.inner for along in box]
            part = _cut(channels, wide).detach().requires_grad_(of_channels is not None)
            with torch.enable_grad():
                output = _cut(ctx.function(part), inner)
            wanted = [part, *learnt] if of_channels is not None else learnt
            of_core = _cut(gradient, [along.core for along in box])
            found = [*torch.autograd.grad(output, wanted, of_core, allow_unused=True)]
            if of_channels is not None:
                _cut(of_channels, wide).add_(found.pop(0))
            for weight, of_weight in zip(learnt, found, strict=True):
                if weight in of_weights:
                    of_weights[weight].add_(of_weight)
                elif of_weight is not None:
                    of_weights[weight] = of_weight
        return of_channels, None, None, *(of_weights.get(weight) for weight in ctx.weights)


def _cut(array: Tensor, positions: Sequence[range]) -> Tensor:
    for axis, along in zip(range(-len(positions), 0), positions, strict=True):
        array = narrow(array, axis, along)
    return array
