"""Held-out k-space samples: how well an image predicts what it was not reconstructed from.

With a part of the acquired samples held out, an image is judged by them and needs no ground truth:
as a loss this is self-supervised learning (SSDU: Yaman et al. 2020, Magn Reson Med 84; zero-shot:
Yaman et al. 2022, ICLR).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gleam.arrays import Image, KSpace, Scalar, narrow
from gleam.physics.sense import Sense


@dataclass(frozen=True)
class HeldOut:
    """Samples of a scan that its measurement leaves out.

    Attributes:
        sense: A, whose mask is that of these samples.
        kspace: y, shift-free; what the mask leaves out is ignored. It lies where the maps do.
    """

    sense: Sense
    kspace: KSpace

    @property
    def count(self) -> Float[Tensor, "batch"]:
        """Samples of each example, all coils together; at least 1."""
        like = self.kspace[:, :1].real
        sampled = (self.sense.mask > 0).expand(like.shape).flatten(1).sum(1)
        return (sampled * self.kspace.shape[1]).clamp_min(1).to(like.dtype)

    @property
    def heard(self) -> Float[Tensor, "batch"]:
        """Share of the coils that hold anything: noise is of these, others were switched off."""
        return (self.kspace != 0).flatten(2).any(2).to(self.kspace.real.dtype).mean(1)

    def squares(self, image: Image) -> Float[Tensor, "batch"]:
        """Σ |A x − y|² over the samples."""
        return _misfit(image, self)[1]

    def error(self, image: Image) -> Float[Tensor, "batch"]:
        """Root mean square of A x − y over the samples: σ for the true image."""
        return (self.squares(image) / self.count).sqrt()

    def energy(self) -> Float[Tensor, "batch"]:
        """Root mean square of y: the error of an image of zeros."""
        batch, sets, _, _, *space = self.sense.maps.shape
        shape = batch, sets, self.kspace.shape[2], *space
        return self.error(self.kspace.new_zeros(shape, device=self.sense.mask.device))

    def to(self, device: torch.device | str) -> "HeldOut":
        """The same on another device."""
        sense = self.sense.to(device)
        return HeldOut(sense, self.kspace.to(sense.maps.device, non_blocking=True))

    def part(self, axis: int, positions: range) -> "HeldOut":
        """Some positions along an axis that F does not run along."""
        sense, mask = self.sense, self.sense.mask
        maps = narrow(sense.maps, axis, positions)
        mask = narrow(mask, axis, positions) if mask.shape[axis] > 1 else mask
        return HeldOut(replace(sense, maps=maps, mask=mask), narrow(self.kspace, axis, positions))


@dataclass(frozen=True)
class HeldOutSlabs:
    """The same of a volume, of which one slab along its readout is in memory at a time.

    Attributes:
        part: some positions along `axis` → the samples there.
        axis: along which F does not run.
        slabs: positions that make up the volume.
        device: where the image is.
    """

    part: Callable[[range], HeldOut]
    axis: int
    slabs: Sequence[range]
    device: torch.device | str = "cpu"

    def error(self, image: Image) -> Float[Tensor, "batch"]:
        """See `HeldOut`."""
        return self._mean(lambda part, slab: part.squares(narrow(image, self.axis, slab)))

    def energy(self) -> Float[Tensor, "batch"]:
        """See `HeldOut`."""
        return self._mean(lambda part, _: part.energy().square() * part.count)

    @property
    def heard(self) -> Float[Tensor, "batch"]:
        """See `HeldOut`."""
        return self._mean(lambda part, _: part.heard * part.count).square()

    def to(self, device: torch.device | str) -> "HeldOutSlabs":
        """The same on another device."""
        return replace(self, device=device)

    def _mean(self, squares: Callable[[HeldOut, range], Tensor]) -> Tensor:
        total = count = torch.zeros(1, device=self.device)
        for slab in self.slabs:
            part = self.part(slab).to(self.device)
            total, count = total + squares(part, slab), count + part.count
        return (total / count).sqrt()


def prediction_loss(image: Image, heldout: HeldOut) -> Scalar:
    """Mean |A x − y| plus root mean square of A x − y over held-out samples, mean over the batch.

    Coils are taken one at a time, and two images are all that is kept for the backward pass.
    """
    absolute, squares = _misfit(image, heldout)
    count = heldout.count
    smallest = torch.finfo(squares.dtype).tiny  # an empty slab has no samples, and no slope
    return (absolute / count + (squares.clamp_min(smallest) / count).sqrt()).mean()


def _misfit(image: Image, heldout: HeldOut) -> tuple[Tensor, Tensor]:
    """Σ |A x − y| and Σ |A x − y|² of each example."""
    sums: tuple[Tensor, Tensor] = _Misfit.apply(image, heldout)  # type: ignore[no-untyped-call]
    return sums


class _Misfit(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor, heldout: HeldOut) -> tuple[Tensor, Tensor]:
        absolute = image.real.new_zeros(len(image))
        squares = torch.zeros_like(absolute)
        slopes = torch.zeros_like(image), torch.zeros_like(image)
        sense = heldout.sense
        kept = sense.mask > 0
        for coil in range(sense.maps.shape[2]):
            maps, kspace = (
                whole.narrow(axis, coil, 1).to(image.device, non_blocking=True)
                for whole, axis in ((sense.maps, 2), (heldout.kspace, 1))
            )
            one = replace(sense, maps=maps)
            residual = (one.forward(image) - kspace) * kept
            size = residual.abs()
            absolute += size.flatten(1).sum(1)
            squares += size.square().flatten(1).sum(1)
            if ctx.needs_input_grad[0]:
                slopes[0].add_(one.adjoint(residual.sgn()))
                slopes[1].add_(one.adjoint(residual), alpha=2)
        ctx.save_for_backward(*slopes)
        return absolute, squares

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        parts = [
            slope * gradient.reshape(-1, *[1] * (slope.ndim - 1))
            for slope, gradient in zip(ctx.saved_tensors, gradients, strict=True)
        ]
        return parts[0] + parts[1], None
