"""K-space in memory: an array whose axes are named as those of files of plain numbers are (see
`Layout`), and which of its positions were sampled.

The array stays as it is; what is asked for is copied, a slice or some of its coils.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.formats import npy
from gleam.formats.bare import bare_scan, bare_scans
from gleam.formats.layout import Arrangement, Layout
from gleam.formats.parts import Scans, named, only
from gleam.formats.scan import LARGEST, Scan, usable

FORMAT = "array in memory"


def array_scan(
    name: str,
    kspace: NDArray[np.complexfloating],
    layout: Layout,
    sampled: NDArray[np.bool_] | None = None,
    part: str | None = None,
) -> Scan:
    """The scan that an array holds, or one of several where slices were not sampled alike.

    Args:
        name: of the scan, and of the array in messages.
        kspace: centred; its axes are as `layout` says, or those of .npy files.
        layout: of the array.
        sampled: positions along the same axes but coils and slices, any of length 1; None takes
            positions that are zero in every coil for those that were not sampled.
        part: the name of one of several.

    Raises:
        BadInput: axes do not fit each other, values are not finite, or there are several scans.
    """
    layout = layout.or_else(npy.USUAL.get(kspace.ndim, Layout()))
    if layout.axes is None:
        raise BadInput(
            f"{name}: k-space has shape {kspace.shape}; name its axes in this order, such as "
            "--axes 'y x coil'"
        )
    arrangement = layout.arrange(Path(name), kspace.shape)
    _check_finite(name, kspace, arrangement)
    pattern = None if sampled is None else _pattern(name, sampled, arrangement)
    load = partial(_load, kspace=kspace, arrangement=arrangement, pattern=pattern)
    scans: Scans
    if pattern is None:
        scans = bare_scans(Path(name), arrangement, load, FORMAT)
    else:
        every = list(range(arrangement.shape[0]))
        scans = {"": partial(bare_scan, Path(name), arrangement, load, FORMAT, pattern, "", every)}
    found = only(name, scans, part)
    return replace(found, name=named(name, found.part))


def _load(
    path: Path,
    index: int,
    coils: slice,
    kspace: NDArray[np.complexfloating],
    arrangement: Arrangement,
    pattern: NDArray[np.bool_] | None,
) -> NDArray[Any]:
    picked = arrangement.pick(kspace, index, coils)
    return picked if pattern is None else picked * pattern


def _check_finite(name: str, kspace: NDArray[np.complexfloating], arrangement: Arrangement) -> None:
    slices, coils, *_ = arrangement.shape
    for index in range(slices):
        for coil in range(coils):
            values = arrangement.pick(kspace, index, slice(coil, coil + 1))
            with np.errstate(over="ignore", invalid="ignore"):  # complex128 may overflow
                good = usable(values.astype(np.complex64))
            if not good:
                raise BadInput(
                    f"{name}: k-space of slice {index}, coil {coil} holds values that are not "
                    f"finite numbers, or beyond {LARGEST:g}; give zeros where nothing was sampled"
                )


def _pattern(name: str, sampled: NDArray[np.bool_], arrangement: Arrangement) -> NDArray[np.bool_]:
    """(frame, *space), every axis at its full length.

    Raises:
        BadInput: the array has other axes than k-space, or differs between coils or slices.
    """
    shape, words = sampled.shape, arrangement.words
    own = [word for word in words if word not in (None, "coil", "slice")]
    if sampled.ndim == len(words):
        others = tuple(axis for axis, word in enumerate(words) if word not in own)
        first = sampled
        for axis in others:
            first = first.take([0], axis)
        if (first != sampled).any():
            raise BadInput(
                f"{name}: sampled differs between coils or slices; give one pattern, with the axes "
                f"{' '.join(own)}, and a scan of its own for each"
            )
        sampled = first.squeeze(others)
    sampled = sampled.reshape((1,) * (len(own) - sampled.ndim) + sampled.shape)
    own_arrangement = Arrangement(tuple(own), sampled.shape)
    try:
        pattern = np.broadcast_to(own_arrangement.pick(sampled, 0)[0], arrangement.shape[2:])
    except ValueError as error:
        sizes = dict(zip(words, arrangement.sizes, strict=True))
        raise BadInput(
            f"{name}: sampled has shape {shape}, which does not fit k-space of shape "
            f"{arrangement.sizes}; give the axes {' '.join(own)} of sizes "
            f"{tuple(sizes[word] for word in own)}, or 1"
        ) from error
    return pattern.copy()
