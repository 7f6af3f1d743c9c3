import math
from dataclasses import replace

import jaxtyping
import numpy as np
import pytest
import torch
from adjointness import assert_adjoint
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from toys import EACH_SHAPE, toy_image, toy_kspace, toy_sense

from gleam.errors import BadInput
from gleam.physics.sense import Sense, coils_together
from gleam.physics.solve import solve_steps
from gleam.training.meter import metered

DOUBLE = torch.complex128
APPLICATIONS = ["forward", "adjoint", "normal"]


@st.composite
def problems(draw):
    """Arguments of `toy_sense`: any size, any subset of axes, masks shared or not."""
    space = tuple(draw(st.lists(st.integers(1, 9), min_size=2, max_size=3)))
    return {
        "space": space,
        "axes": tuple(draw(st.sets(st.sampled_from(range(-len(space), 0))))),
        "batch": draw(st.integers(1, 3)),
        "sets": draw(st.integers(1, 2)),
        "coils": draw(st.integers(2, 5)),
        "frames": draw(st.integers(1, 3)),
        "one_mask": draw(st.booleans()),
        "coils_at_once": draw(st.sampled_from([0, 1, 3])),
        "seed": draw(st.integers(0, 99)),
    }


@settings(deadline=None, max_examples=50, derandomize=True)
@given(problems())
def test_adjoint_and_normal_are_those_of_forward(problem):
    sense, frames = toy_sense(**problem), problem["frames"]
    image, kspace = toy_image(sense, frames), toy_kspace(sense, frames)
    assert_adjoint(sense.forward, sense.adjoint, image, kspace)
    assert_adjoint(sense.normal, sense.normal, image, toy_image(sense, frames, seed=4))
    expected = sense.adjoint(sense.forward(image))
    assert (sense.normal(image) - expected).norm() <= 1e-5 * image.norm()


def centred_fft(x, axes, inverse=False):
    transform = torch.fft.ifft if inverse else torch.fft.fft
    for axis in axes:
        shifted = transform(torch.fft.ifftshift(x, axis), dim=axis, norm="ortho")
        x = torch.fft.fftshift(shifted, axis)
    return x


@settings(deadline=None, max_examples=50, derandomize=True)
@given(problems())
def test_it_equals_the_centred_operator_over_every_axis(problem):
    """F over the mask's axes alone loses nothing, and its k-space is as `fourier` says."""
    sense = toy_sense(**problem)
    image = toy_image(sense, problem["frames"])
    every_axis = tuple(range(3 - image.ndim, 0))
    mask = torch.fft.fftshift(sense.mask, sense.axes) if sense.axes else sense.mask
    coil_images = (sense.maps * image[:, :, None]).sum(1)
    full = mask * centred_fft(coil_images, every_axis)

    expected = centred_fft(full, tuple(set(every_axis) - set(sense.axes)), inverse=True)
    for axis in sense.axes:
        size = expected.shape[axis]
        k = torch.arange(size).reshape(-1, *[1] * (-1 - axis))
        expected = torch.fft.ifftshift(expected, axis)
        expected = expected * torch.exp(-2j * math.pi * (k * (size // 2)) / size)
    kspace = sense.forward(image)
    assert (kspace - expected).norm() <= 1e-5 * image.norm()

    back = (sense.maps.conj() * centred_fft(full, every_axis, inverse=True)[:, None]).sum(2)
    assert (sense.adjoint(kspace) - back).norm() <= 1e-5 * image.norm()


@pytest.mark.parametrize("sets", [1, 2])
@pytest.mark.parametrize("axes", [(-1,), (-2, -1)])
def test_eigenvalues_of_normal_are_in_0_1(sets, axes):
    sense = toy_sense((4, 5), axes, batch=1, sets=sets, dtype=torch.complex128)
    basis = torch.eye(sets * 20, dtype=torch.complex128).reshape(-1, 1, sets, 1, 4, 5)
    dense = torch.stack([sense.normal(e).flatten() for e in basis])
    assert (dense - dense.mH).abs().max() < 1e-12
    values = torch.linalg.eigvalsh(dense)
    assert values.min() > -1e-12
    assert values.max() < 1 + 1e-12
    assert values.max() > 0.5  # it is not the zero operator


def test_counts_in_place_of_a_mask_sum_over_frames_of_one_image():
    sense = toy_sense((7, 6), (-2, -1), frames=4, sets=2)
    counted = replace(sense, mask=sense.mask.sum(2, keepdim=True).float())
    image, kspace = toy_image(sense), toy_kspace(sense)
    expected = sense.normal(image.expand(-1, -1, 4, -1, -1)).sum(2, keepdim=True)
    assert (counted.normal(image) - expected).norm() <= 1e-5 * expected.norm()
    assert (counted.adjoint(counted.forward(image)) - expected).norm() <= 1e-5 * expected.norm()
    assert_adjoint(counted.forward, counted.adjoint, image, kspace)


@EACH_SHAPE
def test_sampled_in_full_it_loses_nothing(shape):
    sense = toy_sense(**shape)
    everything = Sense(sense.maps, torch.ones_like(sense.mask), sense.axes)
    image = toy_image(sense, shape.get("frames", 1))
    assert torch.allclose(everything.normal(image), image, atol=1e-5)


@pytest.mark.parametrize("name", APPLICATIONS)
@pytest.mark.parametrize("space", [(3, 2), (2, 3, 2)])
def test_gradients(name, space):
    sense = toy_sense(space, (-2, -1), sets=2, coils=2, frames=2, dtype=torch.complex128)
    x = toy_kspace(sense, 2) if name == "adjoint" else toy_image(sense, 2)
    apply = getattr(sense, name)
    assert torch.autograd.gradcheck(apply, x.requires_grad_())
    assert torch.autograd.gradgradcheck(apply, x, fast_mode=True)


@EACH_SHAPE
@pytest.mark.parametrize("name", APPLICATIONS)
def test_autograd_keeps_nothing(name, shape):
    sense, frames = toy_sense(**shape), shape.get("frames", 1)
    x = toy_kspace(sense, frames) if name == "adjoint" else toy_image(sense, frames)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(saved.append, lambda x: x):
        result = getattr(sense, name)(x.requires_grad_())
    assert result.requires_grad
    assert not saved


def test_memory_of_normal_and_its_gradient_does_not_grow_with_coils():
    def peak(coils):
        sense = toy_sense((24, 24), coils=coils, coils_at_once=1)
        image = toy_image(sense).requires_grad_()
        return metered(
            lambda: torch.autograd.grad(sense.normal(image), image, torch.ones_like(image)),
            image.device,
        )[1]

    assert peak(16) == peak(4)


@EACH_SHAPE
@pytest.mark.parametrize("at_once", [2, 3])
def test_coils_by_one_reduction_are_those_one_after_the_other(shape, at_once):
    """What a GPU does is told by `coils_at_once` alone, so it is tested here."""
    frames = shape.get("frames", 1)
    one, several = (toy_sense(**shape, coils_at_once=n, dtype=DOUBLE) for n in (1, at_once))
    image, kspace = toy_image(one, frames), toy_kspace(one, frames)
    for name, x in {"forward": image, "adjoint": kspace, "normal": image}.items():
        values = []
        for sense in (one, several):
            x = x.detach().requires_grad_()
            value = getattr(sense, name)(x)
            (gradient,) = torch.autograd.grad(value.abs().square().sum(), x)
            values.append((value, gradient))
        for a, b in zip(*values, strict=True):
            assert torch.allclose(a, b, rtol=1e-12, atol=1e-12)


def test_on_a_gpu_as_many_coils_are_taken_at_once_as_fill_it():
    """All of a slice, a few of a volume; never none of a huge one."""
    assert coils_together(32, 640 * 368, on_gpu=True) == 32
    assert coils_together(32, 160**3, on_gpu=True) == 4
    assert coils_together(32, 512**3, on_gpu=True) == 1
    assert coils_together(32, 8 * 8, on_gpu=False) == 1


def test_the_masks_factor_is_made_once_and_is_small():
    """Of the size of the mask: maps are not kept a second time."""
    sense = toy_sense((24, 24), coils=8, frames=2)
    image = toy_image(sense, 2)
    first = metered(lambda: sense.normal(image), image.device)[1]
    factor = sense.mask_and_conjugate
    again = metered(lambda: sense.normal(image), image.device)[1]
    assert sense.mask_and_conjugate is factor
    assert factor.nbytes == 8 * sense.mask.numel()
    assert again <= first <= again + 2 * factor.nbytes


def test_copy_takes_over_values_in_the_same_memory():
    """What replays recorded work reads the same memory, and must find the new numbers there."""
    sense, other = toy_sense(seed=0), toy_sense(seed=5)
    image = toy_image(sense)
    sense.normal(image)
    places = [t.data_ptr() for t in (sense.maps, sense.mask, sense.mask_and_conjugate)]
    sense.copy_(other)
    assert places == [t.data_ptr() for t in (sense.maps, sense.mask, sense.mask_and_conjugate)]
    for name in ("forward", "normal"):
        assert torch.equal(getattr(sense, name)(image), getattr(other, name)(image))


class Kernels(TorchDispatchMode):
    """Counts what a device would be given to do, without views."""

    VIEWS = ("view", "slice", "select", "unsqueeze", "expand", "_conj", "alias", "detach")

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        if not name.startswith(self.VIEWS):
            self.names.append(name)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("coils", [2, 8])
def test_with_all_coils_at_once_it_is_few_kernels_however_many_coils(coils):
    sense = toy_sense(coils=coils, coils_at_once=coils)
    image = toy_image(sense)
    sense.normal(image)
    with Kernels() as kernels:
        sense.normal(image)
    assert len(kernels.names) <= 7, kernels.names
    assert "clone" not in kernels.names  # no conjugate of the maps


def test_cg_makes_no_constants_step_by_step():
    sense = toy_sense()
    image = toy_image(sense).requires_grad_()
    with Kernels() as kernels:
        x = solve_steps(sense.normal, torch.tensor(0.1, requires_grad=True), image, (-1,), 5)
        torch.autograd.grad(x, image, torch.ones_like(x))
    assert not {"scalar_tensor", "full", "_local_scalar_dense"} & set(kernels.names)


def test_on_another_device_it_is_the_same_operator() -> None:
    sense = toy_sense(axes=(-2,), frames=2, coils_at_once=2)
    moved = sense.to("cpu")
    assert (moved.axes, moved.coils_at_once) == ((-2,), 2)
    image = toy_image(sense, 2)
    assert torch.equal(moved.normal(image), sense.normal(image))
    meta = sense.to("meta")
    assert meta.maps.device.type == meta.mask.device.type == "meta"
    assert (meta.maps.shape, meta.mask.shape) == (sense.maps.shape, sense.mask.shape)


def test_another_operators_values_are_taken_over_in_the_same_memory() -> None:
    sense, other = toy_sense(seed=0), toy_sense(seed=5)
    image = toy_image(sense)
    sense.normal(image)  # what is made once, is made
    places = sense.maps.data_ptr(), sense.mask.data_ptr()
    sense.copy_(other)
    assert (sense.maps.data_ptr(), sense.mask.data_ptr()) == places
    assert torch.equal(sense.forward(image), other.forward(image))
    assert torch.equal(sense.normal(image), other.normal(image))


@pytest.mark.parametrize("at_once", [1, 2])
@EACH_SHAPE
def test_maps_that_are_fetched_come_by_the_coils_taken_together(shape, at_once) -> None:
    """Where images are on another device; for which `meta` stands, where nothing is computed."""
    sense = toy_sense(**shape, coils=5, coils_at_once=at_once)
    there = replace(sense, fetched=True).to("meta")
    assert there.maps is sense.maps
    image, kspace = (
        toy(sense, shape.get("frames", 1)).to("meta") for toy in (toy_image, toy_kspace)
    )
    most = sense.maps[:, :, :at_once].nbytes
    for way, x in [("forward", image), ("adjoint", kspace), ("normal", image)]:
        with Arrivals() as arrived:
            result = getattr(there, way)(x)
        assert result.device.type == "meta"
        assert max(arrived.sizes) == most
        assert sum(arrived.sizes) == sense.maps.nbytes
    with Arrivals() as arrived:
        assert there.adjoint(toy_kspace(sense, shape.get("frames", 1))).device.type == "meta"
    assert sum(arrived.sizes) > sense.maps.nbytes  # k-space that lies with the maps comes, too


class Arrivals(TorchDispatchMode):
    """Bytes of what is copied to `meta`."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        moved = func.overloadpacket is torch.ops.aten._to_copy
        if moved and args[0].device.type == "cpu" and result.device.type == "meta":
            self.sizes.append(result.nbytes)
        return result


@EACH_SHAPE
def test_maps_that_are_fetched_change_no_number(shape) -> None:
    sense, frames = toy_sense(**shape, coils=5, coils_at_once=2), shape.get("frames", 1)
    fetched = replace(sense, fetched=True)
    image, kspace = toy_image(sense, frames), toy_kspace(sense, frames)
    for way, x in [("forward", image), ("adjoint", kspace), ("normal", image)]:
        x.requires_grad_()
        results = [getattr(one, way)(x) for one in (sense, fetched)]
        assert torch.equal(*results)
        slopes = [torch.autograd.grad(one.abs().sum(), x)[0] for one in results]
        assert torch.equal(*slopes)


@pytest.fixture
def as_for_users():
    """Shapes are not checked at run time."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


MAPS = torch.ones(1, 1, 3, 1, 6, 4, dtype=torch.complex64)
MASK = torch.ones(1, 1, 1, 1, 4, dtype=torch.bool)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"maps": MAPS.numpy()}, "maps are ndarray; give"),
        ({"maps": MAPS.real}, r"maps are float32 \(1, 1, 3, 1, 6, 4\); give"),
        ({"maps": MAPS.squeeze()}, r"maps are complex64 \(3, 6, 4\); give \(batch, set, coil, 1"),
        ({"maps": MAPS.expand(1, 1, 3, 2, 6, 4)}, "of several frames"),
        ({"mask": MASK.numpy()}, "mask is ndarray; give"),
        ({"mask": MASK[0, 0, 0, 0]}, r"mask is bool \(4,\); give \(1, 1, frame, \*space\)"),
        ({"axes": -1}, "axes is -1; give some of"),
        ({"axes": (1,)}, r"axes is \(1,\); give some of \(-2, -1\), x being -1"),
        ({"axes": (-3,)}, r"axes is \(-3,\); give"),
    ],
    ids=str,
)
def test_what_makes_no_operator_is_refused(changes, message, as_for_users):
    with pytest.raises(BadInput, match=message):
        Sense(**{"maps": MAPS, "mask": MASK, "axes": (-1,)} | changes)


@pytest.mark.parametrize(
    ("way", "x", "message"),
    [
        ("forward", torch.ones(1, 1, 1, 6, 4), r"image is float32 .* here \(1, 1, frame, 6, 4\)"),
        ("normal", np.ones((1, 1, 1, 6, 4), np.complex64), "image is ndarray; give"),
        ("forward", torch.ones(1, 2, 1, 6, 4) + 0j, r"image is complex64 \(1, 2, 1, 6, 4\)"),
        (
            "forward",
            torch.ones(1, 1, 6, 4) + 0j,
            r"image is complex64 \(1, 1, 6, 4\); give \(batch",
        ),
        ("adjoint", torch.ones(1, 3, 6, 4) + 0j, r"k-space is complex64 \(1, 3, 6, 4\)"),
        ("adjoint", torch.ones(1, 3, 1, 4, 6) + 0j, r"here \(1, 3, frame, 6, 4\)"),
    ],
    ids=["real", "NumPy", "sets", "no frames", "k-space without frames", "transposed"],
)
def test_what_torch_would_broadcast_is_refused(way, x, message, as_for_users):
    with pytest.raises(BadInput, match=message):
        getattr(Sense(MAPS, MASK, (-1,)), way)(x)
