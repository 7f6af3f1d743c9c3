import numpy as np
import pytest
import torch

from gleam.physics.noise import noise_level
from gleam.simulation import simulate_scan


def calibration(coils: int, snr: float, box: tuple[int, int] = (24, 10)) -> torch.Tensor:
    kspace = simulate_scan((64, 64), coils, 2, snr, 3, oversampling=1).kspace
    centre = [slice(32 - n // 2, 32 - n // 2 + n) for n in box]
    return torch.from_numpy(np.stack([kspace[i][:, 0] for i in range(2)])[:, :, *centre].copy())


@pytest.mark.parametrize("coils", [5, 8, 16])
@pytest.mark.parametrize(("snr", "most"), [(10.0, 1.4), (50.0, 1.6), (200.0, 2.6)])
def test_the_noise_that_was_added_is_found_beside_the_signal(
    coils: int, snr: float, most: float
) -> None:
    noisy, clean = calibration(coils, snr), calibration(coils, 1e7)
    truth = float((noisy - clean).abs().square().mean().sqrt())
    assert 0.9 * truth < noise_level(noisy) < most * truth


@pytest.mark.parametrize("box", [(24, 10), (10, 10), (18, 14), (7, 24), (4, 4), (3, 3)])
def test_pure_noise_of_any_box(box: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(1)
    noise = 3 * torch.randn(4, 6, *box, dtype=torch.complex64, generator=generator)
    assert noise_level(noise) == pytest.approx(3, rel=0.2)


def test_a_small_box_of_many_coils() -> None:
    """Fewer patches than the patches have entries: signal must not fill what is left."""
    noisy, clean = calibration(16, 50.0, (10, 10)), calibration(16, 1e7, (10, 10))
    truth = float((noisy - clean).abs().square().mean().sqrt())
    assert 0.9 * truth < noise_level(noisy) < 2.5 * truth


def test_scales_with_the_data_and_is_zero_without_any() -> None:
    data = calibration(6, 30.0)
    assert noise_level(100 * data) == pytest.approx(100 * noise_level(data), rel=1e-3)
    assert noise_level(torch.zeros(1, 4, 12, 12, dtype=torch.complex64)) == 0


def test_one_coil_gives_an_upper_bound() -> None:
    noisy, clean = calibration(1, 20.0), calibration(1, 1e7)
    assert noise_level(noisy) > 0.9 * float((noisy - clean).abs().square().mean().sqrt())


def test_a_volume() -> None:
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(1, 6, 12, 10, 10, dtype=torch.complex64, generator=generator)
    assert noise_level(noise) == pytest.approx(1, rel=0.2)
