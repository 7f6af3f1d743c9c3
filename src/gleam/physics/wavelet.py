"""An orthogonal wavelet transform in any dimension, and soft thresholding with it.

Daubechies' wavelet of two vanishing moments ("db2"), periodic at the edges. Coefficients lie as
Mallat has them: along each axis the low frequencies come first, and only the corner that is low
along every axis is split again, until an axis has no more levels.

Source: I. Daubechies, *Ten Lectures on Wavelets*, 1992, table 6.1; S. Mallat, IEEE PAMI 11, 1989.
"""

import math

import torch
from jaxtyping import Complex
from torch import Tensor

from gleam.arrays import AnyTensor
from gleam.physics.fourier import Axes

LEVELS = 4
COARSEST = 8  # positions that an axis keeps at its last level, at least

_ROOT = math.sqrt(3)
_LOW = tuple(n / (4 * math.sqrt(2)) for n in (1 + _ROOT, 3 + _ROOT, 3 - _ROOT, 1 - _ROOT))
_HIGH = (_LOW[3], -_LOW[2], _LOW[1], -_LOW[0])


def levels(size: int) -> int:
    """Number of times that an axis of so many positions is halved: at most `LEVELS`."""
    return max(level for level in range(LEVELS + 1) if level == 0 or size >> level >= COARSEST)


def transform(image: Complex[Tensor, "*any"], axes: Axes) -> Complex[Tensor, "*any"]:
    """The wavelet coefficients of an image; orthonormal.

    Args:
        image: along each of `axes`, of a size that 2 to the power of its `levels` divides.
        axes: those transformed, negative.
    """
    coefficients = image.clone()
    for corner, axis in _splits(coefficients, axes):
        corner.copy_(_split(corner, axis))
    return coefficients


def inverse(coefficients: Complex[Tensor, "*any"], axes: Axes) -> Complex[Tensor, "*any"]:
    """The image of wavelet coefficients; the inverse, and the adjoint, of `transform`."""
    image = coefficients.clone()
    for corner, axis in reversed(_splits(image, axes)):
        corner.copy_(_join(corner, axis))
    return image


def shrink(
    image: Complex[Tensor, "*any"],
    threshold: float | AnyTensor,
    axes: Axes,
    shift: tuple[int, ...],
) -> Complex[Tensor, "*any"]:
    """argmin ½‖x − image‖² + threshold · ‖W x‖₁, W the transform of x moved by `shift`.

    Moving the image by random amounts, another one in each iteration, keeps the grid of the
    wavelets from showing (Coifman & Donoho 1995; Figueiredo & Nowak 2003). A threshold for each
    example broadcasts against the image. Sizes that
    cannot be halved evenly are filled up with zeros first.
    """
    sizes = [image.shape[axis] for axis in axes]
    wide = torch.nn.functional.pad(image, _filling(image, axes))
    moved = transform(torch.roll(wide, shift, axes), axes)
    moved *= (1 - threshold / moved.abs().clamp_min(1e-30)).clamp_min_(0)
    wide = torch.roll(inverse(moved, axes), [-n for n in shift], axes)
    for axis, size in zip(axes, sizes, strict=True):
        wide = wide.narrow(axis, 0, size)
    return wide


def _filling(image: Tensor, axes: Axes) -> list[int]:
    """Zeros to append along each axis, as torch's `pad` wants them: the last axis first."""
    filling = [0] * (-2 * min(axes))
    for axis in axes:
        size = image.shape[axis]
        filling[2 * (-1 - axis) + 1] = -size % 2 ** levels(size)
    return filling


def _splits(array: Tensor, axes: Axes) -> list[tuple[Tensor, int]]:
    """Every part of the array that is split, and along which axis, in order."""
    splits, corner = [], array
    most = {axis: levels(array.shape[axis]) for axis in axes}
    for level in range(max(most.values())):
        halved = [axis for axis in axes if level < most[axis]]
        splits += [(corner, axis) for axis in halved]
        for axis in halved:
            corner = corner.narrow(axis, 0, corner.shape[axis] // 2)
    return splits


def _split(x: Tensor, axis: int) -> Tensor:
    """low[n] = Σ_k _LOW[k] x[2n + k], then high likewise."""
    pairs: Tensor = x.unflatten(axis, (-1, 2))  # type: ignore[no-untyped-call]
    even, odd = pairs.unbind(axis)
    taps = even, odd, even.roll(-1, axis), odd.roll(-1, axis)
    return torch.cat([_weighted(taps, _LOW), _weighted(taps, _HIGH)], axis)


def _join(x: Tensor, axis: int) -> Tensor:
    """The transpose of `_split`."""
    low, high = x.chunk(2, axis)
    parts = low, high, low.roll(1, axis), high.roll(1, axis)
    even, odd = (_weighted(parts, (_LOW[k], _HIGH[k], _LOW[k + 2], _HIGH[k + 2])) for k in (0, 1))
    return torch.stack([even, odd], axis).flatten(axis - 1, axis)


def _weighted(parts: tuple[Tensor, ...], weights: tuple[float, ...]) -> Tensor:
    total = parts[0] * weights[0]
    for part, weight in zip(parts[1:], weights[1:], strict=True):
        total.add_(part, alpha=weight)
    return total
