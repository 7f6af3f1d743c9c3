import pytest
import torch
from skimage.metrics import structural_similarity
from toys import noise

from gleam.training.loss import LOSSES, l1, l1_ssim, l2


def toy_pair(sets=1, frames=2):
    return noise(2, sets, frames, 9, 8, seed=1), noise(2, sets, frames, 9, 8, seed=2)


def test_values_by_hand():
    image = torch.tensor([[3 + 4j, 1], [0, 2j]]).reshape(1, 1, 1, 2, 2)
    target = torch.tensor([[0, 1], [1, 1j]]).reshape(1, 1, 1, 2, 2) + 0j
    assert l1(image, target).item() == pytest.approx((5 + 0 + 1 + 1) / 4)
    assert l2(image, target).item() == pytest.approx((25 + 0 + 1 + 1) / 4)


def test_l1_ssim_is_l1_and_scikit_images_ssim():
    image, target = toy_pair()
    scores = [
        structural_similarity(
            a[0, f].abs().numpy(), b[0, f].abs().numpy(), data_range=b.abs().max().item()
        )
        for a, b in zip(image, target, strict=True)
        for f in range(2)
    ]
    expected = l1(image, target).item() + 1 - sum(scores) / 4
    assert l1_ssim(image, target).item() == pytest.approx(expected, abs=1e-5)


def test_ssim_sees_the_magnitude_over_both_sets():
    _, target = toy_pair(sets=2)
    turned = 1j * target
    assert l1_ssim(turned, target).item() == pytest.approx(l1(turned, target).item(), abs=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_a_perfect_image_costs_nothing(name):
    image, _ = toy_pair(sets=2)
    assert LOSSES[name](image, image.clone()).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients(name):
    image, target = (x.to(torch.complex128) for x in toy_pair(frames=1))
    assert torch.autograd.gradcheck(lambda x: LOSSES[name](x, target), image.requires_grad_())


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("perfect", [False, True], ids=["zero", "perfect"])
def test_the_gradient_is_finite_where_magnitude_or_error_is_zero(name, perfect):
    _, target = toy_pair(sets=2)
    target[..., :4, :] = 0  # background
    image = (target.clone() if perfect else torch.zeros_like(target)).requires_grad_()
    (gradient,) = torch.autograd.grad(LOSSES[name](image, target), image)
    assert gradient.isfinite().all()
    assert perfect or gradient.any()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("empty", [False, True], ids=["noise", "empty"])
def test_an_empty_target_has_a_finite_loss_and_gradient(name, empty):
    """A slice beside the body, where maps and so both images may be zero throughout."""
    image, _ = toy_pair()
    image = (0 * image if empty else image).requires_grad_()
    loss = LOSSES[name](image, torch.zeros_like(image))
    (gradient,) = torch.autograd.grad(loss, image)
    assert loss.isfinite()
    assert gradient.isfinite().all()
