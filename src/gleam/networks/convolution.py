"""Convolutions without biases that keep the size of the grid, or halve it, padded with zeros.

Where time is periodic, as in a gated cine, it is padded with the frames of the other end instead.
"""

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from gleam import precision

Dimensions = Literal[2, 3]


def convolution(
    inputs: int,
    outputs: int,
    kernel: int,
    dimensions: Dimensions,
    circular: bool = False,
    stride: int | tuple[int, ...] = 1,
) -> nn.Module:
    """A convolution (images, inputs, *grid) → (images, outputs, *grid).

    Args:
        inputs, outputs: channels.
        kernel: odd size along every axis.
        dimensions: 2 or 3, the length of `grid`.
        circular: the last axis of three is periodic.
        stride: of the outputs; with 2, ⌈n / 2⌉ of n positions are left, from the first one on.
    """
    kind: type[nn.Module] = nn.Conv2d if dimensions == 2 else nn.Conv3d
    padding = kernel // 2
    if circular and padding:
        kind = PeriodicConv3d
    elif stride == (2, 2, 2):
        kind = HalvingConv3d
    return kind(inputs, outputs, kernel, stride=stride, padding=padding, bias=False)


class HalvingConv3d(nn.Conv3d):
    """A convolution of stride 2 for grids whose last axis may be short.

    Where a single position is left along it, oneDNN returns NaN for bfloat16 on CPUs with AMX
    (seen with torch 2.13). So two are computed, and one is dropped.
    """

    def forward(
        self, x: Float[Tensor, "images inputs *grid"]
    ) -> Float[Tensor, "images outputs *half"]:
        """(images, inputs, *grid) → (images, outputs, *grid), half as long."""
        missing = max(0, 3 - x.shape[-1])
        result = super().forward(functional.pad(x, (0, missing)) if missing else x)
        return result[..., :1] if missing else result


class PeriodicConv3d(nn.Conv3d):
    """A convolution over (y, x, frame) whose frames are periodic, also if they are few.

    It keeps the frames that went in, not their padded copy: that is made again on the way back.
    """

    def forward(
        self, x: Float[Tensor, "images inputs *grid"]
    ) -> Float[Tensor, "images outputs *strided"]:
        """(images, inputs, *grid) → (images, outputs, *grid), shorter where it strides."""
        weight, dtype = self.weight, precision.within(x.device.type)
        if dtype is not None:  # here, so that what is kept is of this precision
            x, weight = x.to(dtype), weight.to(dtype)
        result: Tensor = _Periodic.apply(x, weight, self.stride, self.padding)  # type: ignore[no-untyped-call]
        return result


class _Periodic(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, stride: tuple[int, ...], padding: tuple[int, ...]
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        *space, frames = padding
        ctx.settings = stride, (*space, 0), frames
        padded = _padded(x, frames)
        return torch.conv3d(padded, weight, stride=stride, padding=(*space, 0))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        stride, padding, frames = ctx.settings
        of_padded, of_weight, _ = torch.ops.aten.convolution_backward(
            gradient,
            _padded(x, frames),
            weight,
            None,  # no bias
            stride,
            padding,
            (1, 1, 1),  # not dilated
            False,  # not transposed
            (0, 0, 0),
            1,  # one group
            (ctx.needs_input_grad[0], ctx.needs_input_grad[1], False),
        )
        if of_padded is None:
            return None, of_weight, None, None
        count = x.shape[-1]
        of_x: Tensor = of_padded.narrow(-1, frames, count)
        for t in _others(count, frames):
            of_x[..., t % count] += of_padded[..., t + frames]
        return of_x, of_weight, None, None


def _padded(x: Tensor, frames: int) -> Tensor:
    """x with so many more frames before and after, as if it went on periodically."""
    count = x.shape[-1]
    copies = [x.narrow(-1, t % count, 1) for t in _others(count, frames)]
    return torch.cat([*copies[:frames], x, *copies[frames:]], -1)


def _others(count: int, frames: int) -> list[int]:
    """The numbers of the frames beyond those there are: before them, and after."""
    return [*range(-frames, 0), *range(count, count + frames)]
