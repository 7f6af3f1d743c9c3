"""`from_array`: a scan of k-space that is in memory already, whoever measured or simulated it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gleam.errors import BadInput
from gleam.face.scans import Scan, layout_of
from gleam.face.words import in_python
from gleam.formats.memory import array_scan
from gleam.formats.noise import PER_COIL
from gleam.formats.scan import LARGEST, Array, centred_affine, usable


@in_python()
def from_array(
    kspace: Any,
    axes: str | None = None,
    *,
    sampled: Any = None,
    noise: Any = None,
    oversampled: str | None = None,
    voxel: Sequence[float] | None = None,
    name: str = "array",
    part: str | None = None,
) -> Scan:
    """A scan of k-space in memory: an array of NumPy, PyTorch, JAX, h5py, …

    K-space is centred: its zero frequency is at ⌊N/2⌋ along each axis of N samples, as `fftshift`
    puts it. The array is not changed, and should not be as long as the scan is used.

    >>> kspace = numpy.random.randn(32, 24, 4) + 1j * numpy.random.randn(32, 24, 4)
    >>> gleam.from_array(kspace, "y x coil")
    <Scan 'array': array in memory, 1 slice, 4 coils, 1 frame, 32 × 24, fully sampled>
    >>> lines = numpy.arange(24) % 2 == 0  # a pattern along x
    >>> lines[7:17] = True  # and a centre to calibrate coils from
    >>> scan = gleam.from_array(kspace, "y:readout x coil", sampled=lines, name="knee")
    >>> scan
    <Scan 'knee': array in memory, 1 slice, 4 coils, 1 frame, 32 × 24, 1.35× accelerated>
    >>> image = gleam.reconstruct(scan, "cg-sense")

    Args:
        kspace: complex numbers in any units; complex128 is read as complex64.
        axes: a word for each axis, in order: of "y x" or "z y x", "coil", "slice" and "frame";
            ":readout" behind one of z, y, x marks the frequency-encoding axis. By default
            "coil y x", "slice coil y x" or "slice coil frame y x", as many as there are.
        sampled: the positions that were acquired, truth values or 0 and 1, for the same axes
            without coil and slice; leading axes may be missing and any may have length 1. By
            default those that are not zero in every coil.
        noise: samples of noise alone, (coil, samples) complex, by which coils are whitened; 25 or
            more for each coil.
        oversampled: the readout where its field of view is wider than the image's, which is cropped
            to the middle: "y" where it is twice as wide, or "y:1.5".
        voxel: three sizes in mm: of y and x, and the distance of slices; or of z, y and x.
            By default 1.
        name: of the scan, which names of files begin with.
        part: one of several scans, where slices were not sampled alike; the message that asks for
            it names them.

    Raises:
        BadInput: an array is none, not complex or not finite, or does not fit the others.
    """
    values = _numbers(kspace, "kspace")
    pattern = None if sampled is None else _truths(sampled)
    layout = layout_of(axes, None, oversampled)
    scan = array_scan(name, values, layout, pattern, part)
    if noise is not None:
        scan = replace(scan, noise=_noise(noise, scan.kspace.shape[1]))
    if voxel is not None:
        sizes = tuple(float(size) for size in voxel)
        if len(sizes) != 3 or not min(sizes) > 0:
            raise BadInput(f"voxel is {sizes}; give three sizes in mm, each above 0")
        affine = centred_affine(scan.matrix, sizes, scan.kspace.shape[0])
        scan = replace(scan, voxel=sizes, affine=affine)
    return Scan.of(scan)


def _array(given: Any, what: str) -> NDArray[Any]:
    """Any array as NumPy's, of which it shares the memory where it can."""
    if isinstance(given, Tensor):
        given = given.detach().cpu().resolve_conj().resolve_neg().numpy()
    array = np.asarray(given)
    if array.dtype.kind not in "biufc":
        like = "; gleam.load reads files" if isinstance(given, str) else ""
        raise BadInput(f"{what} is a {type(given).__name__}; give an array of numbers{like}")
    if array.size == 0:
        raise BadInput(f"{what} has shape {array.shape}, which holds nothing")
    return array


def _numbers(given: Any, what: str) -> NDArray[np.complexfloating]:
    array = _array(given, what)
    if array.dtype.kind != "c":
        raise BadInput(
            f"{what} is {array.dtype} of shape {array.shape}; give complex numbers, which real and "
            f"imaginary parts along a last axis make by {what}[..., 0] + 1j * {what}[..., 1]"
        )
    return array


def _truths(given: Any) -> NDArray[np.bool_]:
    array = _array(given, "sampled")
    if not np.isin(array, (0, 1)).all():
        raise BadInput(
            f"sampled holds other {array.dtype} values than 0 and 1; give True where k-space was "
            "acquired, sampled != 0 say"
        )
    return array.astype(np.bool_)


def _noise(given: Any, coils: int) -> Array:
    array = _numbers(given, "noise")
    if array.ndim != 2 or len(array) != coils or array.shape[1] < PER_COIL * coils:
        raise BadInput(
            f"noise has shape {array.shape}; give (coil, samples) of {coils} coils, and "
            f"{PER_COIL * coils} samples or more, {PER_COIL} for each coil"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        noise = np.array(array, np.complex64, order="C")
    if not usable(noise):
        raise BadInput(f"noise holds values that are not finite numbers, or beyond {LARGEST:g}")
    return noise
