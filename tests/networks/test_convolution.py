import pytest
import torch
from toys import noise

from gleam.networks.convolution import convolution
from gleam.training.meter import metered

DOUBLE = torch.float64


def toy_problem(frames, kernel, stride=1, images=2, dtype=DOUBLE):
    """(a periodic convolution, its input)."""
    torch.manual_seed(0)
    conv = convolution(3, 4, kernel, 3, circular=True, stride=stride).to(dtype)
    return conv, noise(images, 3, 6, 5, frames, dtype=dtype)


def plainly(conv, x):
    """On a padded copy that autograd keeps; the frames go round as often as need be."""
    count, step = x.shape[-1], conv.weight.shape[2] // 2
    padded = x[..., torch.arange(-step, count + step) % count]
    return torch.conv3d(padded, conv.weight, stride=conv.stride, padding=(step, step, 0))


def value_and_gradients(function, conv, x):
    x = x.clone().requires_grad_()
    y = function(x)
    gradient = noise(*y.shape, seed=5, dtype=y.dtype)
    return [y.detach(), *torch.autograd.grad(y, (x, conv.weight), gradient)]


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("length", [1, 2, 3, 4, 7])
def test_halving_is_a_convolution_of_stride_two(length, kernel):
    """However few positions the last axis has; value and gradients."""
    torch.manual_seed(0)
    conv = convolution(3, 4, kernel, 3, stride=(2, 2, 2)).to(DOUBLE)
    x = noise(2, 3, 6, 5, length, dtype=DOUBLE)
    got = value_and_gradients(conv, conv, x)
    expected = value_and_gradients(
        lambda x: torch.conv3d(x, conv.weight, stride=2, padding=kernel // 2), conv, x
    )
    assert got[0].shape == (2, 4, 3, 3, (length + 1) // 2)
    for one, other in zip(got, expected, strict=True):
        assert torch.allclose(one, other)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d], ids=str)
@pytest.mark.parametrize("stride", [1, (2, 2, 1)])
@pytest.mark.parametrize(
    ("frames", "kernel"), [(1, 3), (2, 3), (6, 3), (5, 5), (3, 7), (2, 7), (1, 5), (4, 1)]
)
def test_frames_go_round(frames, kernel, stride, layout):
    """Also where they are fewer than the kernel reaches; value and gradients."""
    conv, x = toy_problem(frames, kernel, stride)
    conv, x = conv.to(memory_format=layout), x.contiguous(memory_format=layout)
    ours = value_and_gradients(conv, conv, x)
    expected = value_and_gradients(lambda x: plainly(conv, x), conv, x)
    for one, other in zip(ours, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-12)


def test_to_turn_the_frames_is_to_turn_the_result():
    conv, x = toy_problem(7, 3)
    assert torch.allclose(conv(x.roll(3, -1)), conv(x).roll(3, -1))
    space = conv(x.roll(2, 3))
    assert not torch.allclose(space, conv(x).roll(2, 3))


def test_it_is_the_padding_of_torch():
    conv, x = toy_problem(6, 5)
    padded = torch.nn.functional.pad(x, (2, 2, 0, 0, 0, 0), mode="circular")
    expected = torch.conv3d(padded, conv.weight, padding=(2, 2, 0))
    assert torch.allclose(conv(x), expected, rtol=1e-12)


@pytest.mark.parametrize("needed", ["x", "weight"])
def test_only_the_gradients_that_are_asked_for(needed):
    conv, x = toy_problem(4, 3)
    one = x.requires_grad_(needed == "x") if needed == "x" else conv.weight
    conv.weight.requires_grad_(needed == "weight")
    (gradient,) = torch.autograd.grad(conv(x).sum(), one)
    (expected,) = torch.autograd.grad(plainly(conv, x).sum(), one)
    assert torch.allclose(gradient, expected)


def test_no_padded_copy_is_kept():
    conv, x = toy_problem(8, 3, dtype=torch.float32)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(saved.append, lambda x: x):
        conv(x.requires_grad_())
    assert {t.data_ptr() for t in saved} == {x.data_ptr(), conv.weight.data_ptr()}

    def kept(function):
        """Of four calls; what a library takes for the time of a call is no part of it."""

        def peak(calls):
            return metered(lambda: [function(x) for _ in range(calls)], x.device)[1]

        return peak(8) - peak(4)

    result = conv(x).nbytes
    assert kept(conv) == 4 * result
    assert kept(lambda x: plainly(conv, x)) > 4 * (result + x.nbytes)


def test_bf16_keeps_and_gives_bf16():
    conv, x = toy_problem(4, 3, dtype=torch.float32)
    x.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y = conv(x)
        expected = plainly(conv, x)
    assert y.dtype == torch.bfloat16
    assert torch.equal(y, expected)
    for one, other in zip(
        *(torch.autograd.grad(r.float().square().sum(), (x, conv.weight)) for r in (y, expected)),
        strict=True,
    ):
        assert one.dtype == torch.float32
        assert (one - other).norm() < 0.01 * other.norm()


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("size", [1, 2, 7, 8])
def test_stride_leaves_the_first_of_every_two(dimensions, size):
    conv = convolution(1, 1, 3, dimensions, stride=2)
    conv.weight.data.zero_()
    conv.weight.data[(0, 0) + (1,) * dimensions] = 1
    x = noise(1, 1, *[size] * dimensions, dtype=torch.float32)
    assert torch.equal(conv(x), x[(..., *[slice(None, None, 2)] * dimensions)])
