import numpy as np
import pytest
import torch

from gleam.errors import BadInput
from gleam.formats.noise import PER_COIL
from gleam.physics.coils import compression_matrix, mix, whitening_matrix


def random(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=torch.complex64, generator=generator)


def test_whitened_noise_has_the_identity_as_covariance():
    correlated = random(6, 6, seed=1) @ random(6, 4000) * 1e-5
    correlated[2] *= 100
    matrix = whitening_matrix(correlated)
    white = mix(correlated[None], matrix)[0]
    assert (white @ white.mH / 4000 - torch.eye(6)).abs().max() < 1e-4
    assert not matrix.triu(1).any()  # a coil mixes with those before it only


def test_white_noise_stays_as_it_is():
    assert (whitening_matrix(random(4, 100_000)) - torch.eye(4)).abs().max() < 0.02


@pytest.mark.parametrize("fault", ["silent", "copy", "sum"])
def test_a_coil_without_noise_of_its_own_is_named(fault):
    noise = random(5, 1000)
    noise[3] = {"silent": 0 * noise[0], "copy": 2j * noise[0], "sum": noise[:3].sum(0)}[fault]
    with pytest.raises(BadInput, match="coil 3 "):
        whitening_matrix(noise)


@pytest.mark.parametrize(("samples", "off"), [(3, 115), (4, 100), (99, 20)])
def test_too_few_noise_samples_are_refused(samples, off):
    with pytest.raises(BadInput, match=rf"{samples} samples of 4 coils tell .* error of {off} %"):
        whitening_matrix(random(4, samples))


def test_so_many_samples_as_are_asked_for_tell_the_covariance():
    """Within 20 %, and nearly all of the signal that whitening by the true one would leave."""
    coils, mixing, errors, kept = 6, random(6, 6, seed=1), [], []
    true = mixing @ mixing.mH
    for seed in range(40):
        matrix = whitening_matrix(mixing @ random(6, PER_COIL * coils, seed=seed))
        found = torch.linalg.inv(matrix.mH @ matrix)
        errors.append(float((found - true).norm() / true.norm()))
        signal = random(6, 1, seed=100 + seed)
        weights = matrix.mH @ matrix @ signal  # the best combination, as far as is known
        power = (weights.mH @ signal).abs().square() / (weights.mH @ true @ weights).real
        kept.append(float(power / (signal.mH @ torch.linalg.inv(true) @ signal).real))
    assert 0.12 < np.mean(np.square(errors)) ** 0.5 < 0.2
    assert np.mean(kept) == pytest.approx(1 - 1 / PER_COIL, abs=0.015)


def test_half_the_coils_keep_nearly_all_of_the_brain(shared_data):
    values = np.fromfile(shared_data / "brain8ch_espirit_full.cfl", "<c8")
    kspace = torch.from_numpy(values.reshape(1, 8, 180, 230))
    matrix = compression_matrix(kspace[..., 78:102, 103:127], 4)
    assert matrix.shape == (4, 8)
    assert (matrix @ matrix.mH - torch.eye(4)).abs().max() < 1e-5
    energy = mix(kspace, matrix).abs().square().sum((0, 2, 3))
    assert (energy.diff() < 0).all()  # strongest first
    kept = energy.sum() / kspace.abs().square().sum()
    best = torch.linalg.svdvals(kspace.movedim(1, 0).flatten(1)) ** 2
    assert kept > 0.97  # 98.6 % inside the calibration region; the rest is mostly noise
    assert kept > 0.999 * best[:4].sum() / best.sum()


def test_compression_is_the_svd_over_all_slices():
    box = random(3, 6, 8, 7) * torch.arange(1, 4)[:, None, None, None]
    left, values, _ = torch.linalg.svd(box.movedim(1, 0).flatten(1), full_matrices=False)
    matrix = compression_matrix(box, 2)
    assert ((matrix @ left[:, :2]).abs() - torch.eye(2)).abs().max() < 1e-3
    energy = mix(box, matrix).abs().square().sum((0, 2, 3))
    assert torch.allclose(energy, values[:2] ** 2, rtol=1e-4)


def test_all_virtual_coils_lose_nothing():
    box = random(1, 4, 8, 8)
    matrix = compression_matrix(box, 4)
    assert (mix(mix(box, matrix), matrix.mH) - box).abs().max() < 1e-5


@pytest.mark.parametrize("coils", [0, 5])
def test_impossible_numbers_of_virtual_coils_are_refused(coils):
    with pytest.raises(BadInput, match="ask for 1 to 4"):
        compression_matrix(random(1, 4, 8, 8), coils)
