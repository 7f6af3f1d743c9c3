"""K-space put together from its acquisitions, slice by slice."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.formats.acquisition_extent import Load
from gleam.formats.acquisition_head import Records
from gleam.formats.acquisition_parts import PATTERN
from gleam.formats.scan import LARGEST, Array, usable


@dataclass(frozen=True)
class Assembled:
    """K-space (slice, coil, frame, *space).

    Attributes:
        name: of the scan, for messages.
        shape: (slice, coil, frame, *space).
        lines: the table of `lay_out`.
        load: see `gleam.formats.acquisitions.assemble`.
        sampled: (frame, *space) bool; what is kept. None keeps all.
    """

    name: str
    shape: tuple[int, ...]
    lines: Records
    load: Load
    sampled: NDArray[np.bool_] | None = None

    def __getitem__(self, index: int, /) -> Array:
        """(coil, frame, *space) complex64 of one slice.

        Raises:
            BadInput: values that are not finite or too large, or what `load` raises.
        """
        if not 0 <= index < self.shape[0]:
            raise IndexError(f"slice {index} of {self.shape[0]}")
        kspace = np.zeros(self.shape[1:], np.complex64)
        lines = self.lines[self.lines["slice"] == index]
        with np.errstate(over="ignore", invalid="ignore"):  # seen below
            for line, data in zip(lines, self.load(lines["index"]), strict=True):
                kept = data[:, line["first"] : line["last"]] * line["weight"]
                kept = kept[:, ::-1] if line["reversed"] else kept
                kspace[:, *place(line, kspace.ndim - 3)] += kept
        if not usable(kspace):
            raise BadInput(
                f"{self.name}: slice {index} holds k-space values that are not finite numbers, or "
                f"beyond {LARGEST:g}; export it again"
            )
        if self.sampled is not None:
            kspace[:, ~self.sampled] = 0
        return kspace


def place(line: np.void, phases: int) -> tuple[int | slice, ...]:
    """Of a line in (frame, *space), which has so many phase encodings."""
    frame, step_1, step_2, start, stop = (int(line[field]) for field in PATTERN)
    return (frame, slice(start, stop), *(step_1, step_2)[:phases])
