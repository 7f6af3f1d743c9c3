"""Every linear operator: adjoint, derivatives of all kinds, `vmap`, pickling, one line in words."""

import pickle
from dataclasses import replace
from functools import partial

import pytest
import torch
from adjointness import assert_adjoint
from toys import SHAPES, noise, toy_sense

from gleam.errors import BadInput
from gleam.physics.fourier import ifft
from gleam.physics.operators import Coils, Fourier, Sampling
from gleam.physics.solve import solve_steps

DOUBLE = torch.complex128
# torch's own forward mode compiles some of its rules by a deprecated way.
FORWARD_MODE = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


def operators(shape, dtype=DOUBLE):
    """Each operator of a shape, with the shapes of what it takes and gives."""
    sense = toy_sense(**shape, dtype=dtype)
    together = toy_sense(**shape, dtype=dtype, coils_at_once=sense.maps.shape[2])
    batch, sets, coils, _, *space = sense.maps.shape
    frames = shape.get("frames", 1)
    image, kspace = (batch, sets, frames, *space), (batch, coils, frames, *space)
    factors = Sampling(sense.mask), Fourier(sense.axes), Coils(sense.maps)
    return {
        "Sense": (sense, image, kspace),
        "Sense, all coils at once": (together, image, kspace),
        "its adjoint": (together.H, kspace, image),
        "its gram": (sense.gram, image, image),
        "Fourier": (factors[1], image, image),
        "Sampling": (factors[0], kspace, kspace),
        "Coils": (factors[2], image, kspace),
        "product": (factors[0] @ factors[1] @ factors[2], image, kspace),
        "product's adjoint": ((factors[0] @ factors[1] @ factors[2]).H, kspace, image),
    }


EACH = pytest.mark.parametrize(
    ("shape", "name"),
    [(shape, name) for shape in SHAPES for name in operators({})],
)


def made(shape, name):
    """An operator, four inputs and an output."""
    operator, takes, gives = operators(SHAPES[shape])[name]
    inputs = [noise(*takes, seed=seed, dtype=DOUBLE) for seed in range(4)]
    return operator, inputs, noise(*gives, seed=9, dtype=DOUBLE)


@EACH
def test_adjoint_and_gram(shape, name):
    operator, (x, z, *_), y = made(shape, name)
    assert_adjoint(operator, operator.H, x, y, 1e-12)
    assert_adjoint(operator.gram, operator.gram, x, z, 1e-12)
    assert torch.allclose(operator.gram(x), operator.H(operator(x)))
    assert torch.equal(operator.H.H(x), operator(x))
    assert torch.equal(operator.gram.H(x), operator.gram(x))


@EACH
@FORWARD_MODE
def test_the_derivative_forwards_is_the_operator_itself(shape, name):
    operator, (x, dx, *_), _ = made(shape, name)
    value, change = torch.func.jvp(operator, (x,), (dx,))
    assert torch.allclose(value, operator(x))
    assert torch.allclose(change, operator(dx))


@EACH
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_vmap(shape, name, dim):
    operator, inputs, _ = made(shape, name)
    mapped = torch.func.vmap(operator, in_dims=dim)(torch.stack(inputs, dim))
    assert torch.allclose(mapped, torch.stack([operator(x) for x in inputs]))


def energy(operator, x):
    return operator(x).abs().square().sum()


@EACH
@FORWARD_MODE
def test_gradients_mapped_over_and_second_derivatives(shape, name):
    """That of ‖A x‖² is 2 AᴴA x, and its derivative along dx is 2 AᴴA dx."""
    operator, inputs, _ = made(shape, name)
    gradient = torch.func.grad(partial(energy, operator))
    expected = torch.stack([2 * operator.gram(x) for x in inputs])
    assert torch.allclose(torch.func.vmap(gradient)(torch.stack(inputs)), expected)
    _, change = torch.func.jvp(gradient, (inputs[0],), (inputs[1],))
    assert torch.allclose(change, expected[1])

    x = inputs[0].clone().requires_grad_()
    (first,) = torch.autograd.grad(energy(operator, x), x, create_graph=True)
    (second,) = torch.autograd.grad(first, x, inputs[1])
    assert torch.allclose(second, expected[1])


@pytest.mark.parametrize("name", operators({}))
def test_gradcheck_and_gradgradcheck(name):
    small = {"space": (3, 2), "batch": 1, "coils": 2}
    operator, takes, _ = operators(small)[name]
    x = noise(*takes, dtype=DOUBLE).requires_grad_()
    assert torch.autograd.gradcheck(operator, x, check_forward_ad=False)
    assert torch.autograd.gradgradcheck(operator, x, fast_mode=True)


@pytest.mark.parametrize("shape", SHAPES)
def test_sense_is_the_product_of_its_factors(shape):
    built = operators(SHAPES[shape])
    (sense, image, _), (product, *_) = built["Sense"], built["product"]
    x = noise(*image, dtype=DOUBLE)
    assert torch.allclose(sense(x), product(x))
    assert torch.allclose(sense.gram(x), product.gram(x))


@pytest.mark.parametrize("name", operators({}))
def test_they_are_pickled_and_saved(name, tmp_path):
    operator, (x, *_), _ = made("2D", name)
    operator.gram(x)
    torch.save(operator, tmp_path / "operator.pt")
    again = [
        pickle.loads(pickle.dumps(operator)),
        torch.load(tmp_path / "operator.pt", weights_only=False),
    ]
    for other in again:
        assert torch.equal(other(x), operator(x))


def test_words_in_one_line():
    large = {"space": (4, 6, 5), "axes": (-3, -2), "sets": 2, "frames": 3, "coils": 12}
    for operator, *_ in operators(large).values():
        assert len(repr(operator)) <= 200
        assert "\n" not in repr(operator)


def test_the_adjoint_of_fourier_is_its_inverse():
    x = noise(3, 4, 5, dtype=DOUBLE)
    operator = Fourier((-2, -1))
    assert torch.allclose(operator.H(operator(x)), x)
    assert torch.equal(operator.H(x), ifft(x, (-2, -1)))


@pytest.mark.parametrize("solved", [False, True])
def test_vmap_over_maps_is_refused_in_one_line(solved):
    sense = toy_sense()
    x = noise(*sense.maps.shape[:2], 1, *sense.maps.shape[4:])

    def applied(maps):
        normal = replace(sense, maps=maps).normal
        return solve_steps(normal, torch.tensor(0.1), x, sense.axes, 2) if solved else normal(x)

    with pytest.raises(BadInput, match="put several maps or masks into the batch axis"):
        torch.func.vmap(applied)(torch.stack([sense.maps, sense.maps]))
