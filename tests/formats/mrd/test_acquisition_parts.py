"""How lines that no one scan can hold fall into parts, and that each part is right."""

from functools import partial

import ismrmrd
import numpy as np
import pytest
from scanner import AXIAL, Scanner

from gleam.errors import BadInput
from gleam.formats.mrd.acquisitions import assemble
from gleam.formats.mrd.head import ACQUISITION_HEADER
from gleam.formats.mrd.header import parse
from gleam.formats.parts import only
from gleam.formats.scan import Scan

READ = {"rtol": 2e-5, "atol": 2e-4}


@pytest.fixture
def scanner() -> Scanner:
    scanner = Scanner()
    scanner.points = [(scanner.voxel(3, -5), 4 + 1j)]
    return scanner


def scans(scanner: Scanner, header=None) -> dict:
    """What was acquired, by the names of its parts."""
    xml = ismrmrd.xsd.ToXML(header or scanner.header()).encode()
    lines = scanner.acquisitions
    heads = np.frombuffer(b"".join(bytes(line.getHead()) for line in lines), ACQUISITION_HEADER)
    return assemble(
        "scan", partial(parse, xml), heads, lambda wanted: [lines[i].data for i in wanted]
    )


def read(scanner: Scanner, header=None) -> dict[str, Scan]:
    return {part: one() for part, one in scans(scanner, header).items()}


def stack(scanner: Scanner, *distances: float) -> Scanner:
    """Each slice twice as bright as the one before."""
    for index, distance in enumerate(distances):
        for line in range(24):
            scanner.acquire(line, slice=index, distance=distance, gain=2.0**index)
    return scanner


def centre(scan: Scan, index: int) -> np.ndarray:
    """Where the middle of a slice lies."""
    return (scan.affine @ [*(n // 2 for n in scan.matrix[::-1]), index, 1])[:3]


@pytest.mark.parametrize(
    ("distances", "expected"),
    [
        ((0, 1.6, 3.25, 4.8, 6.4), {"": [0, 1, 2, 3, 4]}),  # jitter by rounding
        ((0, 1.6, 3.2, 6.4, 8.0), {"slices0-2": [0, 1, 2], "slices3-4": [3, 4]}),  # one is missing
        ((0, 3.2, 4.8, 6.4), {"slice0": [0], "slices1-3": [1, 2, 3]}),
        ((0, 5, 10, 40, 47, 54, 61), {"slices0-2": [0, 1, 2], "slices3-6": [3, 4, 5, 6]}),
        ((20, 15, 10, 0), {"slices0-2": [0, 1, 2], "slice3": [3]}),
        ((0, 10, 5, 50, 40, 45), {"slices0-2": [0, 2, 1], "slices3-5": [4, 5, 3]}),  # interleaved
        ((0, 5, 10, 15.4), {"": [0, 1, 2, 3]}),
        ((0, 5, 10, 16.6), {"slices0-2": [0, 1, 2], "slice3": [3]}),
    ],
)
def test_stacks(scanner, distances, expected) -> None:
    found = read(stack(scanner, *distances))
    assert {*found} == {*expected}
    for part, members in expected.items():
        scan = found[part]
        assert (scan.name, scan.part) == (f"scan-{part}" if part else "scan", part)
        assert scan.kspace.shape == (len(members), 3, 1, 32, 24)
        for index, member in enumerate(members):
            ideal = scanner.ideal(distance=distances[member], gain=2.0**member)
            np.testing.assert_allclose(scan.kspace[index][:, 0], ideal, **READ)
            place = np.add(scanner.position, [0, 0, distances[member]])
            np.testing.assert_allclose(centre(scan, index), place, atol=0.3)
        if len(members) > 1:
            ends = [distances[members[end]] for end in (0, -1)]
            assert scan.voxel[2] == pytest.approx(abs(np.ptp(ends)) / (len(members) - 1))


def test_a_slice_beside_the_others_is_no_part_of_their_stack(scanner) -> None:
    stack(scanner, 0, 5, 10)
    for line in scanner.acquisitions[-24:]:
        line.position = (40.0, -20.0, 40.0)
    assert {*scans(scanner)} == {"slices0-1", "slice2"}


def test_a_localizer(scanner) -> None:
    x, y, z = map(np.array, AXIAL)
    for index, directions in enumerate(((x, y, z), (y, z, x), (x, z, -y))):
        scanner.directions = directions
        for line in range(24):
            scanner.acquire(line, slice=index, gain=2.0**index)
    found = read(scanner)
    assert [*found] == ["transverse", "sagittal", "coronal"]
    for number, (scan, normal) in enumerate(zip(found.values(), (z, x, -y), strict=True)):
        np.testing.assert_allclose(scan.affine[:3, 2] / scan.voxel[2], normal, atol=1e-6)
        assert abs(scan.kspace[0]).max() == pytest.approx(2.0**number * abs(scanner.ideal()).max())


def test_orientations_that_are_nearest_to_one_plane_are_numbered(scanner) -> None:
    stack(scanner, 0, 5)
    turn = np.array([[np.cos(0.1), np.sin(0.1), 0], [-np.sin(0.1), np.cos(0.1), 0], [0, 0, 1]])
    for line in scanner.acquisitions[24:]:
        line.read_dir, line.phase_dir = map(tuple, turn[:2])
    assert {*scans(scanner)} == {"transverse1", "transverse2"}


def test_slices_that_were_not_sampled_alike(scanner) -> None:
    """Every other slice leaves out other lines: two stacks, of twice the distance."""
    for index in range(5):
        for line in range(24):
            if (line - index) % 2 or 8 <= line < 16:
                scanner.acquire(line, slice=index, distance=5.0 * index)
    found = read(scanner)
    assert {*found} == {"slices0-4by2", "slices1-3by2"}
    assert [scan.voxel[2] for scan in found.values()] == [10.0, 10.0]
    for first, scan in enumerate(found.values()):
        lines = [(line - first) % 2 == 1 or 8 <= line < 16 for line in range(24)]
        np.testing.assert_array_equal(scan.sampled, np.broadcast_to(lines, (1, 32, 24)))


def test_slices_with_fewer_frames(scanner) -> None:
    for index, frames in enumerate((3, 3, 1)):
        for repetition in range(3 - frames, 3):
            for line in range(24):
                where = {"slice": index, "distance": 5.0 * index, "repetition": repetition}
                scanner.acquire(line, gain=1.0 + repetition, **where)
    found = read(scanner)
    assert {part: scan.kspace.shape[:3] for part, scan in found.items()} == {
        "slices0-1": (2, 3, 3),
        "slice2": (1, 3, 1),
    }
    np.testing.assert_allclose(
        found["slice2"].kspace[0][:, 0], scanner.ideal(distance=10.0, gain=3.0), **READ
    )


def test_slabs() -> None:
    scanner = Scanner(encoded=(16, 8, 4), recon=(16, 8, 4))
    scanner.points = [(scanner.voxel(1, 2, 1), 1)]
    for slab in range(2):
        for step_2 in range(4):
            for step_1 in range(8):
                scanner.acquire(step_1, step_2, slice=slab, distance=20.0 * slab, gain=1.0 + slab)
    found = read(scanner)
    assert {*found} == {"slab0", "slab1"}
    for slab, scan in enumerate(found.values()):
        ideal = scanner.ideal(distance=20.0 * slab, gain=1.0 + slab)
        np.testing.assert_allclose(scan.kspace[0][:, 0], ideal, **READ)
        middle = scan.affine @ [*(n // 2 for n in scan.matrix[::-1]), 1]
        np.testing.assert_allclose(middle[:3], [10.0, -20.0, 30.0 + 20.0 * slab], atol=1e-4)


def test_encodings_have_their_own_header(scanner) -> None:
    header = scanner.header()
    other = Scanner(encoded=(16, 12, 1), recon=(16, 12, 1), fov=(48.0, 36.0, 5.0))
    header.encoding += other.header().encoding
    for line in range(24):
        scanner.acquire(line)
    for line in range(12):
        scanner.acquire(line, samples=16, first=-8, data=np.ones((3, 16))).encoding_space_ref = 1
    found = read(scanner, header)
    assert {part: scan.kspace.shape for part, scan in found.items()} == {
        "encoding0": (1, 3, 1, 32, 24),
        "encoding1": (1, 3, 1, 16, 12),
    }
    np.testing.assert_allclose(found["encoding1"].voxel, (3.0, 3.0, 5.0))


def test_one_encoding_that_cannot_be_used_leaves_the_others(scanner) -> None:
    for line in range(24):
        scanner.acquire(line)
        scanner.acquire(line).encoding_space_ref = 1
    found = scans(scanner)
    np.testing.assert_allclose(found["encoding0"]().kspace[0][:, 0], scanner.ideal(), **READ)
    with pytest.raises(BadInput, match="the header describes 1 encodings, none of them 1"):
        found["encoding1"]()


def test_channels(scanner) -> None:
    for line in range(24):
        scanner.acquire(line)
    for line in range(24):
        scanner.acquire(line, slice=1, data=np.full((2, 32), 7))
    found = read(scanner)
    assert {part: scan.kspace.shape[:2] for part, scan in found.items()} == {
        "2ch": (1, 2),
        "3ch": (1, 3),
    }
    assert (found["2ch"].kspace[0] == 7).all()


def test_several_differences_are_all_named(scanner) -> None:
    stack(scanner, 0, 1.6, 4.8)
    for line in range(24):
        scanner.acquire(line, slice=9, data=np.ones((2, 32)))
    assert {*scans(scanner)} == {"2ch", "3ch-slices0-1", "3ch-slice2"}


def test_noise_and_separate_calibration_belong_to_every_part(scanner) -> None:
    scanner.acquire(0, data=np.ones((3, 64)), flags=(ismrmrd.ACQ_IS_NOISE_MEASUREMENT,), centre=0)
    header = scanner.header()
    header.encoding[0].parallelImaging = ismrmrd.xsd.parallelImagingType(
        accelerationFactor=ismrmrd.xsd.accelerationFactorType(
            kspace_encoding_step_1=2, kspace_encoding_step_2=1
        ),
        calibrationMode=ismrmrd.xsd.calibrationModeType.SEPARATE,
    )
    for index, distance in enumerate((0, 5, 40)):
        where = {"slice": index, "distance": distance}
        for line in range(0, 24, 2):
            scanner.acquire(line, **where)
        for line in range(8, 16):
            scanner.acquire(line, **where, flags=(ismrmrd.ACQ_IS_PARALLEL_CALIBRATION,))
    found = read(scanner, header)
    assert {*found} == {"slices0-1", "slice2"}
    for scan in found.values():
        assert scan.noise is not None
        assert scan.reference is not None
        assert scan.reference.kspace.shape[0] == scan.kspace.shape[0]


def test_one_of_several_is_chosen_by_name(scanner) -> None:
    found = scans(stack(scanner, 0, 1.6, 4.8))
    assert only("scan", found, "slice2").part == "slice2"
    with pytest.raises(BadInput, match=r"scan: holds 2 scans \(slices0-1, slice2\); .*--part"):
        only("scan", found)
    with pytest.raises(BadInput, match="no part 'slice9'; it holds slices0-1, slice2"):
        only("scan", found, "slice9")
