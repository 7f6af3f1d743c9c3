"""Series whose frames differ in sign and contrast: what scans are calibrated from cancels not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import prepared, undersampled

from gleam.formats import Scan
from gleam.physics.espirit import espirit
from gleam.preparation.calibration import from_reference
from gleam.preparation.centre import _few
from gleam.preparation.grid import Grid
from gleam.simulation import simulate_scan

LINES = 36
OPPOSITE = (1.0, -0.97)
RECOVERY = (-0.9, -0.5, 0.05, 0.5, 0.9)  # of inversion recovery


@pytest.fixture(scope="module")
def still() -> Scan:
    return simulate_scan((40, LINES), 6, 2, 1e5, 3, name="still")


def series(still: Scan, gains: tuple[float, ...], noise: float = 0) -> Scan:
    """The scan once for each gain, with complex noise of E|n|² = noise²."""
    kspace = np.concatenate([g * np.asarray(still.kspace) for g in gains], axis=2)
    added = np.random.default_rng(0).normal(size=(*kspace.shape, 2)) @ [1, 1j]
    kspace = kspace + noise / np.sqrt(2) * added
    return replace(still, name="series", kspace=kspace.astype(np.complex64))


def agreement(scan: Scan, still: Scan, **settings: int) -> float:
    """Of the maps of two scans where there is an object, in dB."""
    maps, others = (prepared(s, calibration=20, **settings)[0].maps for s in (scan, still))
    seen = others.abs().sum(1) > 0
    error = ((maps - others) * seen).norm() / others.norm()
    return float(-20 * torch.log10(error))


def rms(gains: tuple[float, ...]) -> float:
    return float(np.sqrt(np.mean(np.square(gains))))


@pytest.mark.parametrize("gains", [OPPOSITE, RECOVERY])
def test_maps_scale_and_noise_of_a_series_do_not_cancel(
    still: Scan, gains: tuple[float, ...]
) -> None:
    level = 5e-4 * np.abs(still.kspace).max()
    scan = series(still, gains, level)
    assert agreement(scan, still) > 24
    header = prepared(scan).header
    assert header.scale == pytest.approx(rms(gains) * prepared(still).header.scale, rel=0.02)
    assert header.noise == pytest.approx(level / header.scale, rel=0.1)
    assert not header.warnings


def test_own_centre_of_every_frame_goes_before_the_average_over_time(still: Scan) -> None:
    lines = np.arange(LINES) % 3 == np.arange(8)[:, None] % 3
    averaged = undersampled(series(still, OPPOSITE * 4), lines[:, None])
    lines[:, LINES // 2 - 6 :][:, :12] = True
    own = undersampled(series(still, OPPOSITE * 4), lines[:, None])
    example, expected = prepared(own), prepared(still, calibration=12)
    assert example.header.calibration == (24, 12)
    assert not example.header.warnings
    error = (example[0].maps - expected[0].maps).norm() / expected[0].maps.norm()
    assert error < 0.03

    (warning,) = prepared(averaged).header.warnings
    assert "frames differ in sign or contrast" in warning
    assert "% of their energy" in warning


def test_average_that_cancels_is_said_and_keeps_the_scale(still: Scan) -> None:
    scan = series(still, (1.0,) * 8 + (-0.97,) * 8)
    (warning,) = prepared(scan, calibration=0).header.warnings
    assert "--reference" in warning
    alike = prepared(series(still, (1.0, 0.97) * 8), calibration=0).header
    assert not alike.warnings
    assert prepared(scan, calibration=0).header.scale == pytest.approx(alike.scale, rel=0.5)


def test_reference_whose_frames_cancel_is_as_good(still: Scan) -> None:
    every_third = undersampled(still, (np.arange(LINES) % 3 == 0)[None, None])
    grid = Grid.of(still)
    reference = series(still, (2.0, -1.94))
    calibration = from_reference(every_third, grid, reference, 20)
    assert calibration.gain == pytest.approx(1 / rms((2.0, 1.94)), rel=1e-3)
    expected = espirit(from_reference(every_third, grid, still, 20).kspace, grid.space)
    found = espirit(calibration.kspace, grid.space)
    assert (found - expected).norm() < 0.01 * expected.norm()


def test_few_virtual_frames_stand_for_many(still: Scan) -> None:
    slices = torch.from_numpy(np.asarray(still.kspace))[:, :, 0, 32:48, 12:24]
    generator = torch.Generator().manual_seed(0)
    contrasts = torch.randn(40, 2, dtype=torch.complex64, generator=generator)
    frames = torch.einsum("fs,sc...->cf...", contrasts, slices)
    few = _few(frames)
    assert few.shape == (6, 8, 16, 12)
    assert few.norm() ** 2 == pytest.approx(float(frames.norm() ** 2) / 40, rel=1e-3)
    many, expected = (espirit(k[None], (20, 18)) for k in (few, frames))
    torch.testing.assert_close(many, expected, rtol=0, atol=1e-3)
