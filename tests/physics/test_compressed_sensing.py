import math
import shutil
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from toys import noise, toy_measurement, toy_sense

from benchmarks import bart
from gleam.arrays import Image, narrow
from gleam.errors import BadInput
from gleam.physics.baselines import cg_sense, sliding_window
from gleam.physics.compressed_sensing import (
    LOW_RANK,
    TEMPORAL_TV,
    WAVELET,
    _fista,
    low_rank,
    temporal_tv,
    wavelet,
)
from gleam.physics.measurement import Measured
from gleam.physics.slabs import Slabbed
from gleam.preparation.prepare import Prepared, Settings
from gleam.recipe import MaskRecipe
from gleam.simulation.scan import simulate_scan
from gleam.training.meter import metered

NEEDS_BART = pytest.mark.skipif(shutil.which("bart") is None, reason="bart is not installed")


def undersampled(kind: str, acceleration: float, size: int = 64, frames: int = 1) -> bart.Case:
    scan = simulate_scan((size, size), coils=5, slices=1, snr=50.0, frames=frames, seed=1)
    settings = Settings(calibration=0 if frames > 1 else None)
    (case,) = bart.undersample(
        [Prepared(scan, settings)], MaskRecipe(kind=kind, acceleration=acceleration)
    )
    return case


@NEEDS_BART
@pytest.mark.parametrize(("kind", "acceleration"), [("equispaced", 4), ("poisson", 8)])
def test_wavelets_are_as_good_as_those_of_bart(kind, acceleration):
    case = undersampled(kind, acceleration, 96)
    ours = case.psnr(wavelet(case.measurement, 0.005))
    assert ours > case.psnr(bart.wavelet(case, 0.005)) - 0.1
    assert ours > case.psnr(cg_sense(case.measurement)) + 2


@NEEDS_BART
def test_temporal_variation_is_as_good_as_that_of_bart():
    case = undersampled("kt-random", 6, 48, frames=12)
    ours = case.psnr(temporal_tv(case.measurement, 0.005))
    assert ours > case.psnr(bart.temporal_variation(case, 0.005)) - 0.1
    assert ours > case.psnr(sliding_window(case.measurement)) + 2


def test_low_rank_is_better_than_a_sliding_window():
    case = undersampled("kt-random", 4, 48, frames=12)
    window = case.psnr(sliding_window(case.measurement))
    assert case.psnr(low_rank(case.measurement)) > window + 2


METHODS = [wavelet, temporal_tv, low_rank]


@pytest.mark.parametrize("method", METHODS)
@torch.no_grad()
def test_volume_slab_by_slab_is_the_whole(method: Callable[[Measured], Image]) -> None:
    sense = toy_sense((11, 9, 8), (-2, -1), batch=1, frames=3)
    whole, _ = toy_measurement(sense, 3)
    parts = Slabbed(
        lambda positions: narrow(sense.maps, -3, positions),
        whole.mask,
        whole.axes,
        -3,
        4,
        whole.adjoint,
        whole.noise,
    )
    expected = method(whole)
    assert (method(parts) - expected).norm() < 1e-4 * expected.norm()


@pytest.mark.parametrize("method", METHODS)
def test_two_map_sets_and_neighbours_in_the_batch(method: Callable[[Measured], Image]) -> None:
    """An image is the same whoever is reconstructed beside it."""
    measurement, _ = toy_measurement(toy_sense((16, 18), sets=2, frames=4, one_mask=True), 4)
    both = method(measurement)
    sense = measurement.sense
    alone = type(measurement)(
        type(sense)(sense.maps[:1], sense.mask, sense.axes),
        measurement.adjoint[:1],
        measurement.noise[:1],
    )
    assert both.shape == measurement.adjoint.shape
    assert (method(alone) - both[:1]).norm() < 1e-5 * both[:1].norm()


@pytest.mark.parametrize("method", METHODS)
def test_minimises_what_it_says(method: Callable[..., Image]) -> None:
    """With no weight, and more equations than unknowns, it is least squares."""
    sense = toy_sense((8, 8), frames=4, coils=4)
    image = noise(2, 1, 4, 8, 8)
    full = type(sense)(sense.maps, torch.ones_like(sense.mask), sense.axes)
    measurement = type(toy_measurement(full, 4)[0]).of(full, full.forward(image))
    assert (method(measurement, 0.0) - image).norm() < 1e-2 * image.norm()


@pytest.mark.parametrize("averaged", [None, 1, 3])
def test_steps_are_those_of_fista_and_the_last_ones_are_averaged(averaged):
    """Beck & Teboulle 2009, written a second time; at its start, where momentum still counts."""
    measurement, _ = toy_measurement(toy_sense(coils=2))
    sense = measurement.sense

    def proximal(z: Image) -> Image:
        return z * (1 - 0.1 / z.abs()).clamp(min=0)

    images, x = [], sliding_window(measurement)
    y, t = x, 1.0
    for _ in range(6):
        after = proximal(y - (sense.normal(y) - measurement.adjoint))
        later = (1 + math.sqrt(1 + 4 * t**2)) / 2
        y = after + (t - 1) / later * (after - x)
        x, t = after, later
        images.append(x)
    expected = torch.stack(images[-(averaged or 1) :]).mean(0)
    found = _fista(measurement, proximal, 6, *([averaged] if averaged else []))
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()


def test_is_zero_where_the_coils_see_nothing():
    sense = toy_sense((16, 16))
    sense.maps[..., :5] = 0
    found = wavelet(toy_measurement(sense)[0])
    assert found[..., :5].abs().max() == 0 < found[..., 5:].abs().max()


@pytest.mark.parametrize("method", [temporal_tv, low_rank])
def test_what_is_of_series_is_refused_for_one_frame(method):
    with pytest.raises(BadInput, match="this scan has one frame"):
        method(toy_measurement(toy_sense())[0])


def test_the_weight_follows_the_noise_of_each_example():
    sense = toy_sense((16, 18), frames=4, one_mask=True)
    measurement, _ = toy_measurement(sense, 4)
    levels = torch.tensor([0.01, 0.3])
    for method, rule in ((wavelet, WAVELET), (temporal_tv, TEMPORAL_TV), (low_rank, LOW_RANK)):
        followed = method(replace(measurement, noise=levels))
        for k, level in enumerate(levels):
            given = method(measurement, rule.least + rule.slope * float(level) ** 1.5)
            torch.testing.assert_close(followed[k], given[k])
        torch.testing.assert_close(
            method(replace(measurement, noise=levels * torch.nan)),
            method(replace(measurement, noise=None)),
        )


@pytest.mark.parametrize("snr", [8.0, 1000.0])
def test_a_weight_that_follows_beats_a_fixed_one_where_scans_are_noisy_or_clean(snr):
    scan = simulate_scan((64, 64), coils=5, slices=1, snr=snr, seed=1)
    clean = simulate_scan((64, 64), coils=5, slices=1, snr=1e7, seed=1)
    (case,) = bart.undersample([Prepared(scan, Settings())], MaskRecipe(kind="poisson"))
    truth = Prepared(clean, Settings())
    target = truth[0].target * truth.header.scale / Prepared(scan, Settings()).header.scale
    error = [
        (image - target).norm()
        for image in (wavelet(case.measurement), wavelet(case.measurement, 0.005))
    ]
    assert error[0] < 0.9 * error[1]


def test_of_a_volume_in_slabs_the_image_is_held_and_never_all_maps():
    coils, space = 24, (24, 20, 16)
    pattern = torch.arange(16) % 2 == 0
    phases = torch.linspace(0, 3, coils).reshape(-1, 1, 1, 1, 1)

    def maps(at: range) -> torch.Tensor:
        ones = torch.ones(1, 1, coils, 1, len(at), *space[1:])
        return torch.polar(ones / coils**0.5, phases * ones)

    adjoint = noise(1, 1, 1, *space)
    parts = Slabbed(maps, pattern.expand(1, 1, 1, 1, 1, 16), (-1,), -3, 2, adjoint)
    _, peak = metered(lambda: wavelet(parts, steps=3), torch.device("cpu"))
    _, whole = metered(lambda: wavelet(parts.whole(), steps=3), torch.device("cpu"))
    assert peak < 16 * adjoint.nbytes  # steps, wavelets and what is thresholded
    assert peak < 0.5 * whole
