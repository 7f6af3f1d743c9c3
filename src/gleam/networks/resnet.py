"""The residual CNN inside an iteration (the regulariser of the GLEAM paper, section 4)."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from gleam.networks.convolution import Dimensions, convolution


class Act(nn.Module):
    """ReLU before a convolution, one feature map leaner in the backward pass than `nn.ReLU`.

    The gradient that arrives was made by that convolution and nobody else holds it, so it is
    masked in place.

    Args:
        inplace: overwrite the input too.
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, x: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """max(x, 0)."""
        result: Tensor = _ReLU.apply(x, self.inplace)  # type: ignore[no-untyped-call]
        return result


class _ReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, inplace: bool) -> Tensor:
        if inplace:
            ctx.mark_dirty(x)
        result = x.relu_() if inplace else x.relu()
        ctx.save_for_backward(result)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (result,) = ctx.saved_tensors
        torch.ops.aten.threshold_backward.grad_input(gradient, result, 0, grad_input=gradient)
        return gradient, None


def residual_block(
    width: int, kernel: int, dimensions: Dimensions, circular: bool = False
) -> nn.Module:
    """(act → convolution) × 2, which the input is to be added to."""
    one, other = (convolution(width, width, kernel, dimensions, circular) for _ in range(2))
    return nn.Sequential(Act(), one, Act(inplace=True), other)


class ResNet(nn.Module):
    """Convolution, residual blocks of (act → convolution) × 2, act, convolution; no norm.

    The first convolution is linear: an activation on the raw image would lose its sign. The last
    starts at zero, so an untrained network is the physics alone. Without biases the whole network
    is homogeneous, R(a·x) = a·R(x) for a > 0, so the brightness of a scan does not matter.

    Args:
        channels: that come out, 2 per map set (real and imaginary parts).
        width: features of the inner convolutions.
        blocks: residual blocks, two convolutions each.
        kernel: odd size of every convolution along every axis; padded with zeros.
        dimensions: 2 or 3.
        inputs: channels that go in; as many as come out, if not said.
        circular: the last axis of three is periodic, and so is its padding.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        blocks: int,
        kernel: int,
        dimensions: Dimensions,
        inputs: int | None = None,
        circular: bool = False,
    ) -> None:
        super().__init__()
        self.first = convolution(inputs or channels, width, kernel, dimensions, circular)
        self.blocks = nn.ModuleList(
            residual_block(width, kernel, dimensions, circular) for _ in range(blocks)
        )
        self.act = Act(inplace=True)
        self.last = convolution(width, channels, kernel, dimensions, circular)
        nn.init.zeros_(self.last.get_parameter("weight"))
        self.kernel, self.dimensions, self.width = kernel, dimensions, width

    def forward(
        self, x: Float[Tensor, "images channel *grid"]
    ) -> Float[Tensor, "images outputs *grid"]:
        """The change to the image."""
        x = self.first(x)
        for block in self.blocks:
            x = block(x).add_(x)  # in place: nothing before it is needed for a gradient
        change: Tensor = self.last(self.act(x))
        return change

    def reach(self, axis: int) -> int:
        """See `Convolved`."""
        convolutions = 2 + 2 * len(self.blocks)
        return convolutions * (self.kernel // 2) if axis >= -self.dimensions else 0

    def alignment(self, axis: int) -> int:
        """See `Convolved`."""
        return 1

    def features(self) -> float:
        """Numbers that training holds at once for each position of the grid.

        Of a block, what both convolutions are applied to; what the last one is applied to, and
        three more that are computed with.
        """
        return self.width * (2.0 * len(self.blocks) + 4)
