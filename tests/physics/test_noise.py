"""Noise of known levels, beside simulated signal; with and without places that are empty."""

import math

import numpy as np
import pytest
import torch

from gleam.physics.noise import (
    _quietest,
    known,
    noise_levels,
    prediction,
    quiet_places,
)
from gleam.simulation import simulate_scan


def lines(
    coils: int, snr: float, oversampling: int = 2, unequal: float = 1.0, size: int = 64
) -> tuple[torch.Tensor, torch.Tensor]:
    """Readouts, the outermost first, and the true level of each coil."""
    scan = simulate_scan((size, size), coils, 1, 1e7, 3, oversampling, oversized=0.0)
    kspace = torch.from_numpy(np.array(scan.kspace[0])[:, 0])
    level = kspace.abs().square().mean().sqrt() / snr
    levels = level * torch.logspace(0, math.log10(unequal), coils)
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(kspace.shape, dtype=kspace.dtype, generator=generator)
    order = (torch.arange(size) - size // 2).abs().argsort(descending=True)
    return (kspace + noise * levels[:, None, None]).movedim(1, -1)[:, order], levels


@pytest.mark.parametrize("coils", [1, 2, 4, 8])
@pytest.mark.parametrize("snr", [1.0, 10.0, 200.0])
@pytest.mark.parametrize("unequal", [1.0, 13.0])
def test_every_coil_has_its_own_level(coils: int, snr: float, unequal: float) -> None:
    data, truth = lines(coils, snr, unequal=unequal)
    ratio = noise_levels(data) / truth
    assert ratio.min() > 0.8
    assert ratio.max() < 1.25


def test_coils_predict_each_other_where_no_place_is_empty() -> None:
    data, truth = lines(8, 50, oversampling=1, size=96)
    levels, sure = prediction(data)
    assert sure.sum() > 4
    ratio = (levels / truth)[sure]
    assert ratio.min() > 0.8
    assert ratio.max() < 1.25


def test_signal_everywhere_is_not_taken_for_noise() -> None:
    """One coil, an object as large as the field of view, and next to no noise."""
    scan = simulate_scan((64, 64), 1, 1, 1e5, 3, 1, oversized=1.0)
    kspace = torch.from_numpy(np.array(scan.kspace[0])[:, 0]).movedim(1, -1)
    order = (torch.arange(64) - 32).abs().argsort(descending=True)
    assert noise_levels(kspace[:, order]).isnan().all()


@pytest.mark.parametrize("coils", [2, 4])
@pytest.mark.parametrize("snr", [50, 200])
def test_what_more_neighbours_predict_better_is_not_taken_for_noise(coils: int, snr: float) -> None:
    """Where the object fills the field of view; with two coils, estimates are manifold."""
    data, truth = lines(coils, snr, oversampling=1)
    levels, sure = prediction(data)
    assert sure.any() == (coils > 2)
    assert (levels / truth <= torch.where(sure, 1.25, torch.inf)).all()


@pytest.mark.parametrize(("places", "sure"), [(1, False), (3, True)])
def test_one_place_in_twenty_may_be_quiet_by_chance(places: int, sure: bool) -> None:
    power = torch.full((1, 8, 20), 5.0)
    power[:, :, 4 : 4 + places] = 1.0  # at all frequencies
    assert _quietest(power, 400) == (1.0, sure)


@pytest.mark.parametrize("shape", [(3, 64, 128), (1, 200, 32), (2, 4096, 1), (5, 40, 16)])
def test_pure_noise_of_any_shape(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(1)
    noise = 3e-9 * torch.randn(shape, dtype=torch.complex64, generator=generator)
    ratio = noise_levels(noise) / 3e-9
    assert ratio.min() > 0.85
    assert ratio.max() < 1.15


def test_what_a_scanner_filled_with_zeros_does_not_count() -> None:
    data, truth = lines(4, 20)
    data[:, :16] = 0
    ratio = noise_levels(data) / truth
    assert ratio.min() > 0.8
    assert ratio.max() < 1.25


def test_a_silent_coil_beside_others() -> None:
    data, truth = lines(4, 20)
    data[2] = 0
    ratio = noise_levels(data) / truth
    assert ratio[2] == 0
    assert ratio[[0, 1, 3]].min() > 0.8
    assert ratio.max() < 1.25
    assert noise_levels(torch.zeros_like(data)).isnan().all()


def test_more_of_the_scan_is_never_worse() -> None:
    data, truth = lines(1, 20)
    level, sure = quiet_places(data)
    assert sure.all()
    assert torch.equal(noise_levels(data, data), noise_levels(data))
    assert level == pytest.approx(truth, rel=0.1)


def test_the_usual_level_stands_for_one_that_is_not_known() -> None:
    assert known(torch.tensor([0.1, math.nan])).tolist() == pytest.approx([0.1, 0.05])
