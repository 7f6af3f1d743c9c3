"""The frame of every regulariser: a complex image in, a complex image out, real channels inside."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gleam import precision
from gleam.arrays import Image
from gleam.errors import BadInput
from gleam.networks.convolution import Dimensions
from gleam.networks.patches import Axis, Patch, boxes, patched


class Convolved(nn.Module):
    """A real network in the memory layout and precision that suit it.

    Args:
        cnn: maps (images, channel, y, x) to as many images, or (images, channel, y, x, frame) and
            (images, channel, y, x, z).
        dimensions: 2 or 3, axes that `cnn` convolves over.
        bf16: run `cnn` in bfloat16.
        circular: `cnn` takes the last axis of three for periodic.
        patch: positions along y x, z y x or frame y x that `cnn` is applied to at a time, periodic
            frames always to all; or "auto", see `boxes`. None for all at once. Then `cnn` has the
            methods `reach` and `alignment`, and for "auto" `features`, as `ResNet` has them.
    """

    def __init__(
        self,
        cnn: nn.Module,
        dimensions: Dimensions,
        bf16: bool = False,
        circular: bool = False,
        patch: Patch | None = None,
    ) -> None:
        super().__init__()
        self.dimensions = dimensions
        self.cnn = cnn.to(memory_format=self.layout)  # type: ignore[call-overload]
        self.bf16 = bf16
        self.circular = circular
        self.patch = patch

    @property
    def layout(self) -> torch.memory_format:
        """Channels last: real and imaginary parts lie side by side in memory already.

        So nothing is copied to make channels of them, and oneDNN and cuDNN convolve without
        reordering.
        """
        return torch.channels_last if self.dimensions == 2 else torch.channels_last_3d

    def forward(
        self, channels: Float[Tensor, "images inputs *grid"]
    ) -> Float[Tensor, "images outputs *grid"]:
        """(images, channel, *grid) → as many images, in the same precision."""
        if self.patch is None:
            return self._whole(channels)
        size = self._bytes_per_position(channels) if self.patch == "auto" else 0.0
        where = boxes(self._axes(channels), self.patch, size)
        if len(where) == 1:
            return self._whole(channels)
        return patched(self._whole, channels, where, self.cnn.parameters())

    def _whole(self, channels: Tensor) -> Tensor:
        if self.dimensions == 3:
            # The axis with few positions goes last. Of one image, torch hands only those with
            # channels · y · x > 20480 to oneDNN; what it does with others is twelve times as slow,
            # and takes 27 further feature maps.
            channels = channels.movedim(2, -1)
        channels = channels.contiguous(memory_format=self.layout)
        with precision.of_network(channels.device.type, self.bf16):
            change: Tensor = self.cnn(channels)
        change = change.to(channels.dtype)
        return change.movedim(-1, 2) if self.dimensions == 3 else change

    def reach(self, axis: int) -> int:
        """Number of positions to each side along an axis (x = −1, y = −2, z = −3) that `cnn`
        sees."""
        reach: int = self.cnn.reach(axis)
        return reach

    def alignment(self, axis: int) -> int:
        """Cut out of a volume from a multiple of this on, a part is treated as in the whole."""
        alignment: int = self.cnn.alignment(axis)
        return alignment

    def _axes(self, channels: Tensor) -> list[Axis]:
        grid = channels.shape[2:]
        return [
            Axis(length, self.reach(axis), self.alignment(axis), self.circular and axis == -3)
            for length, axis in zip(grid, range(-len(grid), 0), strict=True)
        ]

    def _bytes_per_position(self, channels: Tensor) -> float:
        features: float = self.cnn.features()
        return features * (2 if self.bf16 else channels.element_size()) * len(channels)


class Regulariser(Convolved):
    """R(x) = x + cnn(x, …): a real network applied to the real and imaginary parts as channels.

    Other images of the same shape that it is given are further channels of its input. In two
    dimensions frames are independent images; in three the network runs over z y x, or over
    (frame, y, x) of a cine. Everything around `cnn` stays complex64.

    >>> cnn = torch.nn.Conv2d(2, 2, 3, padding=1)  # 2 channels for each map set
    >>> gleam.Regulariser(cnn, dimensions=2)(gleam.zero_filled(A)).shape
    torch.Size([2, 1, 1, 32, 48])
    """

    def forward(self, image: Image, *others: Image) -> Image:
        """(batch, set, frame, *space) → the same shape."""
        images = torch.cat([image, *others], 1)
        channels = to_channels(images, self.dimensions, self.circular)
        return image + from_channels(super().forward(channels), image)


def to_channels(
    image: Image, dimensions: Dimensions, circular: bool = False
) -> Float[Tensor, "images channel *grid"]:
    """(batch, set, frame, *space) complex → (images, 2 · set, *grid) real.

    Raises:
        BadInput: `circular`, periodic frames, where the grid is z y x.
    """
    if circular and image.ndim > 5:
        raise BadInput(
            "network.regulariser.circular is for a grid of frame y x, but these are volumes "
            "(z y x); set it to false"
        )
    parts = torch.view_as_real(image.resolve_conj())
    parts = parts.movedim(-1, 2).flatten(1, 2)  # (batch, 2 · set, frame, *space)
    space = image.ndim - 3
    if dimensions == 2:  # frames (and z, if any) are independent images
        folded = parts.movedim(1, -3)
        return folded.reshape(-1, *folded.shape[-3:])
    if space == 3:  # z y x; frames are independent volumes
        return parts.movedim(2, 1).flatten(0, 1)
    return parts  # frame y x


def from_channels(channels: Float[Tensor, "images channel *grid"], like: Image) -> Image:
    """The inverse of `to_channels`; `like` is the image that went in."""
    batch, sets, frames, *space = like.shape
    if channels.ndim == 4:
        parts = channels.reshape(batch, frames, *space[:-2], 2 * sets, *space[-2:]).movedim(-3, 1)
    elif len(space) == 3:
        parts = channels.reshape(batch, frames, 2 * sets, *space).movedim(1, 2)
    else:
        parts = channels
    parts = parts.reshape(batch, sets, 2, frames, *space).movedim(2, -1)
    return torch.view_as_complex(parts.contiguous())
