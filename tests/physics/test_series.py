import torch
from scipy.optimize import minimize
from toys import noise

from gleam.physics.series import BLOCK, TotalVariation, shrink_blocks


def test_total_variation_is_the_minimum():
    z = noise(1, 1, 7, 1, 1, dtype=torch.complex128)
    found = TotalVariation(0.4, steps=400)(z).flatten()

    def cost(parts):
        x = torch.view_as_complex(torch.as_tensor(parts).reshape(-1, 2).contiguous())
        change = torch.sqrt((x.roll(-1) - x).abs() ** 2 + 1e-12)
        return float(0.5 * (x - z.flatten()).abs().square().sum() + 0.4 * change.sum())

    start = torch.view_as_real(found).numpy()
    best = minimize(cost, start.flatten(), method="Powell", options={"xtol": 1e-9, "ftol": 1e-12})
    assert cost(start) < best.fun + 1e-4
    assert cost(start) < cost(torch.view_as_real(z).numpy()) - 0.1


def test_its_steps_are_those_of_fista_on_the_dual():
    """Beck & Teboulle 2009, written a second time; at its start, where momentum still counts."""
    z, weight = noise(1, 1, 6, 3, 2), 0.3
    dual = ahead = torch.zeros_like(z)
    t = 1.0

    def primal(dual):
        return z - (dual.roll(1, 2) - dual)  # the adjoint of differences in time

    for _ in range(4):
        x = primal(ahead)
        after = ahead + 0.25 * (x.roll(-1, 2) - x)
        after = after / (after.abs() / weight).clamp(min=1)
        later = (1 + (1 + 4 * t**2) ** 0.5) / 2
        ahead = after + (t - 1) / later * (after - dual)
        dual, t = after, later
    found = TotalVariation(weight, steps=4)(z)
    assert (found - primal(dual)).abs().max() < 1e-5


def test_calls_go_on_where_the_last_one_ended():
    z = noise(1, 2, 9, 4, 4)
    exact = TotalVariation(0.3, steps=300)(z)
    little = TotalVariation(0.3, steps=5)
    errors = [float((little(z) - exact).norm()) for _ in range(8)]
    assert errors[-1] < 0.1 * errors[0]


def test_low_rank_shrinks_the_singular_values_of_each_block():
    z = noise(2, 1, 6, 2 * BLOCK, 3 * BLOCK)
    block = z[1, 0, :, BLOCK:, :BLOCK].reshape(6, -1).T
    left, values, right = torch.linalg.svd(block, full_matrices=False)
    expected = (left * (values - 2).clamp_min(0)) @ right
    found = shrink_blocks(z, 2.0, (0, 0))[1, 0, :, BLOCK:, :BLOCK].reshape(6, -1).T
    assert torch.allclose(found, expected, atol=1e-4)


def test_low_rank_of_any_size_and_dimension_with_nothing_to_shrink_is_no_change():
    for space, shift in (((19, 17), (3, 5)), ((5, 9, 8), (1, 2, 7))):
        z = noise(1, 2, 4, *space)
        assert torch.allclose(shrink_blocks(z, 0.0, shift), z, atol=1e-5)


def test_low_rank_of_more_frames_than_pixels_takes_no_more_than_the_pixels(monkeypatch):
    """A block of 64 pixels has no more singular values, be the frames thousands."""
    z = noise(1, 1, 80, BLOCK, BLOCK)
    left, values, right = torch.linalg.svd(z.reshape(80, -1).T, full_matrices=False)
    expected = (left * (values - 9).clamp_min(0)) @ right
    eigh, sizes = torch.linalg.eigh, []

    def noted(matrices):
        sizes.append(matrices.shape[-1])
        return eigh(matrices)

    monkeypatch.setattr(torch.linalg, "eigh", noted)
    found = shrink_blocks(z, 9.0, (0, 0)).reshape(80, -1).T
    assert torch.allclose(found, expected, atol=1e-3)
    assert sizes == [BLOCK**2]
