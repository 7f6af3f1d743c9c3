"""What holds for every CNN inside an iteration."""

import copy

import pytest
import torch
from toys import noise, toy_network

from gleam.networks import ResNet, UNet
from gleam.networks.resnet import Act

KINDS = {
    "resnet": (ResNet, 2, {}),
    "resnet, 3D": (ResNet, 3, {}),
    "resnet, periodic": (ResNet, 3, {"circular": True}),
    "unet": (UNet, 2, {}),
    "unet, 3D": (UNet, 3, {}),
    "unet, periodic": (UNet, 3, {"circular": True}),
    "unet, three levels": (UNet, 2, {"levels": 3}),
}
EACH = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
REAL = torch.float32


def toy_cnn(kind, kernel=3, blocks=2, channels=2):
    sort, dimensions, fields = kind
    torch.manual_seed(0)
    cnn = sort(channels, 5, blocks, kernel, dimensions, **fields)
    torch.nn.init.normal_(cnn.last.weight, std=0.1)
    return cnn


def toy_channels(kind, images=2, size=(7, 9, 6), dtype=REAL):
    return noise(images, 2, *size[: kind[1]], seed=1, dtype=dtype)


@EACH
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("size", [(7, 9, 6), (1, 2, 1), (16, 8, 16), (3, 17, 5)], ids=str)
@torch.no_grad()
def test_shape_stays(kind, kernel, size):
    x = toy_channels(kind, size=size)
    change = toy_cnn(kind, kernel)(x)
    assert change.shape == x.shape
    assert change.isfinite().all()


@EACH
def test_untrained_it_changes_nothing(kind):
    sort, dimensions, fields = kind
    assert not sort(2, 5, 2, 3, dimensions, **fields)(toy_channels(kind)).any()


@EACH
@pytest.mark.parametrize("factor", [1e-3, 40.0])
@torch.no_grad()
def test_brightness_does_not_matter(kind, factor):
    cnn, x = toy_cnn(kind), toy_channels(kind)
    expected = factor * cnn(x)
    assert (cnn(factor * x) - expected).abs().max() < 1e-5 * expected.abs().max()


@EACH
@torch.no_grad()
def test_it_is_not_linear_and_sees_signs(kind):
    cnn, x = toy_cnn(kind), toy_channels(kind)
    for other in (cnn(x), -cnn(x)):
        assert (cnn(-x) - other).norm() > 1e-2 * other.norm()


@EACH
@torch.no_grad()
def test_it_does_not_touch_its_input(kind):
    x = toy_channels(kind)
    toy_cnn(kind)(x)
    assert torch.equal(x, toy_channels(kind))


def with_plain_relu(cnn):
    """The same network of `nn.ReLU`s, out of place."""
    plain = copy.deepcopy(cnn)
    for module in list(plain.modules()):
        for name, child in module.named_children():
            if isinstance(child, Act):
                setattr(module, name, torch.nn.ReLU())
    assert not any(isinstance(module, Act) for module in plain.modules())
    return plain


@EACH
@pytest.mark.parametrize("blocks", [1, 3])
def test_gradients_are_those_of_relu(kind, blocks):
    cnn = toy_cnn(kind, blocks=blocks).double()
    results = []
    for network in (cnn, with_plain_relu(cnn)):
        x = toy_channels(kind, dtype=torch.float64).requires_grad_()
        network(x).square().sum().backward()
        results.append([x.grad, *(p.grad for p in network.parameters())])
    for one, other in zip(*results, strict=True):
        assert other.any()
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-12)


@EACH
def test_gradcheck(kind):
    cnn = toy_cnn(kind, blocks=1).double()
    x = toy_channels(kind, images=1, size=(3, 3, 2), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(cnn, x, fast_mode=True)


@EACH
@torch.no_grad()
def test_layout_is_kept(kind):
    """Channels last goes in and comes out, so that nothing is reordered on the way."""
    cnn, x = toy_cnn(kind), toy_channels(kind)
    layout = torch.channels_last if kind[1] == 2 else torch.channels_last_3d
    seen = []
    for module in cnn.modules():
        module.register_forward_hook(lambda module, inputs, output: seen.append(output))
    result = cnn.to(memory_format=layout)(x.contiguous(memory_format=layout))
    assert all(output.is_contiguous(memory_format=layout) for output in seen)
    assert torch.allclose(result, toy_cnn(kind)(x), atol=1e-5)


def looked_at(network, axis, of, size):
    """Which positions along an axis output number `of` depends on, whatever the image."""
    regularisers = network.iterations[0].regulariser
    shape = [1, 1, 1, 5, 5] if axis > -3 else [1, 1, 1, 5, 5, 5]
    shape[axis] = size
    seen = torch.zeros(size, dtype=torch.bool)
    for seed in range(3):
        x = noise(*shape, seed=seed, dtype=torch.complex128).requires_grad_()
        output = regularisers(x).select(axis, of)
        (gradient,) = torch.autograd.grad(output, x, noise(*output.shape, dtype=x.dtype))
        seen |= gradient.abs().amax([a for a in range(-x.ndim, 0) if a != axis]) > 0
    return seen.nonzero().flatten()


NETWORKS = {
    "resnet": {"blocks": 2},
    "resnet, 3D": {"blocks": 1, "kernel": 5, "dimensions": 3},
    "coupled": {"blocks": 1, "coupling": True},
    "unet": {"kind": "unet", "blocks": 2, "levels": 1},
    "unet, 3D": {"kind": "unet", "blocks": 1, "levels": 2, "dimensions": 3},
}


@pytest.mark.parametrize("axis", [-1, -2, -3])
@pytest.mark.parametrize("name", NETWORKS)
def test_reach_is_how_far_the_gradient_goes(name, axis):
    """No further anywhere, and so far at the farthest of some neighbouring outputs."""
    network = toy_network("pgd", 1, **NETWORKS[name]).double()
    reach, size = network.reach(axis), 71
    furthest = 0
    for of in range(33, 33 + network.alignment(axis)):
        places = looked_at(network, axis, of, size)
        furthest = max(furthest, of - int(places.min()), int(places.max()) - of)
    assert furthest == reach
    assert (reach == 0) == (axis == -3 and "3D" not in name)


def test_reach_of_a_network_is_that_of_its_iterations():
    assert toy_network("modl", 3, blocks=2).reach(-1) == 6
    assert toy_network("modl", 3, blocks=2).reach(-3) == 0
    assert toy_network("reversible", 2, blocks=1).reach(-2) == 2 * 4
    assert toy_network("pgd", 2, kind="unet", levels=3).alignment(-1) == 8
    assert toy_network("pgd", 2, kind="unet", dimensions=3).alignment(-3) == 4
    assert toy_network("pgd", 2, kind="unet").alignment(-3) == 1
    assert toy_network("modl", 1).alignment(-1) == 1


@pytest.mark.parametrize("fields", [*NETWORKS.values()], ids=NETWORKS)
@pytest.mark.parametrize("size", [64, 61])
@torch.no_grad()
def test_a_slab_with_its_reach_around_it_is_treated_as_in_the_volume(fields, size):
    network = toy_network("pgd", 1, **fields)
    regulariser = network.iterations[0].regulariser
    axis = -3 if fields.get("dimensions") == 3 else -2
    shape = [1, 1, 1, 6, 7, 6] if axis == -3 else [1, 1, 1, 6, 7]
    shape[axis] = size
    volume = noise(*shape)
    expected = regulariser(volume)
    reach, alignment = network.reach(axis), network.alignment(axis)
    for start in (32, 40):
        first = max(0, (start - reach) // alignment * alignment)
        last = min(size, start + 8 + reach)
        slab = regulariser(volume.narrow(axis, first, last - first))
        part, whole = slab.narrow(axis, start - first, 8), expected.narrow(axis, start, 8)
        assert (part - whole).abs().max() < 1e-5 * whole.abs().max()
