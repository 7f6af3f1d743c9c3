"""A scan as it is known without some of its samples: nothing that calibrates it has seen them.

Maps, scale and noise level are read off the centre of k-space, which is never held out, and off
other samples, which may be. What is read off these is read again without those held out.
"""

import copy
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool
from numpy.typing import NDArray
from torch import Tensor

from gleam.data.example import Example, ExampleFile
from gleam.data.header import Header
from gleam.errors import BadInput
from gleam.formats.scan import Array, Place, Scan, slice_and_coils
from gleam.physics.fourier import Axes, centred, fft
from gleam.preparation.noise_level import noise_level
from gleam.preparation.prepare import Prepared

Given = Bool[Tensor, "#frame *#space"]


def without(example: Example, given: Given, axes: Axes, prepared: Callable[[], Example]) -> Example:
    """The same scan, calibrated from what is given alone.

    The noise level is read again. Maps and scale come from the centre; a scan that is not in a file
    yet is prepared again where they do not, or where coils are weighted otherwise without the rest.
    In an example file how coils were weighted stays as it is.

    A mask may undersample a readout that the scan sampled in full. No scanner does, and of so few
    single samples no level can be told: then it stays that of the whole scan.

    Args:
        example: the scan.
        given: the samples that are left, shift-free along `axes`. A line counts if all of it is.
        axes: the space axes in k-space.
        prepared: gives the same example, to read arrays from if they stay as they are.

    Raises:
        BadInput: an example whose maps may have been made of any sample.
    """
    others = [a for a in range(1 - given.ndim, 0) if a not in axes]
    lines = given.amin(dim=others, keepdim=True) if others else given
    seen = torch.fft.fftshift(lines, dim=axes).numpy()
    own = set(axes) <= set(example.header.axes)
    if own and isinstance(example, Prepared):
        header = example.header_from(seen)
        if header is None:
            of = example.header
            return Prepared(example.scan, example.settings, of.fingerprint, of.sha256, seen=seen)
        return _with(prepared(), header)
    if not all(example.header.calibration[axis] for axis in axes):
        raise BadInput(
            f"{example.header.name}: its maps come from no centre that masks keep, so they may "
            "know what is to be held out; check the scan file itself, undersampled along its "
            "phase encoding"
        )
    if not own:
        return prepared()
    level = noise_level(_scan_of(example, seen))
    return _with(example, example.header.model_copy(update={"noise": level}))


def _with(example: Example, header: Header) -> Example:
    """An example of the same arrays."""
    assert isinstance(example, Prepared | ExampleFile)
    other = copy.copy(example)
    other.header = header
    return other


class _KSpace:
    """K-space of an example, centred along every axis; see `gleam.formats.scan.Slices`."""

    def __init__(self, example: Example) -> None:
        self._example, self._last, self._kspace = example, -1, np.empty(0, np.complex64)

    @property
    def shape(self) -> tuple[int, ...]:
        """(slice, coil, frame, *space)."""
        return self._example.shape

    def __getitem__(self, place: Place, /) -> Array:
        """Coils of a slice are asked for one after the other, so the last slice is kept."""
        index, coils = slice_and_coils(place, self.shape[0])
        if index != self._last:
            kspace, axes = self._example[index].kspace, self._example.header.axes
            decoded = tuple(a for a in range(3 - len(self.shape), 0) if a not in axes)
            whole = centred(fft(kspace, decoded) if decoded else kspace, (*axes, *decoded))
            self._last, self._kspace = index, whole.numpy()
        return self._kspace[coils].copy()


def _scan_of(example: Example, seen: NDArray[np.bool_]) -> Scan:
    """The example as if it had been scanned so, without a readout that was oversampled."""
    header = example.header
    space = example.shape[3:]
    sampled = torch.fft.fftshift(example.sampled, dim=header.axes).numpy() & seen
    return Scan(
        name=header.name,
        kspace=_KSpace(example),
        sampled=sampled,
        readout=None if header.readout is None else header.readout + len(space),
        matrix=tuple(space),
        voxel=header.voxel,
        affine=np.array(header.affine),
        calibration=None,
    )
