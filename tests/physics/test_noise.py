"""Noise of known levels, beside simulated signal; with and without places that are empty."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from gleam.physics.noise import (
    Blocks,
    Lines,
    _Left,
    _quietest,
    _told,
    known,
    noise_levels,
    prediction,
    prediction_in_blocks,
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


def no_place_empty(coils: int, snr: float, unequal: float = 1.0) -> tuple[Lines, Blocks, Tensor]:
    """Lines without quiet places, blocks of the 16 in the middle, and the true levels."""
    data, truth = lines(coils, snr, oversampling=1, unequal=unequal, size=128)
    inwards = (torch.arange(128) - 64).abs().argsort(descending=True).argsort()
    middle = data[:, inwards][:, 56:72]
    return data, torch.stack([middle[..., :42], middle[..., -42:]], 1)[:, :, None], truth


@pytest.mark.parametrize(("coils", "snr", "unequal"), [(2, 1000, 1), (4, 1000, 13), (5, 200, 13)])
def test_neighbours_on_all_sides_predict_what_those_on_a_line_do_not(
    coils: int, snr: float, unequal: float
) -> None:
    data, blocks, truth = no_place_empty(coils, snr, unequal)
    assert noise_levels(data).isnan().all() or coils > 4
    levels, sure = prediction_in_blocks(blocks)
    assert sure.sum() >= coils / 2
    ratio = (levels / truth)[sure]
    assert ratio.min() > 0.8
    assert ratio.max() < 1.2
    assert (noise_levels(data, blocks=blocks) / truth)[sure].sub(1).abs().max() < 0.2


def test_the_last_coils_are_predicted_by_as_many_as_the_others() -> None:
    _, blocks, _ = no_place_empty(5, 1000)
    assert torch.equal(prediction_in_blocks(blocks)[0][1:], prediction_in_blocks(blocks[1:])[0])


def test_blocks_with_too_few_samples_do_not_tell() -> None:
    _, blocks, _ = no_place_empty(2, 1000)
    assert prediction_in_blocks(blocks)[1].all()
    assert not prediction_in_blocks(blocks[..., :18])[1].any()
    assert prediction_in_blocks(blocks[..., :6])[0].isinf().all()


def test_lines_of_two_coils_do_not_tell() -> None:
    """More neighbours predict no better, and yet all of it is signal."""
    scan = simulate_scan((48, 48), 2, 1, 1e7, 1, 1, oversized=1.0)
    kspace = torch.from_numpy(np.array(scan.kspace[0])[:, 0]).movedim(1, -1)
    order = (torch.arange(48) - 24).abs().argsort(descending=True)
    assert not prediction(kspace[:, order])[1].any()


def left(level: list[float], most: list[float], from_the_first: float) -> _Left:
    """What two coils leave: the second has some noise of the first."""
    weights = torch.tensor([[0.0, 0.0], [from_the_first, 0.0]]).double()
    return _Left(torch.tensor(level).double(), torch.tensor(most).double(), weights)


def test_the_small_rest_of_the_noise_of_others_is_not_taken_for_a_coils_own() -> None:
    """It is then at most what is left without the noise that is known."""
    some = left([10, 1.0], [10, 5.0], 0.24)
    levels, sure = _told(some, some, enough=True)
    assert sure.tolist() == [True, False]
    assert levels.tolist() == pytest.approx([10, 2.5])  # never less than half
    some = left([5, 3.0], [5, 5.0], 0.6)
    assert _told(some, some, enough=True)[1].all()


@pytest.mark.parametrize(("weight", "sure"), [(0.05, True), (0.5, False)])
def test_what_hangs_on_an_unknown_coil_is_unknown(weight: float, sure: bool) -> None:
    more, fewer = left([1, 1.0], [1, 1.2], weight), left([2, 1.0], [2, 1.2], weight)
    levels, told = _told(more, fewer, enough=True)
    assert told.tolist() == [False, sure]
    assert levels.tolist() == pytest.approx([1, 1.0 if sure else 1.2])


@pytest.mark.parametrize("coils", [2, 8])
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
