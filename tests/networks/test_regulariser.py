import pytest
import torch
from torch import nn
from toys import noise, toy_network

from gleam.errors import BadInput
from gleam.networks.convolution import convolution
from gleam.networks.regulariser import Convolved, Regulariser, from_channels, to_channels
from gleam.training.meter import metered

# (dimensions, set, frame, *space) and the channels that the network sees of a batch of 2
LAYOUTS = [
    (2, (1, 1, 6, 5), (2, 2, 6, 5)),
    (2, (2, 1, 6, 5), (2, 4, 6, 5)),
    (2, (2, 3, 6, 5), (6, 4, 6, 5)),
    (2, (2, 3, 4, 6, 5), (24, 4, 6, 5)),
    (3, (1, 3, 6, 5), (2, 2, 3, 6, 5)),
    (3, (2, 3, 6, 5), (2, 4, 3, 6, 5)),
    (3, (1, 1, 4, 6, 5), (2, 2, 4, 6, 5)),
    (3, (2, 3, 4, 6, 5), (6, 4, 4, 6, 5)),
]


@pytest.mark.parametrize(("dimensions", "shape", "expected"), LAYOUTS)
def test_channels_and_back(dimensions, shape, expected):
    image = noise(2, *shape)
    channels = to_channels(image, dimensions)
    assert channels.shape == expected
    assert torch.equal(from_channels(channels, image), image)


def test_channels_are_real_and_imaginary_part_of_each_set():
    image = noise(1, 2, 1, 6, 5)
    first, second = image[0, :, 0]
    expected = torch.stack([first.real, first.imag, second.real, second.imag])
    assert torch.equal(to_channels(image, 2)[0], expected)
    expected[1::2] *= -1
    assert torch.equal(to_channels(image.conj(), 2)[0], expected)


@pytest.mark.parametrize(("dimensions", "shape", "_"), LAYOUTS)
def test_the_cnn_gives_the_change(dimensions, shape, _):
    image = noise(2, *shape)
    scaled = Regulariser(nn.Hardtanh(-100, 100), dimensions)(image)  # x + x
    assert torch.allclose(scaled, 2 * image)


def toy_regulariser(dimensions):
    return toy_network(dimensions=dimensions).iterations[0].regulariser


@pytest.mark.parametrize("shape", [(1, 1, 4, 8, 8), (1, 1, 1, 4, 8, 8)], ids=["frame", "z"])
@torch.no_grad()
def test_two_dimensions_take_each_frame_and_each_slice_for_itself(shape):
    image, regulariser = noise(*shape), toy_regulariser(2)
    alone = regulariser(image.narrow(-3, 2, 1))
    assert torch.allclose(regulariser(image).narrow(-3, 2, 1), alone, atol=1e-6)


@torch.no_grad()
def test_three_dimensions_join_the_frames_of_a_cine_but_not_of_a_volume():
    regulariser = toy_regulariser(3)
    for shape, joined in [((1, 1, 4, 8, 8), True), ((1, 1, 4, 5, 8, 8), False)]:
        image = noise(*shape)
        changed = image.clone()
        changed[:, :, 0] = 0
        same = torch.allclose(regulariser(image)[:, :, 1], regulariser(changed)[:, :, 1], atol=1e-6)
        assert same != joined


def toy_periodic(**fields):
    return toy_network(dimensions=3, circular=True, **fields).iterations[0].regulariser


@pytest.mark.parametrize("fields", [{}, {"kind": "unet"}, {"coupling": True}], ids=str)
@pytest.mark.parametrize("frames", [1, 2, 5])
@torch.no_grad()
def test_periodic_frames_begin_anywhere(fields, frames):
    image, regulariser = noise(2, 1, frames, 8, 9), toy_periodic(**fields)
    turned = regulariser(image.roll(1, 2)).roll(-1, 2)
    assert torch.allclose(turned, regulariser(image), atol=1e-6)


@pytest.mark.parametrize("fields", [{}, {"kind": "unet"}, {"coupling": True}], ids=str)
def test_a_volume_has_no_periodic_frames(fields):
    with pytest.raises(
        BadInput, match=r"^network\.regulariser\.circular is for .* set it to false$"
    ):
        toy_periodic(**fields)(noise(1, 1, 2, 4, 8, 8))


@pytest.mark.parametrize(
    ("shape", "fields"),
    [
        ((1, 12, 12), {"dimensions": 2}),
        ((1, 12, 12), {"dimensions": 2, "kind": "unet"}),
        ((4, 12, 12), {"dimensions": 3, "circular": True}),
        ((1, 4, 12, 12), {"dimensions": 3, "kind": "unet"}),
        ((1, 1, 12, 12), {"dimensions": 3, "kind": "unet"}),
        ((1, 2, 12, 12), {"dimensions": 3, "kind": "unet"}),
    ],
    ids=str,
)
@torch.no_grad()
def test_bf16_stays_inside(shape, fields):
    image = noise(1, 1, *shape)
    precise = toy_network(**fields).iterations[0].regulariser
    seen = []
    coarse = Regulariser(precise.cnn, fields["dimensions"], bf16=True)
    coarse.cnn.last.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    result = coarse(image)
    assert seen == [torch.bfloat16]
    assert result.dtype == torch.complex64
    error = (result - precise(image)).norm() / (precise(image) - image).norm()
    assert 0 < error < 0.02


@pytest.mark.parametrize(("dimensions", "shape", "_"), LAYOUTS)
def test_other_images_are_further_channels(dimensions, shape, _):
    """A network that takes the second half of its channels adds what else it was shown."""
    image, other = noise(2, *shape), noise(2, *shape, seed=1)

    class Second(nn.Module):
        def forward(self, channels):
            return channels.chunk(2, 1)[1]

    assert torch.allclose(Regulariser(Second(), dimensions)(image, other), image + other)


def test_few_frames_are_convolved_without_copies_of_neighbourhoods():
    """Torch's way for small 3D images copies the 27 neighbours of each position."""
    cnn = Convolved(convolution(32, 32, 3, 3), 3)
    x = noise(1, 32, 12, 32, 32, dtype=torch.float32)
    cnn(x)
    peak = metered(lambda: cnn(x), x.device)[1]
    assert peak < 20 * x.nbytes  # how much oneDNN rearranges depends on the CPU
