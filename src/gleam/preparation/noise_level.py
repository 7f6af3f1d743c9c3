"""The noise of a scan's coils, and what makes it white: from a noise scan, or from the scan itself.

A noise scan tells the covariance. Without one the level of every coil is read off the acquired
lines farthest from the centre of k-space, or, where these do not tell, off the ends of the
calibration region (`gleam.physics.noise`); where levels differ clearly, coils are scaled to the
same one.
"""

import math

import numpy as np
import torch
from jaxtyping import Complex, Float
from numpy.typing import NDArray
from torch import Tensor

from gleam.arrays import centre
from gleam.errors import BadInput
from gleam.formats.lazy import each_coil
from gleam.formats.scan import Array, Scan
from gleam.physics.coils import mix, whitening_matrix
from gleam.physics.fourier import centred, fft, ifft, shift_free
from gleam.physics.noise import Blocks, Lines, noise_levels

_SLICES = 4  # that are looked at
_LINES = 512  # of all of them, along each axis
_MOST = 2**23  # samples of all coils, 64 MB
_SHORTEST = 16  # samples of a line
_PLANES = 4  # of all slices, whose ends are looked at
_TALL, _LONG = (16, 24), (16, 48)  # lines and samples of a block, at least and at most
_ALONE = 2**13  # samples, where there are no lines
_UNEQUAL = 1.5  # ratio of coils' levels; estimates of equal ones differ by less
_AVERAGED = 0.7  # of what a noise scan says: lines that were averaged have less


def whitened(scan: Scan) -> tuple[Complex[Tensor, "coil coil"] | None, float | None]:
    """The mixing of coils that makes their noise white, and the noise level then.

    Returns:
        The matrix, None where coils stay as they are; and the standard deviation of the complex
        noise in a sample of each, None where it cannot be told from signal.

    Raises:
        BadInput: samples that are no numbers; or the noise scan is no good, see
            `whitening_matrix`.
    """
    if scan.noise is not None:
        matrix = whitening_matrix(torch.from_numpy(scan.noise))
        level = _mean(_levels(scan, matrix)[0])
        return matrix, level if level < _AVERAGED else 1.0
    levels, apart = _levels(scan, None)
    heard = levels[levels > 0]  # a coil may be switched off
    if not len(heard):
        return None, None
    if not apart or heard.max() < _UNEQUAL * heard.min():
        return None, _mean(heard)
    same = heard.median()
    gains = torch.where(levels > 0, same / levels, 1.0)
    return torch.diag(gains).to(torch.complex64), float(same)


def noise_level(scan: Scan) -> float | None:
    """Standard deviation of the complex noise in a sample, the mean of the coils as they are.

    None where it cannot be told from signal.

    Raises:
        BadInput: samples that are no numbers.
    """
    levels = _levels(scan, None)[0]
    heard = levels[levels > 0]
    return _mean(heard) if len(heard) else None


def _levels(scan: Scan, matrix: Tensor | None) -> tuple[Float[Tensor, "coil"], bool]:
    """Noise levels of the coils, or of their mixtures; and whether they are sure enough to tell
    coils apart.

    Beyond the field of view readout oversampling leaves empty places. Where their noise is not as
    white as it is in simulated scans, since a scanner's filter makes it less towards the ends, the
    field of view has to do.
    """
    for cropped in (False, True):
        lines, blocks = acquired(scan, cropped)
        if matrix is not None:
            lines = [mix(along[None], matrix)[0] for along in lines]
            blocks = None if blocks is None else mix(blocks[None], matrix)[0]
        levels = noise_levels(*lines, blocks=blocks)
        if not levels.isnan().any() or not _oversampled(scan):
            break
    return levels, not cropped


def acquired(scan: Scan, cropped: bool = False) -> tuple[list[Lines], Blocks | None]:
    """Lines along every axis that was sampled in full, and the ends of the calibration region.

    Some of all lines, those farthest from the centre first; without such an axis, single samples.
    The two ends of the calibration region's longest axis are the halves that say what the other
    predicts; None where there is no region.

    Args:
        scan: the scan.
        cropped: readouts are of the field of view alone, without oversampling.

    Raises:
        BadInput: samples that are no numbers.
    """
    slices, coils, *_ = scan.kspace.shape
    chosen = _some(slices, _SLICES)
    places, box = _places(scan, len(chosen)), [slice(*ends) for ends in scan.calibration or ()]
    found: list[list[list[Tensor]]] = [[[] for _ in range(coils)] for _ in places]
    ends: list[list[Tensor]] = [[] for _ in range(coils)]
    for index in chosen:
        for coil, kspace in enumerate(each_coil(scan.kspace, index)):
            if not np.isfinite(kspace).all():
                raise BadInput(f"{scan.name}: slice {index} of its k-space has NaN or Inf")
            for along, (axis, run, at) in zip(found, places, strict=True):
                lines = np.moveaxis(kspace, axis, -1) if axis is not None else kspace[..., None]
                some = torch.from_numpy(lines[at][:, run])
                along[coil].append(_cropped(scan, axis, some) if cropped else some)
            if box:
                most = max(1, _PLANES // len(chosen))
                ends[coil].append(_ends(scan, kspace[:, *box], most, cropped))
    # Slices take turns, so that lines stay in order.
    taken = [torch.stack([torch.stack(each, 1).flatten(0, 1) for each in along]) for along in found]
    if not box:
        return taken, None
    blocks = torch.stack([torch.cat(some, 1) for some in ends])
    return taken, blocks[:, :, (blocks != 0).any(0).all(-1).all(-1).all(0)]  # others were filled in


def _some(count: int, most: int) -> list[int]:
    """Indices of so many at most, evenly apart."""
    return sorted({round(i * (count - 1) / max(1, most - 1)) for i in range(most)})


def _ends(scan: Scan, region: Array, most: int, cropped: bool) -> Complex[Tensor, "2 _ _ _"]:
    """Blocks at the far ends of the longest two axes, of so many planes of the others."""
    *_, across, along = sorted(range(1, region.ndim), key=lambda axis: region.shape[axis])
    whole = np.moveaxis(region, (across, along), (-2, -1))
    others = whole.shape[:-2]
    planes = torch.from_numpy(whole[np.unravel_index(_some(math.prod(others), most), others)])
    if cropped:
        for dim, axis in ((-2, across), (-1, along)):
            lines = _cropped(scan, axis - region.ndim, planes.movedim(dim, -1))
            planes = lines.movedim(-1, dim)
    tall, wide = (
        min(most, max(least, n // 3))
        for (least, most), n in zip((_TALL, _LONG), planes.shape[1:], strict=True)
    )
    wide = min(wide, planes.shape[2] // 2)
    if planes.shape[1] >= 2 * tall:
        planes = torch.cat([planes[:, :tall], planes[:, -tall:]])
    return torch.stack([planes[..., :wide], planes[..., -wide:]])


def looked_at(shape: tuple[int, ...]) -> int:
    """Samples that `acquired` takes along an axis, at most.

    Args:
        shape: (slice, coil, frame, *space) of the scan's k-space.
    """
    slices, coils, _, *space = shape
    lines = min(_LINES * coils * max(space), _MOST)
    return min(lines, min(slices, _SLICES) * math.prod(shape[1:]))


Pattern = NDArray[np.bool_]
Indices = tuple[NDArray[np.intp], ...]
Place = tuple[int | None, slice, Indices]


def _places(scan: Scan, slices: int) -> list[Place]:
    """An axis, what was sampled along it, and where its lines are, of each axis that has some."""
    coils, space = scan.kspace.shape[1], scan.space
    places: list[Place] = []
    for axis in range(-len(space), 0):
        size = space[axis]
        pattern = np.moveaxis(scan.sampled, axis, -1)
        lines: Pattern = np.asarray(pattern.any(-1))
        whole: Pattern = np.asarray(pattern | ~lines[..., None])
        run = _longest(np.asarray(whole.reshape(-1, pattern.shape[-1]).all(0)), size)
        length = run.stop - run.start
        if length >= max(_SHORTEST, size // 2):
            most = min(_LINES, _MOST // (coils * length)) // slices
            others = [n for a, n in enumerate(space) if a != axis + len(space)]
            places.append(
                (axis, run, _outermost(lines, scan.kspace.shape[2], others, max(8, most)))
            )
    if not places:
        most = min(_ALONE, _MOST // coils) // slices
        at = _outermost(scan.sampled, scan.kspace.shape[2], list(space), max(8, most))
        places.append((None, slice(1), at))
    return places


def _oversampled(scan: Scan) -> bool:
    """Whether readouts are of more than the field of view."""
    return scan.readout is not None and scan.matrix[scan.readout] < scan.space[scan.readout]


def _cropped(scan: Scan, axis: int | None, lines: Tensor) -> Tensor:
    """Lines (..., sample) of the field of view alone, if they are whole readouts."""
    if axis is None or scan.readout is None or axis != scan.readout - len(scan.space):
        return lines
    if lines.shape[-1] < scan.space[axis] or not _oversampled(scan):
        return lines
    image = centre(ifft(shift_free(lines, (-1,)), (-1,)), -1, scan.matrix[axis])
    return centred(fft(image, (-1,)), (-1,))


def _longest(whole: Pattern, size: int) -> slice:
    """The longest run of positions that hold."""
    edges = np.flatnonzero(np.diff(np.r_[False, np.broadcast_to(whole, size), False]))
    if not len(edges):
        return slice(0, 0)
    starts, stops = edges[::2], edges[1::2]
    best = int((stops - starts).argmax())
    return slice(int(starts[best]), int(stops[best]))


def _outermost(sampled: Pattern, frames: int, space: list[int], most: int) -> Indices:
    """Indices of what was sampled, (frame, *space), farthest from the centre first."""
    at = np.nonzero(np.broadcast_to(sampled, (frames, *space)))
    reach = np.zeros(len(at[0]), np.float32)
    for place, size in zip(at[1:], space, strict=True):
        reach += ((place - size // 2) / size) ** 2
    first = np.argsort(-reach, kind="stable")[:most]
    return tuple(place[first] for place in at)


def _mean(levels: Tensor) -> float:
    return math.sqrt(float(levels.square().mean()))
