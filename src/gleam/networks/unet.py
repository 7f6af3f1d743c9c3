"""The U-Net inside an iteration: the residual CNN at several resolutions (arXiv 1505.04597).

What a coarser level finds is added to the finer one rather than put beside it: levels are residual
blocks of each other, and no copy of two levels' features is kept.
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from gleam.networks.convolution import Dimensions, convolution
from gleam.networks.resnet import Act, residual_block


class UNet(nn.Module):
    """Convolution, levels of residual blocks, act, convolution; no norm, no bias.

    At each level blocks come before the coarser level and after it, as nearly as many; the coarser
    has half the positions along every axis and twice the features. It takes any size: of n
    positions ⌈n / 2⌉ are left, the first one among them. Periodic frames are not halved, so that
    they stay periodic, however many there are.

    As in `ResNet`, the first convolution is linear, the last starts at zero, and the network is
    homogeneous.

    Args:
        channels: that come out, 2 per map set (real and imaginary parts).
        width: features of the finest level.
        blocks: residual blocks of each level, two convolutions each.
        kernel: odd size of the convolutions along every axis.
        dimensions: 2 or 3.
        inputs: channels that go in; as many as come out, if not said.
        circular: the last axis of three is periodic.
        levels: how often the grid is halved.
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
        levels: int = 2,
    ) -> None:
        super().__init__()
        self.first = convolution(inputs or channels, width, kernel, dimensions, circular)
        self.level = _Level(width, blocks, kernel, dimensions, levels, circular)
        self.act = Act(inplace=True)
        self.last = convolution(width, channels, kernel, dimensions, circular)
        nn.init.zeros_(self.last.get_parameter("weight"))
        self.kernel, self.dimensions = kernel, dimensions
        self.halved = range(-2 if circular else -dimensions, 0)
        self.levels = levels
        self.width = width

    def forward(
        self, x: Float[Tensor, "images channel *grid"]
    ) -> Float[Tensor, "images outputs *grid"]:
        """The change to the image."""
        change: Tensor = self.last(self.act(self.level(self.first(x))))
        return change

    def reach(self, axis: int) -> int:
        """See `Convolved`."""
        if axis < -self.dimensions:
            return 0
        step = self.kernel // 2
        return 2 * step + self.level.reach(step, axis in self.halved)

    def alignment(self, axis: int) -> int:
        """See `Convolved`."""
        return 2**self.levels if axis in self.halved else 1

    def features(self) -> float:
        """See `ResNet`; a coarser level has twice as many, at fewer positions."""
        return self.width * (self.level.maps(2.0 ** (1 - len(self.halved))) + 4)


class _Level(nn.Module):
    def __init__(
        self,
        width: int,
        blocks: int,
        kernel: int,
        dimensions: Dimensions,
        coarser: int,
        circular: bool,
    ) -> None:
        super().__init__()
        of_blocks = width, kernel, dimensions, circular
        before = (blocks + 1) // 2 if coarser else blocks
        self.before = nn.ModuleList(residual_block(*of_blocks) for _ in range(before))
        self.after = nn.ModuleList(residual_block(*of_blocks) for _ in range(blocks - before))
        self.coarser: _Level | None = None
        if coarser:
            stride = (2, 2, 1) if circular else (2,) * dimensions
            down = convolution(width, 2 * width, kernel, dimensions, circular, stride)
            up = convolution(2 * width, width, kernel, dimensions, circular)
            self.down = nn.Sequential(Act(), down)
            self.coarser = _Level(2 * width, blocks, kernel, dimensions, coarser - 1, circular)
            self.up = nn.Sequential(Act(inplace=True), up)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.before:
            x = block(x).add_(x)
        if self.coarser is not None:
            found = self.up(self.coarser(self.down(x)))
            x = functional.interpolate(found, x.shape[2:]).add_(x)  # each position is repeated
        for block in self.after:
            x = block(x).add_(x)
        return x

    def maps(self, share: float) -> float:
        """Number of maps kept, in this level's size; `share` is the coarser's part of it."""
        of_blocks = 2.0 * (len(self.before) + len(self.after))
        if self.coarser is None:
            return of_blocks
        return of_blocks + 1 + share * (self.coarser.maps(share) + 1)

    def reach(self, step: int, halved: bool) -> int:
        """Reach in positions of this level; `step` is that of a convolution."""
        of_blocks = 2 * step * (len(self.before) + len(self.after))
        if self.coarser is None:
            return of_blocks
        coarser = self.coarser.reach(step, halved) + step
        return of_blocks + step + (2 * coarser + 1 if halved else coarser)
