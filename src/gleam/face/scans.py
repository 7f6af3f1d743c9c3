"""`load`: a scan from any file, as an object that says what it holds and shows itself."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from gleam import formats
from gleam.errors import BadInput
from gleam.face.pictures import Drawn, Grey
from gleam.face.words import in_python, path_of, whole_numbers
from gleam.files import sha256_of
from gleam.formats import Layout, read_scan, scan_file
from gleam.formats.lazy import each_coil
from gleam.preparation.description import Facts, scan_facts
from gleam.preparation.prepare import Prepared, Settings
from gleam.simulation import simulate_scan
from gleam.simulation.anatomy import OVERSIZED
from gleam.viewing.preview import of_scan
from gleam.words import counted


@dataclass(frozen=True, repr=False)
class Scan(Drawn, formats.Scan):
    """One acquisition as it came from a file: k-space, sampling, geometry.

    `scan.kspace[i]` reads (coil, frame, *space) complex64 of slice i, `space` being `y x` or
    `z y x`; `scan.kspace.shape` is (slice, coil, frame, *space), and `np.asarray(scan.kspace)`
    reads all of it. `scan.warnings` says what was left out of the file or looks odd in it. The
    other attributes are those of `gleam.formats.Scan`. A notebook draws it.

    >>> scan = gleam.load("scan.h5")
    >>> scan
    <Scan 'scan': fastMRI, 2 slices, 3 coils, 1 frame, 32 × 48, fully sampled>
    >>> scan.kspace[0].shape
    (3, 1, 64, 48)
    >>> scan.facts()["readout"]
    'y'

    Attributes:
        path: of its file; None of what was in none.
    """

    path: Path | None = None

    def __repr__(self) -> str:
        line, odd = super().__repr__(), len(self.warnings)
        return f"{line[:-1]}, {counted(odd, 'warning')}>" if odd else line

    def facts(self) -> Facts:
        """Facts about the scan, by name: axes, sizes, acceleration, calibration lines, contrast,
        …"""
        return scan_facts(self)

    def __array__(self, dtype: object = None, copy: object = None) -> NoReturn:
        raise TypeError("a scan is no array; np.asarray(scan.kspace) is its k-space")

    def pictures(self) -> Sequence[Grey]:
        """The middle slice, or three planes of a volume, and where k-space was sampled."""
        example: Prepared | None = None
        with suppress(BadInput):  # without a calibration region, say, it can still be looked at
            example = Prepared(self, Settings())
        return of_scan(self, example).pictures()

    @classmethod
    def of(cls, scan: formats.Scan, path: Path | None = None) -> "Scan":
        """The same scan; and its file, if there is one."""
        return cls(**vars(scan) | {"path": path})


@in_python()
def load(
    path: str | Path,
    part: str | None = None,
    *,
    axes: str | None = None,
    variable: str | None = None,
    oversampled: str | None = None,
    measurement: str | None = None,
) -> Scan:
    """Read a scan: ISMRMRD, fastMRI, Siemens twix, CMRxRecon, MATLAB, BART or NumPy.

    K-space stays in the file, where its format lets it, and is read slice by slice.

    >>> gleam.load("scan.h5").matrix
    (32, 48)

    Args:
        path: of the file; its suffix says the format.
        part: which scan, of a file that holds several; its name is in the message that asks for it.
        axes: what the axes of a bare array mean, "coil y x" say; files that say it themselves take
            none. See docs/formats/arrays.md.
        variable: which array of a file that holds several.
        oversampled: the readout of a bare array and its oversampling, "y" or "y:1.5".
        measurement: which of a raw-data file that holds several, "dataset_1" or "1"; by default the
            last.

    Raises:
        BadInput: there is no such file or part, or it cannot be read as a scan; one line says why.
    """
    layout = given_layout(axes, variable, oversampled)
    path = path_of(path, "a scan file's path")
    return Scan.of(read_scan(path, layout, measurement, part), scan_file(path))


def identity(scan: formats.Scan) -> str:
    """SHA-256 of a scan's file; of its k-space, where it is in none.

    By it a network knows a scan that it has learnt from.
    """
    path = scan.path if isinstance(scan, Scan) else None
    if path is not None:
        return sha256_of(path)
    digest = hashlib.sha256(repr(scan.kspace.shape).encode())
    for index in range(scan.kspace.shape[0]):
        for coil in each_coil(scan.kspace, index):
            digest.update(coil.tobytes())
    return digest.hexdigest()


def given_layout(axes: str | None, variable: str | None, oversampled: str | None) -> Layout | None:
    """The layout that is said in words; None where nothing is said."""
    given = axes, variable, oversampled
    return None if given == (None, None, None) else layout_of(*given)


def layout_of(axes: object, variable: str | None = None, oversampled: str | None = None) -> Layout:
    """The layout that is said in words.

    Raises:
        BadInput: see `Layout.parse`; or axes are no text.
    """
    if axes is not None and not isinstance(axes, str):
        raise BadInput(
            f"axes is a {type(axes).__name__}; give words in one text, such as 'coil y x'"
        )
    return Layout.parse(axes, variable, oversampled)


@in_python()
def simulate(
    shape: tuple[int, ...] = (128, 128),
    *,
    coils: int = 8,
    slices: int = 4,
    frames: int = 1,
    snr: float = 50.0,
    oversized: float = OVERSIZED,
    seed: int = 0,
    name: str = "simulated",
) -> Scan:
    """A simulated, fully sampled scan: heads of no patient, seen by coils on a ring, with noise.

    Networks trained on nothing else reconstruct real brains.

    >>> gleam.simulate((32, 24), coils=4, slices=1)
    <Scan 'simulated': 1 slice, 4 coils, 1 frame, 32 × 24, fully sampled>

    Args:
        shape: voxels, `y x`, or `z y x` for a volume.
        coils: how many.
        slices: how many; a volume has one. Every slice shows another head.
        frames: of a beating heart; 1 stands still.
        snr: signal-to-noise ratio.
        oversized: share of slices whose body is larger than the field of view, 0 to 1. One map set
            does not describe these.
        seed: the same one gives the same scan.
        name: of the scan.

    Raises:
        BadInput: a size that cannot be simulated.
    """
    shape = tuple(whole_numbers(shape, "shape"))
    scan = simulate_scan(
        shape, coils, slices, snr, seed, name=name, frames=frames, oversized=oversized
    )
    return Scan.of(scan)
