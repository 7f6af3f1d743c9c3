"""Zeros that come by chance, as in integers of few channels, and zeros that are gaps."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gleam.formats import Layout, read_scan, read_scans
from gleam.formats.zeros import sampled_by_zeros

Pattern = NDArray[np.bool_]
EVERY_THIRD = np.arange(28) % 3 == 0


def integers(
    shape: tuple[int, ...] = (32, 28), coils: int = 1, seed: int = 0
) -> NDArray[np.complex128]:
    """(coil, *space): noise of a converter's steps, and signal in the middle."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(2, coils, *shape))
    middle = np.hypot(*np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    drawn = np.rint(noise * (1 + 500 * np.exp(-30 * middle**2)))
    kspace: NDArray[np.complex128] = drawn[0] + 1j * drawn[1]
    assert (kspace == 0).all(0).sum() > 5
    return kspace


def pattern(kspace: NDArray[np.complex128], readout: int | None = None) -> Pattern:
    """(*space) of one slice of one frame."""
    (found,) = sampled_by_zeros([kspace[:, None].astype(np.complex64)], readout)
    return found[0]


@pytest.mark.parametrize("coils", [1, 2])
@pytest.mark.parametrize("scale", [1, 0.0123])
@pytest.mark.parametrize("readout", [None, 0, 1])
def test_integers_that_are_zero_by_chance_were_sampled(coils, scale, readout):
    assert pattern(scale * integers(coils=coils, shape=(64, 56)), readout).all()


@pytest.mark.parametrize("readout", [None, 0])
def test_lines_that_are_zero_throughout_are_missing(readout):
    found = pattern(integers() * EVERY_THIRD, readout)
    np.testing.assert_array_equal(found, np.broadcast_to(EVERY_THIRD, (32, 28)))


@pytest.mark.parametrize("readout", [None, 0])
def test_samples_before_an_asymmetric_echo_are_missing(readout):
    echo = (np.arange(32) >= 17)[:, None]
    np.testing.assert_array_equal(
        pattern(integers() * echo * EVERY_THIRD, readout), echo & EVERY_THIRD
    )


def test_numbers_with_fractions_are_never_zero_by_chance():
    rng = np.random.default_rng(1)
    keep = rng.random((32, 28)) < 0.9
    kspace = rng.normal(size=(1, 32, 28)) + 1j * rng.normal(size=(1, 32, 28))
    np.testing.assert_array_equal(pattern(kspace * keep), keep)


def test_lines_of_a_known_readout_have_no_holes_unless_much_is_missing():
    rng = np.random.default_rng(1)
    kspace = rng.normal(size=(1, 32, 28)) + 1j * rng.normal(size=(1, 32, 28))
    few, many = rng.random((32, 28)) < 0.9, rng.random((32, 28)) < 0.4
    assert pattern(kspace * few, 0).all()
    np.testing.assert_array_equal(pattern(kspace * many, 0), many)


@pytest.mark.parametrize("kind", ["points", "ellipse"])
def test_gaps_in_the_plane_stay_gaps_in_integers(kind):
    y, x = np.ogrid[-1:1:32j, -1:1:28j]
    points = np.random.default_rng(2).random((32, 28)) < 0.5 * (1 + (np.hypot(y, x) < 0.3))
    keep = points if kind == "points" else np.hypot(y, x) <= 1
    kspace = integers() * keep
    np.testing.assert_array_equal(pattern(kspace), kspace[0] != 0)


@pytest.mark.parametrize("said", [None, "slice coil y:readout x"])
def test_zeros_by_chance_split_no_stack(tmp_path: Path, said):
    stack = np.stack([integers(seed=seed) for seed in range(4)]) * EVERY_THIRD
    np.save(tmp_path / "stack.npy", stack.astype(np.complex64))
    layout = None if said is None else Layout.parse(said)
    assert list(read_scans(tmp_path / "stack.npy", layout)) == [""]
    scan = read_scan(tmp_path / "stack.npy", layout)
    np.testing.assert_array_equal(scan.sampled[0], np.broadcast_to(EVERY_THIRD, (32, 28)))
    np.testing.assert_array_equal(scan.kspace[2], stack[2][:, None])


def test_integers_of_a_full_scan_are_complete(tmp_path: Path):
    np.save(tmp_path / "scan.npy", integers(coils=2, shape=(64, 56)).astype(np.complex64))
    assert read_scan(tmp_path / "scan.npy").complete


def test_lines_of_a_volume_and_of_frames_of_their_own():
    keep = np.random.default_rng(3).random((2, 1, 12, 10)) < 0.4
    rng = np.random.default_rng(4)
    kspace = np.rint(rng.normal(size=(2, 24, 12, 10))) + 1j * np.rint(
        rng.normal(size=(2, 24, 12, 10))
    )
    (found,) = sampled_by_zeros([[(kspace * keep).astype(np.complex64)]], None)
    np.testing.assert_array_equal(found, np.broadcast_to(keep, found.shape))
