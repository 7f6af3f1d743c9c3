"""Small sound files of every kind that is read, to be spoilt.

What only one kind needs is imported where it is made, so that children start soon.
"""

import json
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from hdf5_mutations import spoil_hdf5, spoil_lines
from mutations import Rng, spoil_bytes, spoil_text

from gleam.errors import BadInput
from gleam.formats import Layout, Scan, read_image, read_scans, write_scan
from gleam.formats.mrd.header import parse
from gleam.formats.scan import calibration_box, centred_affine

AXES = Layout.parse("y x coil slice")


@dataclass(frozen=True)
class Kind:
    """One reader.

    Attributes:
        make: writes sound files into a folder, and returns them.
        spoil: changes a file in place, and what belongs to it.
        read: reads a file in full.
    """

    make: Callable[[Path], list[Path]]
    spoil: Callable[[Path, Rng], None]
    read: Callable[[Path], object]


def scan(path: Path, layout: Layout | None = None) -> None:
    """Read each scan of a file, everything it says, and one slice; all must make sense.

    What can be read is also made an example and a picture of, as `gleam inspect` does.
    """
    for one in read_scans(path, layout).values():
        check(one())


def check(read: Scan) -> None:
    dims = len(read.space)
    slices, coils, frames, *space = read.kspace.shape
    one = read.kspace[slices // 2]
    assert one.shape == (coils, frames, *space)
    assert one.dtype == np.complex64
    assert np.isfinite(one).all()
    assert read.sampled.dtype == np.bool_
    assert read.complete in (True, False)
    assert read.readout in (None, *range(dims))
    assert len(read.matrix) == dims
    assert all(1 <= m <= n for m, n in zip(read.matrix, read.space, strict=True))
    assert len(read.voxel) == 3
    assert all(0 < size < np.inf for size in read.voxel)
    assert read.affine.shape == (4, 4)
    assert np.isfinite(read.affine).all()
    if read.calibration is not None:
        for (start, stop), n in zip(read.calibration, read.space, strict=True):
            assert 0 <= start < stop <= n
    if read.noise is not None:
        assert read.noise.shape[0] == coils
        assert np.isfinite(read.noise).all()
    for name, value in read.contrast.items():
        assert isinstance(name, str)
        assert isinstance(value, str) or np.isfinite(value)
    _inspect(read)


def _inspect(read: Scan) -> None:
    from gleam.preparation.description import example_facts, scan_facts
    from gleam.preparation.prepare import Prepared, Settings
    from gleam.viewing.preview import of_scan

    json.dumps(scan_facts(read), allow_nan=False)
    made = None
    with suppress(BadInput):  # calibration lines missing, say
        made = Prepared(read, Settings())
        json.dumps(example_facts(made), allow_nan=False)
    picture = of_scan(read, made)
    assert all(np.isfinite(image).all() for image in picture.images.values())
    assert np.isfinite(picture.sampling).all()


def example(path: Path) -> None:
    """Read an example file, and one slice."""
    from gleam.data.example import ExampleFile
    from gleam.preparation.description import example_facts
    from gleam.viewing.preview import of_example

    read = ExampleFile(path)
    one = read[read.shape[0] // 2]
    assert one.kspace.shape == read.shape[1:]
    json.dumps(example_facts(read), allow_nan=False)
    of_example(read)


def _bytes(path: Path, rng: Rng) -> None:
    path.write_bytes(spoil_bytes(path.read_bytes(), rng))


def _text(path: Path, rng: Rng) -> None:
    spoil = spoil_text if rng.random() < 0.7 else spoil_bytes
    path.write_bytes(spoil(path.read_bytes(), rng))


def _hdf5(path: Path, rng: Rng) -> None:
    which = rng.random()
    if which < 0.6:
        spoil_hdf5(path, rng)
    if which > 0.5:
        _bytes(path, rng)


def _acquisitions(path: Path, rng: Rng) -> None:
    if rng.random() < 0.4:
        spoil_lines(path, rng)
    else:
        _hdf5(path, rng)


def _packed(path: Path, rng: Rng) -> None:
    """What is packed in a MATLAB file, or the file as it is."""
    if rng.random() < 0.3:
        _bytes(path, rng)
        return
    data, packed, start = path.read_bytes(), [], 128
    while start < len(data):
        (size,) = struct.unpack_from("<I", data, start + 4)
        packed.append(zlib.decompress(data[start + 8 :][:size]))
        start += 8 + size
    chosen = int(rng.integers(len(packed)))
    packed[chosen] = spoil_bytes(packed[chosen], rng)
    again = [zlib.compress(element) for element in packed]
    elements = (struct.pack("<II", 15, len(element)) + element for element in again)
    path.write_bytes(data[:128] + b"".join(elements))


def _pair(path: Path, rng: Rng) -> None:
    header = path.with_suffix(".hdr")
    if rng.random() < 0.8:
        _text(header, rng)
    else:
        _bytes(path, rng)


def _scans() -> list[Scan]:
    """One sampled in full, one not."""
    rng = np.random.default_rng(0)
    kspace = (rng.normal(size=(2, 2, 1, 8, 8)) + 1j).astype(np.complex64)
    scans = []
    for lines in (np.ones(8, np.bool_), np.arange(8) != 1):
        sampled = np.broadcast_to(lines, (1, 8, 8))
        scan = Scan(
            name="seed",
            kspace=kspace * sampled,
            sampled=sampled,
            readout=0,
            matrix=(4, 8),
            voxel=(1.0, 1.5, 2.0),
            affine=centred_affine((4, 8), (1.0, 1.5, 2.0), 2),
            calibration=calibration_box(sampled),
            contrast={"acquisition": "T2", "TR": 100.0, "TE": 5.0, "field_strength": 3.0},
        )
        scans.append(scan)
    return scans


def _written(folder: Path, suffix: str) -> list[Path]:
    paths = [folder / f"{index}{suffix}" for index in range(2)]
    for one, path in zip(_scans(), paths, strict=True):
        write_scan(one, path)
    return paths


def image(path: Path) -> None:
    """Read an image; what was read must make sense."""
    read = read_image(path)
    assert read.image.dtype == np.complex64
    assert np.isfinite(read.image).all()
    assert all(0 < size < np.inf for size in read.voxel)
    assert np.isfinite(read.affine).all()


def _examples(folder: Path) -> list[Path]:
    from gleam.data.example import write
    from gleam.preparation.prepare import Prepared, Settings

    for index, one in enumerate(_scans()):
        write(Prepared(one, Settings()), folder / f"{index}.h5")
    return sorted(folder.glob("*.h5"))


def _arrays(folder: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    for index, shape in enumerate([(2, 6, 5), (2, 2, 3, 6, 5)]):
        array = rng.normal(size=shape) + 1j
        np.save(folder / f"{index}.npy", array.astype(np.complex64, order="CF"[index]))
    return sorted(folder.glob("*.npy"))


def _ismrmrd(folder: Path) -> list[Path]:
    """2D with calibration lines apart, 3D with an asymmetric echo, and a cine of two slices."""
    import ismrmrd
    from scanner import Scanner

    rng = np.random.default_rng(0)
    scans = [(range(0, 6, 2), 1, 1), (range(5), 4, 1), (range(6), 1, 3)]
    for index, (lines, depth, phases) in enumerate(scans):
        scanner = Scanner(encoded=(8, 6, depth), recon=(4, 6, depth), coils=2)
        scanner.points = [(scanner.voxel(0, 0, 0), 1.0)]
        noise = rng.normal(size=(2, 16)) + 1j
        scanner.acquire(0, data=noise, centre=8, flags=(ismrmrd.ACQ_IS_NOISE_MEASUREMENT,))
        others = range(depth), range(phases), range(1 + (phases > 1))
        for line, partition, phase, place in product(lines, *others):
            acquired = scanner.acquire(
                line,
                partition,
                first=-4 + (depth > 1),
                samples=8 - (depth > 1),
                backwards=bool(line % 2),
                distance=8.0 * place,
                slice=place,
                phase=phase,
            )
            acquired.acquisition_time_stamp = 20 * phase + line
        for line in range(6 if index == 0 else 0):
            scanner.acquire(line, gain=2.0, flags=(ismrmrd.ACQ_IS_PARALLEL_CALIBRATION,))
        header = scanner.header()
        header.encoding[0].parallelImaging = ismrmrd.xsd.parallelImagingType(
            accelerationFactor=ismrmrd.xsd.accelerationFactorType(
                kspace_encoding_step_1=2, kspace_encoding_step_2=1
            ),
            calibrationMode=ismrmrd.xsd.calibrationModeType.SEPARATE,
        )
        header.acquisitionSystemInformation = ismrmrd.xsd.acquisitionSystemInformationType(
            systemVendor="SIEMENS"
        )
        scanner.write(folder / f"{index}.h5", header)
    return sorted(folder.glob("*.h5"))


def _mat(version: str, name: str) -> Callable[[Path], list[Path]]:
    def make(folder: Path) -> list[Path]:
        import matlab_files

        save = getattr(matlab_files, f"save{version}")
        rng = np.random.default_rng(0)
        kspace = rng.normal(size=(8, 6, 2, 2)) + 1j
        save(folder / "0.mat", **{name: kspace, "mask": np.ones((8, 6))})
        return [folder / "0.mat"]

    return make


def _nifti(folder: Path) -> list[Path]:
    import nibabel

    rng = np.random.default_rng(0)
    for name, shape in [("0.nii", (6, 5, 4)), ("1.nii.gz", (6, 5, 1, 3))]:
        data = rng.integers(0, 99, shape).astype(np.int16)
        nibabel.save(nibabel.Nifti1Image(data, np.diag([2.0, 3.0, 4.0, 1.0])), folder / name)
    return sorted(folder.glob("*.nii*"))


def _twix(folder: Path) -> list[Path]:
    import twixtools
    from twix_files import header, line, vb

    noise = (np.random.default_rng(0).normal(size=(2, 16)) + 1j).astype(np.complex64)
    data = np.ones((2, 16), np.complex64)
    measured = [[line(noise, flags=["NOISEADJSCAN"])], [line(data, Lin=n) for n in range(10)]]
    spaces = header(spare=" " * 64)  # so that numbers can be longer and the rest stay in place
    written = [{"hdr_str": spaces, "mdb": lines} for lines in measured]
    twixtools.write_twix(written, str(folder / "0.dat"))
    (folder / "1.dat").write_bytes(vb(np.ones((2, 16, 10), np.complex64)))
    return sorted(folder.glob("*.dat"))


def _xml(folder: Path) -> list[Path]:
    import ismrmrd
    from scanner import Scanner

    scanner = Scanner()
    (folder / "0.xml").write_bytes(ismrmrd.xsd.ToXML(scanner.header()).encode())
    return [folder / "0.xml"]


KINDS = {
    "cfl": Kind(lambda folder: _written(folder, ".cfl"), _pair, scan),
    "npy": Kind(_arrays, _text, scan),
    "nifti": Kind(_nifti, _text, image),
    "fastmri": Kind(lambda folder: _written(folder, ".h5"), _hdf5, scan),
    "ismrmrd": Kind(_ismrmrd, _acquisitions, scan),
    "ismrmrd-header": Kind(_xml, _text, lambda path: parse(path.read_bytes())),
    "matlab-6": Kind(_mat("6", "kspace"), _bytes, lambda path: scan(path, AXES)),
    "matlab-7": Kind(_mat("7", "kspace"), _packed, lambda path: scan(path, AXES)),
    "matlab-7.3": Kind(_mat("73", "kspace"), _hdf5, lambda path: scan(path, AXES)),
    "cmrxrecon": Kind(_mat("73", "kspace_full"), _hdf5, scan),
    "twix": Kind(_twix, _text, scan),
    "example": Kind(_examples, _hdf5, example),
}
