"""Noise that a user gives in a file of its own, for scans whose format has no noise scan.

It is a scan of the same coils, or an array (coil, samples):

- of a scan with a noise scan of its own, that; of another, all that it sampled is taken for noise;
- ISMRMRD files may hold lines of noise alone;
- arrays of two axes are `.npy`, `.mat`, or BART's pair, whose own (samples, 1, 1, coil) is
  understood, too. Arrays of more axes are read as scans.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gleam.errors import BadInput
from gleam.formats import cfl, npy, read_scans, scan_file
from gleam.formats.layout import Layout
from gleam.formats.matlab import file as matlab
from gleam.formats.mrd import file as ismrmrd
from gleam.formats.scan import LARGEST, NOT_WHITENED, Array, Scan, usable
from gleam.physics.coils import whitening_matrix

ENOUGH = 2**20  # samples of a coil: their covariance is then known to 0.1 %
_ARRAYS = {".npy": npy.read_matrix, ".cfl": cfl.read_matrix, ".mat": matlab.read_matrix}
_ALONE = {**_ARRAYS, ".h5": ismrmrd.read_noise_alone, ".mrd": ismrmrd.read_noise_alone}


def read_noise(path: Path, layout: Layout | None = None) -> Array:
    """(coil, samples) complex64 of noise; of much more than is needed, the first part.

    Args:
        path: the file, see above.
        layout: what the axes of arrays mean that have more than two.

    Raises:
        BadInput: the file cannot be read; or its numbers are not finite, too few for as many
            coils (see `gleam.formats.noise`), or leave a coil without noise of its own.
    """
    path = scan_file(path)
    if not path.is_file():
        raise BadInput(f"{path}: no such file; --noise is a scan, or an array (coil, samples)")
    read_alone = _ALONE.get(path.suffix.lower())
    alone = None if read_alone is None else read_alone(path)
    found = _of_scans(path, layout) if alone is None else alone
    with np.errstate(over="ignore", invalid="ignore"):  # seen below
        noise = np.array(found[:, :ENOUGH], np.complex64, order="C")
    if not usable(noise):
        raise BadInput(
            f"{path}: holds noise that is not finite numbers, or beyond {LARGEST:g}; export the "
            "file again"
        )
    try:
        whitening_matrix(torch.from_numpy(noise))
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
    return noise


def checked_noise(path: Path | None, layout: Layout | None = None) -> Path | None:
    """The whole path of a file of noise, if there is one: what is wrong with it is said once.

    Raises:
        BadInput: as `read_noise`.
    """
    if path is None:
        return None
    read_noise(path, layout)
    return scan_file(path).resolve()


def with_noise(scan: Scan, path: Path, layout: Layout | None = None) -> Scan:
    """The scan with the noise of a file, instead of its own if it has some.

    Args:
        scan: the scan.
        path, layout: as for `read_noise`.

    Raises:
        BadInput: as `read_noise`; or the noise is of another number of coils.
    """
    noise, coils = read_noise(path, layout), scan.kspace.shape[1]
    if len(noise) != coils:
        raise BadInput(
            f"{path}: is no noise for {scan.name}: it has {len(noise)} coils, the scan {coils}; "
            "give noise acquired with the scan's coils"
        )
    warnings = tuple(warning for warning in scan.warnings if not warning.endswith(NOT_WHITENED))
    return replace(scan, noise=noise, warnings=warnings)


def without_useless_noise(scan: Scan) -> Scan:
    """The scan, without its own noise scan where coils cannot be whitened with that.

    A coil may have been switched off, say, or the noise scan have been short; nobody can mend that
    in a scanner's file.
    """
    if scan.noise is None:
        return scan
    try:
        whitening_matrix(torch.from_numpy(scan.noise))
    except BadInput as error:
        why = f"its {str(error).rpartition(';')[0]}; {NOT_WHITENED}"
        return replace(scan, noise=None, warnings=(*scan.warnings, why))
    return scan


def _of_scans(path: Path, layout: Layout | None) -> NDArray[np.complex64]:
    """(coil, samples): the noise scan that one of the file's scans has, or all they sampled."""
    kept = (
        None if path.suffix.lower() not in _ARRAYS else layout
    )  # others say themselves what they hold
    samples, enough = list[Array](), 0
    for read in read_scans(path, kept).values():
        scan = read()
        if scan.noise is not None:
            return scan.noise
        where = np.broadcast_to(scan.sampled, scan.kspace.shape[2:])
        for index in range(scan.kspace.shape[0] if enough < ENOUGH else 0):
            samples.append(scan.kspace[index][:, where])
            enough += samples[-1].shape[1]
            if enough >= ENOUGH:
                break
    counts = sorted({len(part) for part in samples})
    if len(counts) > 1:
        raise BadInput(
            f"{path}: holds scans of {' and '.join(map(str, counts))} coils; give a file of one"
        )
    return np.concatenate(samples, axis=1)
