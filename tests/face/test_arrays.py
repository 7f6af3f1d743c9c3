"""K-space that somebody has in memory, as scans."""

import h5py
import numpy as np
import pytest
import torch

import gleam
from gleam import files


@pytest.fixture(scope="module")
def kspace():
    """(slice, coil, y, x), its readout y oversampled twice."""
    scan = gleam.simulate((40, 20), coils=3, slices=2, seed=1)
    return np.stack([scan.kspace[index] for index in range(2)])[:, :, 0]


@pytest.fixture(scope="module")
def lines():
    """Every other line along x, and a centre."""
    sampled = np.arange(20) % 2 == 0
    sampled[5:15] = True
    return sampled


def same(scan, kspace):
    """Whether it is that k-space, (slice, coil, y, x)."""
    return all(np.array_equal(scan.kspace[i][:, 0], part) for i, part in enumerate(kspace))


GIVEN = {
    "numpy": lambda k: k,
    "double": lambda k: k.astype(np.complex128),
    "big-endian": lambda k: k.astype(">c8"),
    "list": lambda k: k.tolist(),
    "torch": torch.from_numpy,
    "conjugate view": lambda k: torch.from_numpy(k.conj()).conj(),
    "negative strides": lambda k: k[:, :, ::-1, ::-1].copy()[:, :, ::-1, ::-1],
    "Fortran": np.asfortranarray,
}


@pytest.mark.parametrize("kind", GIVEN)
def test_any_array_is_a_scan(kind, kspace):
    scan = gleam.from_array(GIVEN[kind](kspace), oversampled="y")
    assert same(scan, kspace)
    assert scan.complete
    assert scan.readout == 0
    assert scan.matrix == (40, 20)


def test_an_array_that_must_not_be_written_is_not(kspace):
    kspace = kspace.copy()
    kspace.flags.writeable = False
    image = gleam.reconstruct(gleam.from_array(kspace), "cg-sense")  # torch would warn
    assert image.magnitude.max() > 0


def test_an_array_of_a_file_is_one(kspace, tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        assert same(gleam.from_array(file.create_dataset("anything", data=kspace)), kspace)


def test_axes_are_said_in_words(kspace):
    last = kspace[0].transpose(1, 2, 0)
    scan = gleam.from_array(last, "y:readout x coil", name="knee.1")
    assert same(scan, kspace[:1])
    assert (scan.name, scan.readout) == ("knee.1", 0)
    volume = gleam.from_array(kspace, "z coil y x")
    assert volume.kspace.shape == (1, 3, 1, 2, 80, 20)
    wrong = gleam.from_array(last)  # said to be coil y x
    assert "its axes look exchanged: 80 coils of 20 × 3" in wrong.warnings[0]
    assert repr(wrong).endswith(", fully sampled, 1 warning>")
    odd = gleam.from_array(np.fft.ifftshift(kspace, axes=(-2, -1)), "slice coil y x")
    assert "zero frequency is at the first sample" in odd.warnings[0]
    assert repr(gleam.prepare(odd)).endswith(", with target, 1 warning>")


@pytest.mark.parametrize(
    "given",
    [
        lambda m: m,
        lambda m: torch.from_numpy(m),
        lambda m: m.astype(float)[None],
        lambda m: np.broadcast_to(m, (80, 20)),
        lambda m: np.broadcast_to(m, (1, 1, 80, 20)),
        lambda m: np.broadcast_to(m, (2, 3, 80, 20)),
    ],
    ids=["x", "tensor", "numbers", "y x", "axes of length 1", "all axes"],
)
def test_what_was_sampled_is_said_by_a_pattern(given, kspace, lines):
    scan = gleam.from_array(kspace, sampled=given(lines))
    assert same(scan, kspace * lines)
    assert not scan.complete
    assert scan.calibration == ((0, 80), (5, 15))
    assert np.array_equal(scan.sampled, np.broadcast_to(lines, (1, 80, 20)))


def test_patterns_go_by_the_axes_of_kspace(kspace, lines):
    scan = gleam.from_array(kspace[0].transpose(2, 1, 0), "x y coil", sampled=lines[:, None])
    assert same(scan, kspace[:1] * lines)


def test_zeros_were_not_sampled_and_differ_between_slices(kspace, lines):
    patterns = np.stack([lines, lines[::-1]])[:, None, None]
    assert not gleam.from_array(kspace * patterns[:1]).complete
    with pytest.raises(gleam.BadInput, match=r"knee: holds 2 scans \(slice0, .* with part=…"):
        gleam.from_array(kspace * patterns, name="knee")
    scan = gleam.from_array(kspace * patterns, name="knee", part="slice1")
    assert scan.name == "knee-slice1"
    assert same(scan, (kspace * patterns)[1:])


def test_noise_and_voxels_are_the_users(kspace):
    random = np.random.default_rng(0)
    noise = random.normal(size=(3, 99)) + 1j * random.normal(size=(3, 99))
    scan = gleam.from_array(kspace, noise=torch.from_numpy(noise), voxel=(1.0, 2.0, 3.0))
    assert np.allclose(scan.noise, noise)
    assert scan.voxel == (1, 2, 3)
    assert np.allclose(np.abs(np.diag(scan.affine)), [2, 1, 3, 1])  # x y z
    assert gleam.prepare(scan).facts()["noise"] is not None


NAN = np.full((2, 3, 8, 8), np.nan, np.complex64)
ONES = np.ones((2, 3, 8, 8), np.complex64)
WRONG = {
    r"kspace is float64 of shape \(2, 3, 8, 8\); give complex": (np.ones((2, 3, 8, 8)), {}),
    "kspace is a str; give an array of numbers; gleam.load reads files": ("scan.h5", {}),
    "kspace is a NoneType; give an array": (None, {}),
    r"kspace has shape \(0, 3, 8, 8\), which holds nothing": (ONES[:0], {}),
    "array: k-space of slice 0, coil 0 holds values that are not finite": (NAN, {}),
    "slice 0, coil 0 holds values that are not finite": (ONES.astype("c16") * 1e300, {}),
    r"array: k-space has shape \(8, 8\); name its axes in this order, such as axes='y x coil'": (
        ONES[0, 0],
        {},
    ),
    "axes is a list; give words in one text": (ONES, {"axes": ["coil", "y", "x"]}),
    "axes=…: 'ky' is no axis; known are slice": (ONES, {"axes": "slice coil ky kx"}),
    "the array is 2 × 3 × 8 × 8, but axes='coil y x' has 3 words": (ONES, {"axes": "coil y x"}),
    "sampled holds other float64 values than 0 and 1": (ONES, {"sampled": np.full(8, 0.5)}),
    r"sampled has shape \(7,\), .* give the axes y x of sizes \(8, 8\), or 1": (
        ONES,
        {"sampled": np.ones(7)},
    ),
    "sampled differs between coils or slices": (
        ONES,
        {"sampled": np.eye(2)[:, :1, None, None]},
    ),
    "no k-space position was sampled": (ONES, {"sampled": np.zeros(8)}),
    r"noise has shape \(99, 3\); give \(coil, samples\) of 3 coils": (
        ONES,
        {"noise": np.ones((99, 3), complex)},
    ),
    r"noise has shape \(3, 74\); .* of 3 coils, and 75 samples or more, 25 for each coil": (
        ONES,
        {"noise": np.ones((3, 74), complex)},
    ),
    "noise is float64": (ONES, {"noise": np.ones((3, 99))}),
    "noise holds values that are not finite": (ONES, {"noise": np.full((3, 99), np.inf + 0j)}),
    r"voxel is \(1.0, 2.0\); give three sizes in mm": (ONES, {"voxel": (1, 2)}),
}


@pytest.mark.parametrize("message", WRONG)
def test_other_arrays_are_refused(message, as_users_call_it):
    kspace, settings = WRONG[message]
    with pytest.raises(gleam.BadInput, match=message):
        as_users_call_it(gleam.from_array)(kspace, **settings)


def test_a_scan_is_known_again_wherever_it_came_from(there, kspace):
    """By that a network knows what it has learnt from, and is not ranked on it."""
    of_file, of_path = gleam.prepare(gleam.load("scan.h5")), gleam.prepare("scan.h5")
    assert (
        of_file.source.header.sha256
        == of_path.source.header.sha256
        == files.sha256_of(there / "scan.h5")
    )
    other = kspace.copy()
    other[1, 2, 3, 4] += 1
    axes = "slice coil y:readout x"
    one, again, changed = (
        gleam.prepare(gleam.from_array(array, axes)).source.header.sha256
        for array in (kspace, kspace.copy(), other)
    )
    assert one == again != changed
