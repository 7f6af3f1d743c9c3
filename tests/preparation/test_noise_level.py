"""The noise that preparation finds in scans whose noise is known."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import every_second_line, prepared, tiny_scan, undersampled

from benchmarks import noise
from benchmarks.noise import families, found, noisy, outcomes, summary
from gleam.data.collate import Item, collate
from gleam.data.example import ExampleFile, write
from gleam.errors import BadInput
from gleam.formats import Scan, read_scan
from gleam.preparation.noise_level import acquired, whitened
from gleam.simulation import simulate_scan


@pytest.fixture(scope="module")
def clean() -> Scan:
    return simulate_scan((48, 40), 4, 2, 1e7, 1, oversized=0.0)


def test_a_part_of_the_benchmark_holds_what_it_shall() -> None:
    some = summary(list(outcomes((2, 4), (5.0, 500.0), [0], most=1)))
    assert some["worst_ratio"] < 1.25
    assert some["worst_ratio_few_coils"] < 1.25
    assert some["unknown_fraction_from_four_coils"] < 0.1


@pytest.mark.parametrize(("unequal", "snr"), [(1, 3000), (13, 500), (13, 3000)])
@pytest.mark.parametrize("four", [False, True])
def test_four_coils_tell_though_signal_is_everywhere(
    unequal: float, snr: float, four: bool
) -> None:
    """Neither has a place without signal, nor do lines predict each other."""
    scan = simulate_scan((128, 128), 4, 1, 1e7, 1, 1, oversized=0.0)
    scan = noise.undersampled(scan) if four else scan
    assert found(*noisy(scan, snr, unequal, False, 1)) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize(
    ("shape", "frames", "cropped", "blocks", "lines", "samples"),
    [
        ((48, 40), 1, False, 1, 17, 32),
        ((48, 40), 1, True, 1, 17, 16),
        ((48, 40), 4, True, 4, 17, 16),
        ((16, 48, 40), 1, False, 8, 16, 16),  # of 4 planes both ends across, too
        ((16, 48, 40), 1, True, 4, 16, 16),
    ],
)
def test_calibration_blocks_are_of_both_ends(
    shape: tuple[int, ...], frames: int, cropped: bool, blocks: int, lines: int, samples: int
) -> None:
    """Halves have no sample in common; readouts are twice as long as the matrix."""
    whole = simulate_scan(shape, 2, 1, 100.0, 1, frames=frames, oversized=0.0)
    _, found = acquired(noise.undersampled(whole), cropped)
    assert found is not None
    assert found.shape == (2, 2, blocks, lines, samples)
    assert set(found[0, 0].flatten().tolist()).isdisjoint(found[0, 1].flatten().tolist())


def test_blocks_that_were_filled_in_do_not_count(clean: Scan) -> None:
    kspace = np.array(clean.kspace)
    kspace[1, :, :, -8:] = 0
    _, some = acquired(replace(clean, kspace=kspace))
    _, whole = acquired(clean)
    assert some is not None
    assert whole is not None
    assert 0 < some.shape[2] < whole.shape[2]


def test_equal_coils_stay_as_they_are(clean: Scan) -> None:
    scan, levels = noisy(clean, 30, 1, False, 0)
    matrix, level = whitened(scan)
    assert matrix is None
    assert level == pytest.approx(levels[0], rel=0.1)


@pytest.mark.parametrize("snr", [5, 300])
def test_coils_of_unequal_noise_are_brought_to_one_level(clean: Scan, snr: float) -> None:
    scan, levels = noisy(clean, snr, 13, False, 0)
    matrix, level = whitened(scan)
    assert matrix is not None
    assert level is not None
    np.testing.assert_allclose(matrix.diagonal().abs().numpy() * levels, level, rtol=0.2)
    example = prepared(scan, coils=3)  # and stay so when they are compressed
    assert example.header.noise == pytest.approx(level / example.header.scale)


def test_a_noise_scan_goes_before_and_averaged_lines_have_less(clean: Scan) -> None:
    scan, _ = noisy(clean, 30, 13, True, 0)
    assert whitened(scan)[1] == 1
    assert scan.noise is not None
    averaged = replace(scan, noise=2 * scan.noise)  # as of lines that were averaged four times
    assert whitened(averaged)[1] == pytest.approx(0.5, rel=0.1)


def test_samples_that_are_alone_on_every_axis(clean: Scan) -> None:
    """Undersampled along both axes, as in a slice of a volume that was taken apart."""
    keep = np.random.default_rng(0).random(clean.space) < 0.4
    keep[40:56, 12:28] = True
    scan = undersampled(noisy(clean, 5, 1, False, 0)[0], keep[None])
    assert found(scan, noisy(clean, 5, 1, False, 0)[1]) == pytest.approx(1, rel=0.2)


def test_an_asymmetric_echo_and_undersampling(clean: Scan) -> None:
    scan, levels = noisy(clean, 20, 1, False, 0)
    keep = np.broadcast_to(every_second_line(40), (1, *clean.space)).copy()
    keep[:, :30] = False
    assert found(undersampled(scan, keep), levels) == pytest.approx(1, rel=0.2)


@pytest.fixture
def unknown() -> Scan:
    """One coil, an object beyond the field of view, and next to no noise."""
    return simulate_scan((48, 40), 1, 1, 1e5, 1, oversampling=1, oversized=1.0)


def test_unknown_noise_is_kept_as_such(unknown: Scan, tmp_path: Path) -> None:
    example = prepared(unknown)
    assert example.header.noise is None
    write(example, tmp_path / "scan.h5")
    read = ExampleFile(tmp_path / "scan.h5")
    assert read.header.noise is None
    noise = collate([Item(read, 0, 0)], None).measurement.noise
    assert noise is not None
    assert math.isnan(float(noise))


def test_samples_that_are_no_numbers_are_refused(clean: Scan) -> None:
    kspace = np.array(clean.kspace)
    kspace[1, 0, 0, 3, 3] = np.nan
    with pytest.raises(BadInput, match="slice 1 of its k-space has NaN"):
        whitened(replace(clean, kspace=kspace))


def test_families_are_next_to_noiseless() -> None:
    """Or else the truth would not be known."""
    for _, scan in families(2, 0):
        kspace = torch.from_numpy(np.array(scan.kspace[0]))
        level = whitened(scan)[1]
        assert level is None or level < 1e-3 * kspace.abs().square().mean().sqrt()
        break


def test_a_scan_of_zeros_has_no_level() -> None:
    scan = tiny_scan(slices=1)
    assert whitened(replace(scan, kspace=np.zeros_like(scan.kspace))) == (None, None)


def test_a_real_scan_agrees_with_its_noise_scan(shared_data: Path) -> None:
    """Its receiver's filter makes the noise beyond the field of view less."""
    scan = read_scan(shared_data / "ismrmrd_Skyra_R3acs_14ch.h5")
    assert scan.noise is not None
    level = whitened(replace(scan, noise=None))[1]
    assert level == pytest.approx(np.sqrt(np.mean(np.abs(scan.noise) ** 2)), rel=0.2)
