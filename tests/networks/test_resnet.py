import copy

import pytest
import torch
from torch import nn

from gleam.networks.resnet import Act, ResNet


def toy_resnet(dimensions=2, kernel=3, blocks=2):
    torch.manual_seed(0)
    cnn = ResNet(2, 5, blocks, kernel, dimensions)
    nn.init.normal_(cnn.last.weight, std=0.1)
    return cnn


def toy_channels(dimensions=2, images=2):
    return torch.randn(
        images, 2, *(7, 9, 4)[:dimensions], generator=torch.Generator().manual_seed(1)
    )


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_shape_stays(dimensions, kernel):
    x = toy_channels(dimensions)
    assert toy_resnet(dimensions, kernel)(x).shape == x.shape


def test_untrained_it_changes_nothing():
    assert not ResNet(2, 5, 2, 3, 2)(toy_channels()).any()


@pytest.mark.parametrize("factor", [1e-3, 40.0])
def test_brightness_does_not_matter(factor):
    cnn, x = toy_resnet(), toy_channels()
    assert torch.allclose(cnn(factor * x), factor * cnn(x), rtol=1e-4, atol=1e-6 * factor)


def test_it_is_not_linear_and_sees_signs():
    cnn, x = toy_resnet(), toy_channels()
    assert not torch.allclose(cnn(-x), -cnn(x), atol=1e-3)
    assert not torch.allclose(cnn(-x), cnn(x), atol=1e-3)


def test_it_does_not_touch_its_input():
    x = toy_channels()
    toy_resnet()(x)
    assert torch.equal(x, toy_channels())


def with_plain_relu(cnn):
    """The same network of `nn.ReLU`s, out of place."""
    plain = copy.deepcopy(cnn)
    plain.act = nn.ReLU()
    for block in plain.blocks:
        block[0] = block[2] = nn.ReLU()
    return plain


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("blocks", [1, 3])
def test_gradients_are_those_of_relu(dimensions, blocks):
    cnn = toy_resnet(dimensions, blocks=blocks).double()
    results = []
    for network in (cnn, with_plain_relu(cnn)):
        x = toy_channels(dimensions).double().requires_grad_()
        network(x).square().sum().backward()
        results.append([x.grad, *(p.grad for p in network.parameters())])
    for one, other in zip(*results, strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-12)


def test_gradcheck():
    cnn = toy_resnet().double()
    x = toy_channels(images=1)[..., :3, :3].double().requires_grad_()
    assert torch.autograd.gradcheck(cnn, x)


@pytest.mark.parametrize("inplace", [False, True])
def test_act_is_relu(inplace):
    x = toy_channels()
    expected = x.relu()
    result = Act(inplace)(x)
    assert torch.equal(result, expected)
    assert (result.data_ptr() == x.data_ptr()) == inplace


def test_act_masks_the_gradient_in_place():
    """One feature map less in the backward pass than `nn.ReLU`."""
    x = toy_channels().requires_grad_()
    gradient = torch.ones_like(x)
    (result,) = torch.autograd.grad(Act()(x), x, gradient)
    assert result.data_ptr() == gradient.data_ptr()
    assert torch.equal(result, (x > 0).float())
