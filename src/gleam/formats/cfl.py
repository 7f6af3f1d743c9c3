"""BART's cfl/hdr pair, both ways.

Source: BART, https://mrirecon.github.io/bart and its `src/misc/mmio.c`. The .hdr is text: under
"# Dimensions", 16 sizes, or fewer, or more of 1. The .cfl is little-endian complex64, the first
dimension fastest.

    BART dimension  0 readout   1, 2 phase encoding   3 coil   4 map set   10 time   13 slice

- Space keeps BART's order. If one of dimensions 0, 1, 2 is 1, the scan is 2D: the first of the
  others is `y` (rows), the second `x`. If none is, it is 3D: `z y x` are dimensions 0, 1, 2.
- Dimension 0 is the readout, so `readout` is 0; it is None if dimension 0 is 1 (transformed away).
- Dimension 10 holds the frames, 13 the slices of a 2D scan; any other must be 1.
- Where the user names the axes (see `Layout`), this meaning does not hold: the words stand in the
  order of the header's sizes.
- K-space is centred at ⌊N/2⌋, as `bart fft -u` has it. What is zero in every coil was not
  sampled (see `zeros`).
- The pair holds no geometry: voxels are 1 mm, the matrix is k-space's, the affine is centred. What
  is written here says it under "# Geometry", where BART does not look; it holds unless the user
  says something else.
- Written k-space has its readout in dimension 0; a 2D one without has dimension 0 = 1. A 3D one
  without keeps its axes (BART and this reader then take `z` for the readout).
- Written images have `y x` or `z y x` in dimensions 0, 1(, 2).
"""

import math
from collections.abc import Iterable
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.files import replacing
from gleam.formats.bare import bare_scans
from gleam.formats.geometry import Geometry
from gleam.formats.layout import Arrangement, Layout
from gleam.formats.parts import Scans, only
from gleam.formats.scan import Array, Scan
from gleam.formats.volume import Volume

_RANK, _LARGEST_RANK = 16, 32  # NumPy's own limit, with BART's sizes of 1 beyond its 16
_COIL, _TIME, _SLICE = 3, 10, 13
_LARGEST_SIZE = 2**40
_LARGEST_HEADER = 65536  # bytes; BART adds its command line and file names below the sizes


def read(path: Path, layout: Layout | None = None) -> Scans:
    """Read the k-space of `path` (.cfl or .hdr); it stays in the file until a slice is asked for.

    The file is gone through once, for its zeros.

    Raises:
        BadInput: the pair is incomplete or damaged, or has dimensions that are not known here.
    """
    if layout and layout.variable is not None:
        raise BadInput(f"{path}: holds one array without a name; leave --variable out")
    data = path.with_suffix(".cfl")
    sizes = _dimensions(data)
    layout = layout or Layout()
    barts = layout.axes is None
    arrangement = layout.marked(data, _barts(data, sizes)) if barts else layout.arrange(data, sizes)
    load = partial(_load, arrangement=arrangement)
    scans = bare_scans(data, arrangement, load, "BART cfl")
    geometry = _under(_header(data), "Geometry") if layout == Layout() else ""
    if not geometry or len(scans) > 1:
        return scans
    return {"": lambda: Geometry.parse(data, geometry).given_to(only(str(path), scans))}


def read_matrix(path: Path) -> NDArray[np.complex64] | None:
    """(coil, samples) of two axes: the first two, in this order, or BART's 3 and 0.

    None if other axes are longer than 1.

    Raises:
        BadInput: the pair is incomplete or damaged.
    """
    sizes = _dimensions(path)
    mapped = np.memmap(path, "<c8", "r", shape=(math.prod(sizes),))
    if math.prod(sizes[2:]) == 1 and sizes[1] > 1:
        return mapped.reshape(sizes[1], sizes[0]).T
    if sizes[0] * sizes[_COIL] == len(mapped):
        return mapped.reshape(sizes[_COIL], sizes[0])
    return None


def write_kspace(scan: Scan, path: Path) -> None:
    """Write k-space to `path` (.cfl) and its header beside it.

    Raises:
        BadInput: the folder cannot be written to.
    """
    slices, coils, frames, *_ = scan.kspace.shape
    readout = scan.readout or 0
    order = [readout, *(axis for axis in range(len(scan.space)) if axis != readout)]
    space = [scan.space[axis] for axis in order]
    if scan.readout is None and len(space) == 2:
        space = [1, *space]
    # Slowest dimension first: slice, frame, coil, then space backwards.
    _write(
        path,
        _sizes(space, {_COIL: coils, _TIME: frames, _SLICE: slices}),
        (
            scan.kspace[index].transpose(1, 0, *(2 + axis for axis in reversed(order)))
            for index in range(slices)
        ),
        Geometry.of(scan, order).model_dump_json(),
    )


def write_image(volume: Volume, path: Path) -> None:
    """Write the complex image to `path` (.cfl) and its header beside it.

    Raises:
        BadInput: the folder cannot be written to.
    """
    slices, frames, *space = volume.image.shape
    _write(
        path,
        _sizes(space, {_TIME: frames, _SLICE: slices}),
        (image.transpose(0, *range(image.ndim - 1, 0, -1)) for image in volume.image),
    )


def _write(path: Path, sizes: list[int], parts: Iterable[Array], geometry: str = "") -> None:
    """Write the pair; the header, without which nothing reads the data, appears last."""
    with replacing(path.with_suffix(".hdr")) as header, replacing(path) as data:
        with data.open("wb") as file:
            for part in parts:
                np.ascontiguousarray(part, "<c8").tofile(file)
        comment = f"# Geometry\n{geometry}\n" if geometry else ""
        header.write_text(f"# Dimensions\n{' '.join(map(str, sizes))}\n{comment}")


def _sizes(space: list[int], others: dict[int, int]) -> list[int]:
    """All of BART's dimensions: `space` from dimension 0 on, then what is given."""
    sizes = [*space, *[1] * (_RANK - len(space))]
    for dimension, size in others.items():
        sizes[dimension] = size
    return sizes


def _dimensions(data: Path) -> tuple[int, ...]:
    """The header's sizes, 16 at least, checked against the size of the data file."""
    header = data.with_suffix(".hdr")
    for path in (header, data):
        if not path.is_file():
            raise BadInput(f"{path}: not found; BART's .cfl and .hdr files come in pairs")
    try:
        sizes = [int(word) for word in _under(_header(data), "Dimensions").split()]
    except ValueError:
        sizes = []
    if not 1 <= len(sizes) <= _LARGEST_RANK or not all(1 <= n <= _LARGEST_SIZE for n in sizes):
        raise BadInput(f"{header}: no line of 1 to {_LARGEST_RANK} sizes under '# Dimensions'")
    if math.prod(sizes) * 8 != data.stat().st_size:
        raise BadInput(
            f"{data}: holds {data.stat().st_size} bytes, but sizes {sizes} in the header need "
            f"{math.prod(sizes) * 8}; copy both files again"
        )
    return (*sizes, *[1] * (_RANK - len(sizes)))


def _header(data: Path) -> list[str]:
    """Its lines, without empty ones."""
    with data.with_suffix(".hdr").open("rb") as file:
        text = file.read(_LARGEST_HEADER).decode("latin-1")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _under(lines: list[str], section: str) -> str:
    """The first line of a section; empty where there is none."""
    return next((line for above, line in pairwise(lines) if above == f"# {section}"), "")


def _barts(data: Path, sizes: tuple[int, ...]) -> Arrangement:
    """BART's own meaning of its dimensions."""
    known = (0, 1, 2, _COIL, _TIME, _SLICE)
    for dimension, size in enumerate(sizes):
        if size > 1 and dimension not in known:
            raise BadInput(
                f"{data}: BART dimension {dimension} has size {size}; expected 1 (if it does not "
                "have BART's meaning, name the axes by --axes)"
            )
    space = [dimension for dimension in range(3) if sizes[dimension] > 1]
    if (len(space) == 3 and sizes[_SLICE] > 1) or len(space) < 2:
        raise BadInput(
            f"{data}: sizes {sizes[:3]} with {sizes[_SLICE]} slices are neither 2D nor 3D k-space"
        )
    words = {_COIL: "coil", _TIME: "frame", _SLICE: "slice"}
    words |= dict(zip(space, ("z", "y", "x")[-len(space) :], strict=True))
    return Arrangement(
        tuple(words.get(dimension) for dimension in range(len(sizes))), sizes, words.get(0)
    )


def _load(data: Path, index: int, coils: slice, arrangement: Arrangement) -> NDArray[np.complex64]:
    mapped = np.memmap(data, "<c8", "r", shape=_dimensions(data), order="F")
    return arrangement.pick(mapped, index, coils)
