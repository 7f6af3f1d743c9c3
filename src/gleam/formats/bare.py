"""Scans and images of arrays that say nothing else: what files of plain numbers leave open."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.formats.layout import Arrangement, Layout
from gleam.formats.lazy import Load, Stored, each_coil
from gleam.formats.parts import Scans, called, named, which_slices
from gleam.formats.plausible import doubts
from gleam.formats.scan import LARGEST, Scan, calibration_box, centred_affine, usable
from gleam.formats.volume import Volume
from gleam.formats.zeros import sampled_by_zeros


def bare_scans(
    path: Path,
    arrangement: Arrangement,
    load: Load,
    format: str,
) -> Scans:
    """Scans of a file that says nothing beyond its k-space.

    Lines that are zero in every coil were not sampled (see `gleam.formats.zeros`), voxels are 1 mm,
    the matrix is k-space's less oversampling, and the affine is centred. The file is gone through
    once, for its zeros. Slices that were not sampled alike are scans of their own; an empty one
    says nothing of it.

    Args:
        path: the file.
        arrangement: of its array.
        load: see `Stored`.
        format: see `Scan`.

    Raises:
        BadInput: values that are not finite.
    """
    kspace = Stored(path, arrangement.shape, load)
    patterns: dict[bytes, NDArray[np.bool_]] = {}
    slices: dict[bytes, list[int]] = {}
    empty: list[int] = []
    each_slice = (each_coil(kspace, index) for index in range(kspace.shape[0]))
    for index, sampled in enumerate(sampled_by_zeros(each_slice, arrangement.readout)):
        key = np.packbits(sampled).tobytes()
        patterns[key] = sampled
        (slices.setdefault(key, []) if sampled.any() else empty).append(index)
    first, *others = slices.items() or [(key, [])]
    alike = {first[0]: sorted(first[1] + empty), **dict(others)}
    parts = {which_slices(own) if others else "": (key, own) for key, own in alike.items()}
    return {
        part: partial(bare_scan, path, arrangement, load, format, patterns[key], part, own)
        for part, (key, own) in parts.items()
    }


def bare_scan(
    path: Path,
    arrangement: Arrangement,
    load: Load,
    format: str,
    sampled: NDArray[np.bool_],
    part: str,
    slices: list[int],
) -> Scan:
    """One scan of such a file, as `bare_scans` makes it.

    Args:
        path, arrangement, load, format: see there.
        sampled: (frame, *space) bool, every axis at its full length.
        part: the name of the scan among those of the file; empty where it is the only one.
        slices: the numbers of its slices.
    """
    shape = (len(slices), *arrangement.shape[1:])
    matrix, voxel = arrangement.matrix, (1.0, 1.0, 1.0)
    kspace = Stored(path, shape, partial(_load_some, load=load, slices=slices))
    return Scan(
        name=named(called(path), part),
        kspace=kspace,
        sampled=sampled,
        readout=arrangement.readout,
        matrix=matrix,
        voxel=voxel,
        affine=centred_affine(matrix, voxel, len(slices)),
        calibration=calibration_box(sampled),
        format=format,
        part=part,
        warnings=doubts(each_coil(kspace, shape[0] // 2), shape[1]),
    )


def _load_some(
    path: Path, index: int, coils: slice, load: Load, slices: list[int]
) -> NDArray[np.complexfloating]:
    return load(path, slices[index], coils)


def image_arrangement(path: Path, shape: tuple[int, ...], layout: Layout | None) -> Arrangement:
    """The arrangement by which an array of `shape` becomes an image, as the user names its axes.

    Raises:
        BadInput: the axes are not named, do not fit the array, or are not an image's.
    """
    if layout is None or layout.axes is None:
        sizes = " × ".join(map(str, shape))
        raise BadInput(
            f"{path}: does not say what the axes of its {sizes} numbers mean; name them in this "
            "order, such as --axes 'y x frame'"
        )
    if layout.readout or "coil" in layout.axes:
        raise BadInput(
            f"{path}: an image has neither coils nor a readout; leave them out of --axes"
        )
    return layout.arrange(path, shape)


def bare_image(
    path: Path,
    shape: tuple[int, ...],
    load: Callable[[Path, int, slice], NDArray[Any]],
) -> Volume:
    """The image of a file that says nothing beyond it: voxels are 1 mm, the affine is centred.

    Args:
        path: the file.
        shape: (slice, 1, frame, *space).
        load: (path, slice index, coils) → (1, frame, *space) numbers of any kind.

    Raises:
        BadInput: the file cannot be read, or holds values that are not finite or too large.
    """
    slices, _, frames, *space = shape
    image = np.empty((slices, frames, *space), np.complex64)
    with np.errstate(over="ignore", invalid="ignore"):  # seen below
        for index in range(slices):
            image[index] = load(path, index, slice(None))[0]
    if not usable(image):
        raise BadInput(
            f"{path}: the image holds values that are not finite numbers, or beyond {LARGEST:g}; "
            "export the file again"
        )
    voxel = (1.0, 1.0, 1.0)
    return Volume(image, voxel, centred_affine(tuple(space), voxel, slices), name=called(path))
