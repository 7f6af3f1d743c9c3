"""K-space put together from its acquisitions, some coils of a slice at a time."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gleam.errors import BadInput
from gleam.formats.lazy import whole
from gleam.formats.mrd.extent import Load
from gleam.formats.mrd.head import Records
from gleam.formats.mrd.parts import PATTERN
from gleam.formats.scan import LARGEST, Array, Place, slice_and_coils, usable


@dataclass(frozen=True)
class Assembled:
    """K-space (slice, coil, frame, *space).

    Attributes:
        name: of the scan, for messages.
        shape: (slice, coil, frame, *space).
        lines: the table of `lay_out`.
        load: see `gleam.formats.mrd.acquisitions.assemble`.
        sampled: (frame, *space) bool; what is kept. None keeps all.
    """

    name: str
    shape: tuple[int, ...]
    lines: Records
    load: Load
    sampled: NDArray[np.bool_] | None = None

    def __getitem__(self, place: Place, /) -> Array:
        """K-space of a slice; its acquisitions are read one by one, all coils of each. See
        `Slices`."""
        index, coils = slice_and_coils(place, self.shape[0])
        count = len(range(*coils.indices(self.shape[1])))
        kspace = np.zeros((count, *self.shape[2:]), np.complex64)
        lines = self.lines[self.lines["slice"] == index]
        with np.errstate(over="ignore", invalid="ignore"):  # seen below
            for line, data in zip(lines, self.load(lines["index"]), strict=True):
                kept = data[coils, line["first"] : line["last"]] * line["weight"]
                kept = kept[:, ::-1] if line["reversed"] else kept
                kspace[:, *where(line, kspace.ndim - 3)] += kept
        if not usable(kspace):
            raise BadInput(
                f"{self.name}: slice {index} holds k-space values that are not finite numbers, or "
                f"beyond {LARGEST:g}; export it again"
            )
        if self.sampled is not None:
            kspace[:, ~self.sampled] = 0
        return kspace

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """All of it; see `whole`."""
        return whole(self, dtype, copy)


def where(line: np.void, phases: int) -> tuple[int | slice, ...]:
    """Indices of a line in (frame, *space), which has so many phase encodings."""
    frame, step_1, step_2, start, stop = (int(line[field]) for field in PATTERN)
    return (frame, slice(start, stop), *(step_1, step_2)[:phases])
