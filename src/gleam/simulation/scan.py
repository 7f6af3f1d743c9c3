"""One simulated scan: anatomy seen by coils, encoded, with noise."""

import math

import numpy as np

from gleam.errors import BadInput
from gleam.formats.scan import Scan, centred_affine
from gleam.simulation.acquire import acquire, draw_receiver, generator
from gleam.simulation.anatomy import OVERSIZED, draw_anatomy
from gleam.simulation.coils import SimulatedCoils
from gleam.simulation.heart import draw_beating_heart

_FINER = 2  # grid points of the anatomy per voxel, along every axis
_MOST = 2**25  # grid points: beyond, a few copies of them take gigabytes
_SMALLEST = 16  # voxels along an axis
_FEWEST_FRAMES = 4


def simulate_scan(
    shape: tuple[int, ...],
    coils: int | tuple[int, int],
    slices: int,
    snr: float | tuple[float, float],
    seed: int | tuple[int, ...],
    oversampling: int = 2,
    name: str = "simulated",
    frames: int = 1,
    oversized: float = OVERSIZED,
) -> Scan:
    """A fully sampled scan of procedural anatomy; every slice shows another one.

    With several frames it is a beating heart, over one cycle.

    The anatomy lives on a grid twice as fine as the voxels, and k-space is the central part of its
    spectrum, so the image has partial volume and Gibbs ringing as real ones have. Of volumes so
    large that this grid would have more than 2²⁵ points, it is as fine as these allow, but no
    coarser than the voxels. The readout is the first axis. White complex Gaussian noise is added to
    k-space.

    Args:
        shape: voxels, `y x` or `z y x`.
        coils: how many, or the (lowest, highest) number to draw from.
        slices: how many; 1 when `shape` is `z y x`.
        snr: signal-to-noise ratio, or the (lowest, highest) to draw from, uniform in its logarithm.
            See `acquire`; it is also the signal-to-noise ratio, so defined, of the SENSE
            combination, where the sensitivities' root sum of squares is 1.
        seed: the same seed gives the same scan.
        oversampling: field of view along the readout over that of `shape`.
        name: name of the scan.
        frames: 1, or 4 or more of a 2D series.
        oversized: share of slices, or volumes, whose body is larger than the field of view. One map
            set does not describe such a scan (Uecker et al., MRM 71, 2014).

    Raises:
        BadInput: a size or ratio that cannot be simulated.
    """
    _check(shape, slices, oversampling, frames, oversized)
    rng = generator(seed)
    count, ratio = draw_receiver(coils, snr, rng)
    field_of_view, thickness = rng.uniform(180, 260), rng.uniform(2, 5)

    finer = max(1, min(_FINER, (_MOST / math.prod(shape)) ** (1 / len(shape))))
    fine = tuple(round(n * finer) for n in shape)
    maps = SimulatedCoils(fine, count, rng)
    if frames == 1:
        anatomies = [draw_anatomy(fine, rng, oversized)[None] for _ in range(slices)]
    else:
        anatomies = [draw_beating_heart(fine, frames, rng, oversized) for _ in range(slices)]
    space, wide = ((n[0] * oversampling, *n[1:]) for n in (shape, fine))
    kspace = acquire(anatomies, maps, count, space, wide, ratio, rng)

    contrast: dict[str, str | float] = {"acquisition": "simulated", "SNR": ratio}
    if frames > 1:
        contrast["frame_time"] = rng.uniform(600, 1200) / frames  # 50 to 100 beats a minute
    voxel = (field_of_view / max(shape),) * len(shape)
    if len(shape) == 2:
        voxel = (*voxel, thickness)
    return Scan(
        name=name,
        kspace=kspace,
        sampled=np.ones((1,) * (1 + len(shape)), bool),
        readout=0,
        matrix=shape,
        voxel=voxel,
        affine=centred_affine(shape, voxel, slices),
        thickness=thickness if len(shape) == 2 else None,
        calibration=tuple((0, n) for n in space),
        contrast=contrast,
    )


def _check(
    shape: tuple[int, ...], slices: int, oversampling: int, frames: int, oversized: float
) -> None:
    def demand(holds: bool, what: str) -> None:
        if not holds:
            raise BadInput(f"simulate: {what}")

    demand(len(shape) in (2, 3), f"shape {shape} has {len(shape)} axes; give y x or z y x")
    demand(min(shape) >= _SMALLEST, f"shape {shape} is too small; use {_SMALLEST} or more")
    demand(slices >= 1, f"slices is {slices}; use 1 or more")
    demand(
        slices == 1 or len(shape) == 2,
        f"{slices} slices of a 3D shape {shape}; use slices 1, or a shape y x",
    )
    demand(
        frames == 1 or (frames >= _FEWEST_FRAMES and len(shape) == 2),
        f"{frames} frames of shape {shape}; use 1, or {_FEWEST_FRAMES} or more of a shape y x",
    )
    demand(oversampling >= 1, f"oversampling is {oversampling}; use 1 or more")
    demand(0 <= oversized <= 1, f"oversized is {oversized}; use a share, from 0 to 1")
