"""Example files: what `gleam prepare` makes of a scan, one HDF5 file each, read piece by piece.

| dataset | shape | content |
| --- | --- | --- |
| kspace | (slice, coil, frame, *space) complex64 | shift-free along `axes`, else image |
| maps | (slice, set, coil, 1, *space) complex64 | of the centred image |
| target | (slice, set, frame, *space) complex64 | absent when the scan was undersampled |
| sampled | (frame, *space) bool, axes of length 1 broadcast | shift-free along `axes` |

K-space and target are divided by the scan's one intensity scale. The attribute `header` holds the
rest as JSON. "Shift-free" is defined in `gleam.physics.fourier`. A chunk is a slice, or of a volume
whose readout is not in k-space, one position along it: what is read by itself.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, TypeGuard, runtime_checkable

import h5py
import numpy as np
import torch
from jaxtyping import Bool, Complex
from numpy.typing import NDArray
from torch import Tensor

from gleam.arrays import slabs
from gleam.data.header import Header
from gleam.data.open_files import arrays
from gleam.errors import BadInput, Unwritable
from gleam.files import check_exists, in_temporary
from gleam.formats.hdf5 import attribute as hdf5_attribute
from gleam.formats.hdf5.file import dataset, holds, opened
from gleam.formats.hdf5.writer import creating

_AT_ONCE = 2**22  # numbers of k-space in a slab that is prepared, 32 MB
_Place = tuple[Any, ...]  # an index into HDF5

CONVENTION = "y' = exp(-2 pi i k floor(N/2)/N) ifftshift(y) along `axes` (x = -1, y = -2, z = -3)"


@dataclass(frozen=True)
class Slice:
    """One slice, one volume or a slab of one, of an example; see the module's table."""

    kspace: Complex[Tensor, "coil frame *space"]
    maps: Complex[Tensor, "set coil 1 *space"]
    target: Complex[Tensor, "set frame *space"] | None


@runtime_checkable
class Example(Protocol):
    """A prepared scan, on disk or being prepared.

    `check_example` of tests/data/test_example_contract.py holds both to this: parts fit each other,
    a slab is a part of the whole, what was not sampled is zero, the target is the coil images
    combined.
    """

    @property
    def header(self) -> Header:
        """Facts beside the arrays."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(slice, coil, frame, *space)."""

    @property
    def path(self) -> Path | None:
        """Its file; None while it is being prepared, anew whenever something is asked for."""

    @property
    def sets(self) -> int:
        """Map sets."""

    @property
    def complete(self) -> bool:
        """Whether the scan was fully sampled, so that it has a target."""

    @property
    def sampled(self) -> Bool[Tensor, "frame *space"]:
        """The samples that were acquired."""

    def __getitem__(self, index: int, /) -> Slice:
        """One slice."""


class ExampleInSlabs(Example, Protocol):
    """A volume that can be taken apart: see `in_slabs`."""

    def slab(self, positions: range, /) -> Slice:
        """Some positions along its `slab_axis`; nothing else is read."""

    def maps(self, positions: range, /) -> Complex[Tensor, "set coil 1 *space"]:
        """The maps of a slab."""


def in_slabs(example: Example) -> TypeGuard[ExampleInSlabs]:
    """Whether an example is a volume that is read and reconstructed slab by slab."""
    return example.header.slab_axis is not None


class ExampleFile:
    """An example on disk; only what is asked for is read.

    Raises:
        BadInput: the file is broken, or not an example.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with opened(path) as file:
            self.header = Header.parse(hdf5_attribute.text(file, "header") or "", path)
            self.shape: tuple[int, ...] = dataset(file, "kspace").shape
            slices, coils, frames, *space = self.shape
            maps = dataset(file, "maps").shape
            self.sets: int = maps[1] if len(maps) > 1 else 0
            self.sampled = torch.from_numpy(dataset(file, "sampled")[()].astype(bool))
            self.complete = holds(file, "target")
            if self.complete:
                target = dataset(file, "target").shape
            types = {dataset(file, name).dtype for name in ("kspace", "maps")}
        fits = (
            types == {np.dtype(np.complex64)}
            and 0 not in self.shape
            and maps == (slices, self.sets, coils, 1, *space)
            and (not self.complete or target == (slices, self.sets, frames, *space))
            and _broadcasts(self.sampled.shape, (frames, *space))
            and self.header.fits(space)
        )
        if not fits:
            raise BadInput(f"{path}: its arrays do not fit each other; prepare the scan again")

    def __getitem__(self, index: int) -> Slice:
        """One slice."""
        return self._read((index,))

    def slab(self, positions: range) -> Slice:
        """Some positions along a volume's `slab_axis`; nothing else is read."""
        return self._read(_place(self, positions))

    def maps(self, positions: range) -> Complex[Tensor, "set coil 1 *space"]:
        """The maps of a slab."""
        with arrays(self.path) as array:
            return _read(array("maps"), _place(self, positions))

    def _read(self, place: _Place) -> Slice:
        with arrays(self.path) as array:
            target = _read(array("target"), place) if self.complete else None
            return Slice(_read(array("kspace"), place), _read(array("maps"), place), target)


def _broadcasts(shape: Sequence[int], full: Sequence[int]) -> bool:
    return len(shape) == len(full) and all(
        n in (1, most) for n, most in zip(shape, full, strict=True)
    )


def write(example: Example, path: Path) -> None:
    """Write an example slice by slice, a volume slab by slab.

    Raises:
        BadInput: the folder cannot be written to, or the scan turns out to be broken.
    """
    with creating(path) as (file, check):
        file.attrs["convention"] = CONVENTION
        file.attrs["header"] = example.header.model_dump_json()
        file["sampled"] = example.sampled.numpy()
        axis = example.header.slab_axis
        for place, one in _pieces(example):
            for name, array in vars(one).items():
                if array is None:
                    continue
                if name not in file:
                    shape, chunk = list(array.shape), list(array.shape)
                    if axis is not None:
                        shape[axis], chunk[axis] = example.shape[axis], 1
                    full, chunks = (example.shape[0], *shape), (1, *chunk)
                    file.create_dataset(name, full, np.complex64, chunks=chunks)
                file[name][place] = array.numpy()
            check()


def _pieces(example: Example) -> Iterator[tuple[_Place, Slice]]:
    """Parts of an example, each with its place in the arrays."""
    axis = example.header.slab_axis
    if axis is None or not in_slabs(example):
        for index in range(example.shape[0]):
            yield (index,), example[index]
        return
    size = max(1, _AT_ONCE * example.shape[axis] // math.prod(example.shape))
    for positions in slabs(example.shape[axis], size):
        yield _place(example, positions), example.slab(positions)


def _place(example: Example, positions: range) -> _Place:
    """Indices of a slab in its array."""
    axis = example.header.slab_axis
    assert axis is not None
    return (0, ..., slice(positions.start, positions.stop), *[slice(None)] * (-1 - axis))


@contextmanager
def on_disk(example: Example, again: bool = False) -> Iterator[Example]:
    """The same example; of a volume that is not on disk yet, a file that is gone afterwards.

    Volumes are read again and again, a slab at a time, and would be prepared anew each time.

    Args:
        example: in a file, or being prepared.
        again: slices are read more often than once, too.

    Raises:
        Unwritable: there is no room for the temporary file.
    """
    if not (in_slabs(example) or again) or example.path is not None:
        yield example
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "example.h5"
        try:
            write(example, path)
        except Unwritable as error:
            raise in_temporary(error) from error.__cause__
        yield ExampleFile(path)


def find(path: Path, sets: int | None = None) -> list[ExampleFile]:
    """The examples in a folder, by name, or the one file.

    Args:
        path: folder or file.
        sets: the map sets that the network reconstructs with; None takes those of the first.

    Raises:
        BadInput: the path does not exist, there is none, or one has other map sets.
    """
    check_exists(path, "make example files with `gleam prepare`")
    files = _visible(path) if path.is_dir() else [path]
    if not files:
        raise BadInput(f"{path}: holds no example files; make them with `gleam prepare`")
    examples = [ExampleFile(file) for file in files]
    sets = examples[0].sets if sets is None else sets
    for example in examples:
        if example.sets != sets:
            raise BadInput(
                f"{example.path}: has {example.sets} map sets, but network.sets is {sets}; set it "
                f"to {example.sets}, or prepare the data anew (gleam prepare --sets {sets})"
            )
    return examples


def fingerprint(examples: Sequence[Example]) -> str:
    """Fingerprint of a data set: of names, shapes, and what the examples were made from."""
    facts = [(e.header.name, e.shape, e.header.fingerprint) for e in examples]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def is_example(path: Path) -> bool:
    """Whether a file was written by `write`, be it by another version."""
    try:
        with opened(path) as file:
            return "convention" in file.attrs
    except BadInput:
        return False


def _visible(folder: Path) -> list[Path]:
    """Files that are not what a killed `gleam prepare` left half-written, under a hidden name."""
    return sorted(file for file in folder.glob("*.h5") if not file.name.startswith("."))


def _read(array: h5py.Dataset, place: _Place) -> Tensor:
    part: NDArray[np.complex64] = array[place]
    return torch.from_numpy(part)
