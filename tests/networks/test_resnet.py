import pytest
import torch
from toys import noise

from gleam.networks.resnet import Act


def toy_features():
    return noise(2, 5, 7, 9, dtype=torch.float32)


@pytest.mark.parametrize("inplace", [False, True])
def test_act_is_relu(inplace):
    x = toy_features()
    expected = x.relu()
    result = Act(inplace)(x)
    assert torch.equal(result, expected)
    assert (result.data_ptr() == x.data_ptr()) == inplace


def test_act_masks_the_gradient_in_place():
    """One feature map less in the backward pass than `nn.ReLU`."""
    x = toy_features().requires_grad_()
    gradient = torch.ones_like(x)
    (result,) = torch.autograd.grad(Act()(x), x, gradient)
    assert result.data_ptr() == gradient.data_ptr()
    assert torch.equal(result, (x > 0).float())
