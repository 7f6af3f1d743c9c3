"""Similarity of neighbouring and of all frames of a series, as proximal maps.

Temporal total variation: a pixel stays as it is, but for a few changes. Local low rank: in a small
block, the pixels' courses over time are mixtures of a few.
"""

import math

import torch
from torch import Tensor

from gleam.arrays import AnyTensor, Image

BLOCK = 8  # positions along each space axis


class TotalVariation:
    """argmin ½‖x − z‖² + weight · Σ_t |x_{t+1} − x_t|, the sum over pixels and map sets, too.

    The last frame is followed by the first, as in a gated cine; one more jump costs others little.

    By fast projected gradients on the dual (Beck & Teboulle, IEEE TIP 18, 2009). Calls one after
    the other start where the last one ended, so a few steps each are enough.

    Args:
        weight: of the total variation; one for each example broadcasts against z.
        steps: of each call.
    """

    def __init__(self, weight: float | AnyTensor, steps: int = 5) -> None:
        self.weight, self.steps = weight, steps
        self._dual: Tensor | None = None

    def __call__(self, z: Image) -> Image:
        """(batch, set, frame, *space) to the same."""
        if z.shape[2] == 1:
            return z
        dual = torch.zeros_like(z) if self._dual is None else self._dual
        ahead, t = dual, 1.0
        for _ in range(self.steps):
            x = z - _transposed(ahead)
            change = x.roll(-1, 2) - x
            before, dual = dual, torch.add(ahead, change, alpha=0.25)  # ‖D‖² ≤ 4
            dual *= (self.weight / dual.abs().clamp_min(1e-30)).clamp_max_(1)
            previous, t = t, (1 + math.sqrt(1 + 4 * t * t)) / 2
            ahead = torch.add(dual, dual - before, alpha=(previous - 1) / t)
        self._dual = dual
        return z - _transposed(dual)


def _transposed(dual: Tensor) -> Tensor:
    """Dᴴ of D, the differences of neighbouring frames."""
    return dual.roll(1, 2) - dual


def shrink_blocks(z: Image, threshold: float | AnyTensor, shift: tuple[int, ...]) -> Image:
    """Singular values of every block, as a matrix (pixel, frame), less the threshold.

    The proximal map of threshold · Σ_block ‖x_block‖, nuclear norms, on a grid of blocks
    moved by `shift` (Trzasko & Manduca, Asilomar 2011; Zhang, Pauly & Levesque, MRM 73, 2015).

    Args:
        z: (batch, set, frame, *space).
        threshold: what singular values lose; one for each example has the axes of z.
        shift: of the grid along each space axis.
    """
    space = z.shape[3:]
    axes = tuple(range(-len(space), 0))
    filling = [n for size in reversed(space) for n in (0, -size % BLOCK)]
    wide = torch.roll(torch.nn.functional.pad(z, filling), shift, axes)
    blocks = wide
    for axis in range(3, z.ndim):
        blocks = blocks.unfold(axis, BLOCK, BLOCK)
    order = (0, 1, *range(3, z.ndim), *range(z.ndim, blocks.ndim), 2)
    grid = blocks.permute(order)
    matrices = grid.reshape(*grid.shape[: z.ndim - 1], -1, z.shape[2])
    tall = matrices if matrices.shape[-2] >= matrices.shape[-1] else matrices.mH
    energies, vectors = torch.linalg.eigh(tall.mH @ tall)  # of the pixels, where they are fewer
    values = energies.clamp_min(0).sqrt()
    if isinstance(threshold, Tensor):  # (batch, set, *block, value)
        threshold = threshold.reshape(-1, *[1] * (values.ndim - 1))
    kept = (1 - threshold / values.clamp_min(1e-30)).clamp_min(0).to(z.dtype)
    shrunk = tall @ (vectors * kept[..., None, :]) @ vectors.mH
    matrices = shrunk if tall is matrices else shrunk.mH
    grid = matrices.reshape(grid.shape)
    dims = len(space)
    # (batch, set, blocks…, within…, frame) → (batch, set, frame, block, within, block, within, …)
    pairs = [a for n in range(dims) for a in (2 + n, 2 + dims + n)]
    wide = grid.permute(0, 1, grid.ndim - 1, *pairs).reshape(wide.shape)
    wide = torch.roll(wide, [-n for n in shift], axes)
    for axis, size in zip(axes, space, strict=True):
        wide = wide.narrow(axis, 0, size)
    return wide
