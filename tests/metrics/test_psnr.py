import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from gleam.metrics import magnitude, psnr_complex, psnr_magnitude, psnr_per_frame


def images(*shape: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    reference = torch.randn(*shape, dtype=torch.complex64, generator=random)
    return reference + 0.1 * torch.randn(
        reference.shape, dtype=torch.complex64, generator=random
    ), reference


EACH_SHAPE = pytest.mark.parametrize(
    "shape", [(2, 1, 20, 24), (2, 5, 10, 12), (1, 1, 6, 10, 12)], ids=["2D", "2D+t", "3D"]
)


@EACH_SHAPE
def test_magnitude_psnr_is_that_of_scikit_image(shape: tuple[int, ...]) -> None:
    image, reference = (magnitude(x) for x in images(3, *shape))
    maximum = torch.tensor([1.0, 2.0, 7.0])
    expected = [
        peak_signal_noise_ratio(r.numpy(), x.numpy(), data_range=m.item())
        for x, r, m in zip(image, reference, maximum, strict=True)
    ]
    np.testing.assert_allclose(psnr_magnitude(image, reference, maximum), expected, atol=1e-4)


def test_complex_psnr_by_hand() -> None:
    reference = torch.tensor([3 + 4j, 0, 0, 0]).reshape(1, 1, 1, 2, 2).to(torch.complex64)
    image = reference + torch.tensor([0, 1j, 0, 0]).reshape(1, 1, 1, 2, 2)
    # The peak is 5, the root mean square error 1/2.
    assert psnr_complex(image, reference).item() == pytest.approx(20 * math.log10(10), abs=1e-5)


def test_a_wrong_phase_costs_only_the_complex_psnr() -> None:
    _, reference = images(2, 1, 1, 8, 8)
    turned = reference * 1j
    maximum = torch.ones(2)
    assert (psnr_complex(turned, reference) < 15).all()
    assert (psnr_magnitude(magnitude(turned), magnitude(reference), maximum) > 100).all()


@EACH_SHAPE
def test_each_example_is_scored_alone(shape: tuple[int, ...]) -> None:
    image, reference = images(3, *shape)
    scale = torch.tensor([1.0, 10.0, 100.0])
    reference = reference * scale.view(-1, *[1] * len(shape))
    together = psnr_complex(image, reference)
    alone = torch.cat([psnr_complex(image[i : i + 1], reference[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone)


def test_an_empty_reference_has_no_complex_psnr() -> None:
    image, reference = images(2, 1, 1, 4, 4)
    reference[0] = 0
    assert psnr_complex(image, reference).isnan().tolist() == [True, False]


def test_magnitude_joins_the_map_sets_and_differentiates_at_zero() -> None:
    image = torch.zeros(1, 2, 1, 1, 2, dtype=torch.complex64)
    image[0, :, 0, 0, 0] = torch.tensor([3j, 4])
    image.requires_grad_()
    joined = magnitude(image)
    assert joined.tolist() == [[[[5.0, 0.0]]]]
    joined.sum().backward()
    torch.testing.assert_close(
        image.grad[0, :, 0, 0], torch.tensor([[0.6j, 0], [0.8, 0]]).to(image)
    )


def test_psnr_of_frames_has_the_range_of_the_series() -> None:
    image, reference = images(2, 2, 3, 8, 9)
    found = psnr_per_frame(image, reference)
    assert found.shape == (2, 3)
    for one in range(2):
        peak = reference[one].abs().max()
        for frame in range(3):
            error = (image - reference)[one, :, frame].abs().square().mean().sqrt()
            assert found[one, frame] == pytest.approx(20 * math.log10(peak / error), abs=1e-4)
    assert torch.allclose(
        psnr_per_frame(image[:, :, :1], reference[:, :, :1])[:, 0],
        psnr_complex(image[:, :, :1], reference[:, :, :1]),
    )
    assert psnr_per_frame(image, 0 * reference).isnan().all()
