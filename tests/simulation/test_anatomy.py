import numpy as np
import pytest

from gleam.simulation.anatomy import draw_anatomy, draw_outline, draw_phase, smooth_noise


def rng(*seed):
    return np.random.default_rng(seed)


def tissue(image, at_edges):
    """How much of the voxels at the edges in y and x, or of the middle, the body fills."""
    body = abs(image) > 0.02
    if at_edges:
        edges = [body.take(end, axis).ravel() for axis in (-2, -1) for end in (0, -1)]
        return np.concatenate(edges).mean()
    return body[tuple(slice(3 * n // 8, 5 * n // 8 + 1) for n in body.shape)].mean()


@pytest.mark.parametrize("shape", [(64, 64), (65, 48), (31, 57), (20, 40, 33)])
def test_anatomy_is_a_body_in_an_empty_field_of_view(shape):
    images = [draw_anatomy(shape, rng(seed)) for seed in range(6)]
    for image in images:
        assert image.shape == shape
        assert image.dtype == np.complex64
        assert abs(image).max() == pytest.approx(1, abs=1e-3)
        assert tissue(image, at_edges=False) > 0.7
    assert np.median([tissue(image, at_edges=True) for image in images]) < 0.2


def test_anatomy_is_a_function_of_the_seed_and_differs_between_draws():
    first = draw_anatomy((64, 64), rng(3))
    np.testing.assert_array_equal(first, draw_anatomy((64, 64), rng(3)))
    others = [abs(draw_anatomy((64, 64), rng(4, i))) for i in range(6)]
    likeness = np.corrcoef([o.ravel() for o in others])[~np.eye(6, dtype=bool)]
    assert likeness.max() < 0.9


def test_noise_has_the_scale_asked_for_on_any_grid():
    """Gaussian smoothing by σ leaves an autocorrelation of e^(−1/4) at a lag of σ."""
    for size, scale in [(256, 0.05), (512, 0.05), (255, 0.02)]:
        fields = [smooth_noise((size, size), scale, rng(size, i)) for i in range(20)]
        lag = round(scale * size)
        found = np.mean([np.mean(f * np.roll(f, lag, axis=i % 2)) for i, f in enumerate(fields)])
        assert found == pytest.approx(np.exp(-((lag / size / scale) ** 2) / 4), abs=0.03)
        assert np.allclose([f.mean() for f in fields], 0, atol=1e-4)
        assert np.allclose([f.var() for f in fields], 1, atol=1e-3)


def test_noise_has_one_length_along_axes_of_different_size():
    fields = [smooth_noise((96, 192), 0.05, rng(i)) for i in range(40)]
    slopes = [np.mean([np.var(np.diff(f, axis=axis)) for f in fields]) for axis in (0, 1)]
    assert slopes[0] == pytest.approx(slopes[1], rel=0.1)


def test_outline_is_deepest_inside_and_negative_outside():
    depths = [draw_outline((60, 60), rng(i)) for i in range(60)]
    assert all(0.7 < d.max() < 1.3 for d in depths)
    areas = np.array([np.mean(d > 0) for d in depths])
    assert areas.min() < 0.5
    assert areas.max() > 0.95  # some fill the field of view
    filled = np.mean([d[0, 30] > 0 for d in depths])
    assert 0.02 < filled < 0.6


def test_share_of_bodies_larger_than_the_field_of_view_is_as_asked_for():
    """Those reach far along every border; others may touch one here or there."""

    def reach(oversized):
        depths = [draw_outline((64, 64), rng(i), oversized) for i in range(40)]
        return np.array([np.mean([*(d[0] > 0), *(d[:, 0] > 0)]) for d in depths])

    assert np.mean(reach(1.0)) > 0.4
    assert np.mean(reach(0.0)) < 0.1
    assert 0.02 < np.mean(reach(1 / 6) > np.max(reach(0.0))) < 0.4


def test_phase_is_smooth_and_sometimes_strong():
    phases = [draw_phase((128, 128), rng(i)) for i in range(60)]
    steps = [abs(np.diff(p, axis=0)).max() for p in phases]
    assert max(steps) < 0.6  # radians per voxel
    swings = np.array([np.ptp(p) for p in phases])
    assert (swings < 2).any()
    assert (swings > 2 * np.pi).any()


def test_images_have_edges_and_detail_but_are_no_noise():
    """Energy falls with spatial frequency about as it does in images of heads."""
    falls = []
    for i in range(30):
        spectrum = abs(np.fft.fftshift(np.fft.fft2(abs(draw_anatomy((192, 192), rng(9, i)))))) ** 2
        radius = np.hypot(*np.ogrid[-96:96, -96:96]).astype(int)
        power = np.bincount(radius.ravel(), spectrum.ravel()) / np.bincount(radius.ravel())
        falls.append(10 * np.log10(power[[8, 16, 40]] / power[:2].mean()))
    middle = np.median(falls, axis=0)
    assert np.all(np.abs(middle - [-32, -36, -47]) < 4)
    assert np.all(np.std(falls, axis=0) > 1)


def test_contrast_varies():
    """The rim is brighter than what it holds in some images, and darker in others."""
    ratios = []
    for i in range(40):
        image = abs(draw_anatomy((96, 96), rng(11, i)))
        depth = draw_outline((96, 96), rng(11, i))  # the anatomy draws its outline first
        ratios.append(image[(depth > 0) & (depth < 0.02)].mean() / image[depth > 0.3].mean())
    assert min(ratios) < 0.8
    assert max(ratios) > 1.5


def test_discs_may_be_larger_than_a_flat_field_of_view():
    for seed in range(12):
        assert np.isfinite(draw_anatomy((16, 128), rng(seed))).all()
