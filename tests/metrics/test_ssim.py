import numpy as np
import pytest
import torch
from skimage.data import camera
from skimage.metrics import structural_similarity

from gleam.errors import BadInput
from gleam.metrics import ssim


def pair(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(1)
    photo = torch.as_tensor(camera()[::8, ::10].copy(), dtype=torch.float32)
    reference = photo * (1 + 0.3 * torch.rand(*shape, 1, 1, generator=random))
    return reference + 20 * torch.randn(reference.shape, generator=random), reference


@pytest.mark.parametrize("planes", [(1,), (3,), (2, 3)], ids=["2D", "2D+t", "3D"])
def test_is_that_of_scikit_image(planes: tuple[int, ...]) -> None:
    image, reference = pair(2, *planes)
    maximum = reference.flatten(1).amax(1)
    expected = [
        np.mean(
            [
                structural_similarity(r.numpy(), x.numpy(), win_size=7, data_range=m.item())
                for x, r in zip(some.flatten(0, -3), references.flatten(0, -3), strict=True)
            ]
        )
        for some, references, m in zip(image, reference, maximum, strict=True)
    ]
    assert 0.1 < min(expected) < max(expected) < 0.95
    np.testing.assert_allclose(ssim(image, reference, maximum), expected, atol=1e-4)


def test_identical_is_one_whatever_the_scale() -> None:
    _, reference = pair(1)
    for scale in (1e-6, 1.0, 1e6):
        scaled = scale * reference
        value = ssim(scaled, scaled, scaled.amax(dim=(1, 2)))
        torch.testing.assert_close(value, torch.ones(1))


def test_flat_planes_by_hand() -> None:
    a, b = torch.full((1, 9, 9), 0.5), torch.full((1, 9, 9), 1.0)
    # No variance, so only the luminance term differs from 1.
    assert ssim(a, b, torch.ones(1)).item() == pytest.approx((1 + 1e-4) / (1.25 + 1e-4), abs=1e-4)


def test_gradient_is_exact() -> None:
    random = torch.Generator().manual_seed(0)
    reference = torch.rand(2, 8, 9, generator=random, dtype=torch.float64)
    image = torch.rand(2, 8, 9, generator=random, dtype=torch.float64, requires_grad=True)
    maximum = torch.tensor([1.0, 2.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: ssim(x, reference, maximum), image)


def test_a_plane_smaller_than_the_window_is_refused() -> None:
    tiny = torch.ones(1, 6, 20)
    with pytest.raises(BadInput, match=r"7×7; got 6×20"):
        ssim(tiny, tiny, torch.ones(1))
