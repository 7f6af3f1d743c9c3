from functools import partial

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import cg
from toys import EACH_SHAPE, noise, systems, toy_image, toy_sense

from gleam.physics.cg import conjugate_gradients
from gleam.physics.sense import Sense
from gleam.physics.solve import solve_steps, solve_to
from gleam.training.meter import metered

DOUBLE = torch.complex128
WEIGHT = 0.05


def weight():
    return torch.tensor(WEIGHT, dtype=torch.float64, requires_grad=True)


def toy_problem(batch=2, space=(8, 7), frames=1, **fields):
    """AᴴA, a right-hand side, and the axes along which AᴴA couples."""
    sense = toy_sense(space, batch=batch, frames=frames, dtype=DOUBLE, **fields)
    return sense.normal, toy_image(sense, frames), sense.axes


def dense(normal, like):
    """AᴴA + λ of a batch of one as a matrix."""
    basis = torch.eye(like.numel(), dtype=like.dtype).reshape(-1, *like.shape)
    columns = torch.stack([normal(e).flatten() for e in basis], dim=1)
    return columns.numpy() + WEIGHT * np.eye(like.numel())


@EACH_SHAPE
def test_it_solves(shape):
    normal, b, axes = toy_problem(batch=1, **shape)
    x = conjugate_gradients(lambda x: normal(x) + WEIGHT * x, b, axes, 200)
    expected = np.linalg.solve(dense(normal, b), b.flatten().numpy())
    assert np.abs(x.flatten().numpy() - expected).max() < 1e-10


@EACH_SHAPE
@pytest.mark.parametrize("steps", [1, 3, 5])
def test_steps_are_those_of_scipy_on_every_system(steps, shape):
    normal, b, axes = toy_problem(batch=1, **shape)
    matrix, right = dense(normal, b), b.flatten().numpy()
    x = solve_steps(normal, weight(), b, axes, steps).detach().flatten().numpy()
    together = np.zeros(matrix.shape, dtype=bool)
    for some in systems(b, axes).numpy():
        block = np.ix_(some, some)
        together[block] = True
        expected, _ = cg(matrix[block], right[some], rtol=0, maxiter=steps)
        assert np.abs(x[some] - expected).max() < 1e-10
    assert not matrix[~together].any()  # nothing couples what is solved apart


@pytest.mark.parametrize("tolerance", [1e-2, 1e-6])
def test_solve_to_reaches_its_tolerance_in_every_system_and_no_more(tolerance):
    normal, b, axes = toy_problem(space=(4, 64))
    x = solve_to(normal, weight(), b, axes, tolerance).detach()
    residual = b - normal(x) - WEIGHT * x
    of_systems = systems(b, axes)
    relative = residual.flatten()[of_systems].norm(dim=1) / b.flatten()[of_systems].norm(dim=1)
    assert relative.max() <= 1.01 * tolerance
    assert relative.max() > 1e-2 * tolerance


@pytest.mark.parametrize(
    "solve",
    [lambda *a: solve_steps(*a, 6), lambda *a: solve_steps(*a, 100), lambda *a: solve_to(*a, 1e-3)],
    ids=["6 steps", "100 steps", "tolerance"],
)
def test_an_example_does_not_see_its_batch_mates(solve):
    """Not in value and not in gradient, whether they are done at once, zero, or far larger."""
    sense = toy_sense((8, 7), batch=5, dtype=DOUBLE)
    sense.mask[1] = False  # AᴴA = 0: solved in one step
    b = toy_image(sense)
    b[2] = 0
    b[3] *= 1e6
    c = noise(*b.shape, seed=9, dtype=DOUBLE)

    def value_and_gradient(some):
        part = Sense(sense.maps[some], sense.mask[some], sense.axes)
        right = b[some].clone().requires_grad_()
        x = solve(part.normal, weight(), right, part.axes)
        (gradient,) = torch.autograd.grad(x, right, c[some])
        return x.detach(), gradient

    together = value_and_gradient(slice(None))
    for k in range(5):
        alone = value_and_gradient(slice(k, k + 1))
        for one, all_of_them in zip(alone, together, strict=True):
            assert one.isfinite().all()
            assert torch.allclose(one[0], all_of_them[k], rtol=1e-12, atol=1e-12 * one.abs().max())
    assert not together[0][2].any()


def test_a_zero_example_has_no_nan_in_single_precision():
    sense = toy_sense()
    b = toy_image(sense)
    b[0] = 0
    x = solve_steps(sense.normal, weight().float(), b.requires_grad_(), sense.axes, 100)
    (gradient,) = torch.autograd.grad(x.abs().sum(), b)
    assert x.isfinite().all()
    assert gradient.isfinite().all()


def test_systems_of_a_few_elements_or_of_next_to_nothing_have_exact_gradients():
    """At the rim of an object: solved after one or two steps, in single precision."""
    sense = toy_sense((6, 40), batch=1)
    maps = sense.maps * torch.eye(40)[:6].cumsum(0)  # so many elements where there is signal
    sense = Sense(maps, sense.mask, sense.axes)
    b, c = sense.normal(toy_image(sense)), toy_image(sense, seed=9)
    b[..., 3, :] *= 1e-22
    b.requires_grad_()
    x = solve_steps(sense.normal, weight().float(), b, sense.axes, 8)
    (gradient,) = torch.autograd.grad(x, b, c)
    assert x.isfinite().all()
    assert not x[..., 3, :].any()
    precise = Sense(maps.to(DOUBLE), sense.mask, sense.axes)
    right = b.detach().to(DOUBLE).requires_grad_()
    exact = solve_steps(precise.normal, weight(), right, sense.axes, 8)
    (expected,) = torch.autograd.grad(exact, right, c.to(DOUBLE))
    some = [k for k in range(6) if k != 3]
    assert (gradient - expected)[..., some, :].norm() < 1e-4 * expected[..., some, :].norm()


def finite_difference(solve, b, db, dw, c, step=1e-6):
    """The derivative of Re⟨c, solve(λ, b)⟩ along (db, dw)."""

    def value(sign):
        with torch.no_grad():
            x = solve(weight() + sign * step * dw, b + sign * step * db)
        return torch.vdot(c.flatten(), x.flatten()).real

    return (value(1) - value(-1)) / (2 * step)


def derivative(solve, b, db, dw, c):
    """The same by autograd: (along db, along dw)."""
    w, b = weight(), b.clone().requires_grad_()
    gradient_b, gradient_w = torch.autograd.grad(solve(w, b), (b, w), c)
    along_b = torch.vdot(gradient_b.flatten(), db.flatten()).real
    return along_b, gradient_w * dw


def gradient_errors(steps):
    """Relative errors of the exact and of the implicit gradient of `steps` CG steps: (b, λ)."""
    normal, b, axes = toy_problem(sets=2, frames=2)
    db, c = (noise(*b.shape, seed=seed, dtype=DOUBLE) for seed in (7, 8))
    zero, one = torch.zeros_like(db), 1.0

    def exactly(w, b):
        return solve_steps(normal, w, b, axes, steps)

    def implicitly(w, b):
        return solve_to(normal, w, b, axes, tolerance=1e-15, steps=steps)

    references = [
        finite_difference(exactly, b, db, 0.0, c),
        finite_difference(exactly, b, zero, one, c),
    ]
    return [
        [
            float(abs(value - reference) / abs(reference))
            for value, reference in zip(derivative(f, b, db, one, c), references, strict=True)
        ]
        for f in (exactly, implicitly)
    ]


@pytest.mark.parametrize("steps", [1, 5, 10, 50])
def test_the_gradient_of_a_fixed_number_of_steps_is_exact(steps):
    exact, _ = gradient_errors(steps)
    assert max(exact) < 1e-7


def test_implicit_and_exact_gradient_part_where_cg_has_not_converged():
    _, early = gradient_errors(5)
    _, converged = gradient_errors(60)
    assert max(early) > 1e-2
    assert max(converged) < 1e-7


def plain_steps(normal, weight, b, axes, steps):
    """CG as the textbook has it, for autograd to go through."""

    def dot(u, v):
        return (u.conj() * v).real.sum((1, *axes), keepdim=True)

    x, residual, direction = torch.zeros_like(b), b, b
    energy = dot(residual, residual)
    for _ in range(steps):
        image = normal(direction) + weight * direction
        alpha = energy / dot(direction, image)
        x = x + alpha * direction
        residual = residual - alpha * image
        energy, previous = dot(residual, residual), energy
        direction = residual + energy / previous * direction
    return x


@pytest.mark.parametrize(("dtype", "tolerance"), [(DOUBLE, 1e-12), (torch.complex64, 1e-5)])
@pytest.mark.parametrize("steps", [1, 2, 5, 10])
@EACH_SHAPE
def test_the_way_back_written_out_is_that_of_autograd(steps, dtype, tolerance, shape):
    """Plain autograd in double precision, of the same numbers."""
    sense, frames = toy_sense(**shape, dtype=dtype), shape.get("frames", 1)
    b, c = toy_image(sense, frames), toy_image(sense, frames, seed=9)

    def gradients(solve, dtype):
        precise = Sense(sense.maps.to(dtype), sense.mask, sense.axes)
        w, right = weight().to(dtype.to_real()), b.to(dtype).requires_grad_()
        x = solve(precise.normal, w, right, sense.axes, steps)
        return torch.autograd.grad(x, (w, right), c.to(dtype))

    ours, expected = gradients(solve_steps, dtype), gradients(plain_steps, DOUBLE)
    for one, other in zip(ours, expected, strict=True):
        assert (one - other).norm() <= tolerance * other.norm()


def test_gradcheck():
    normal, b, axes = toy_problem(batch=1, space=(2, 4))
    solves = [
        lambda w, b: solve_steps(normal, w, b, axes, 3),
        lambda w, b: solve_to(normal, w, b, axes, 1e-14),
    ]
    for solve in solves:
        assert torch.autograd.gradcheck(solve, (weight(), b.requires_grad_()))


def test_only_the_inputs_are_kept_and_memory_does_not_grow_with_steps():
    normal, b, axes = toy_problem()
    w, saved = weight(), []
    b.requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(saved.append, lambda x: x):
        solve_steps(normal, w, b, axes, 5)
    assert [t.data_ptr() for t in saved] == [b.data_ptr(), w.data_ptr()]

    peaks = [metered(lambda n=n: solve_steps(normal, w, b, axes, n), b.device)[1] for n in (5, 20)]
    assert peaks[0] == peaks[1]


def test_the_way_back_keeps_one_vector_a_step():
    normal, b, axes = toy_problem(space=(4, 128))
    w = weight()

    def peak(steps):
        x = solve_steps(normal, w, b.requires_grad_(), axes, steps)
        return metered(lambda: torch.autograd.grad(x, (b, w), torch.ones_like(x)), b.device)[1]

    assert b.nbytes <= (peak(20) - peak(10)) / 10 < 1.1 * b.nbytes


@pytest.mark.parametrize(
    "solve",
    [lambda *a: solve_steps(*a, 4), lambda *a: solve_to(*a, 1e-9)],
    ids=["steps", "tolerance"],
)
def test_lazily_conjugated_tensors_are_tensors(solve):
    """Autograd hands gradients over as conjugate views."""
    normal, b, axes = toy_problem()
    c = noise(*b.shape, seed=9, dtype=DOUBLE)

    def gradient(conjugate):
        right = b.clone().requires_grad_()
        x = solve(normal, weight(), conjugate(right), axes)
        return torch.autograd.grad(x, right, conjugate(c))[0]

    assert torch.allclose(gradient(torch.conj), gradient(torch.conj_physical))


SOLVES = {
    "steps": lambda normal, axes: lambda w, b: solve_steps(normal, w, b, axes, 4),
    "tolerance": lambda normal, axes: lambda w, b: solve_to(normal, w, b, axes, 1e-13),
}
EACH_SOLVE = pytest.mark.parametrize("kind", SOLVES)
# torch's own forward mode compiles some of its rules by a deprecated way.
FORWARD_MODE = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


def solver(kind, shape):
    """A solve as a function of (λ, b), values of both, and directions to change them in."""
    normal, b, axes = toy_problem(**shape)
    w, dw = torch.tensor([[0.1, 0.3], [0.7, -0.2]], dtype=torch.float64)
    return SOLVES[kind](normal, axes), (w, b), (dw, noise(*b.shape, seed=7, dtype=DOUBLE))


def moved(point, direction, step):
    return [x + step * dx for x, dx in zip(point, direction, strict=True)]


def size(solve, w, b):
    return solve(w, b).abs().square().sum()


@EACH_SHAPE
@EACH_SOLVE
@FORWARD_MODE
def test_the_derivative_forwards(kind, shape):
    solve, point, direction = solver(kind, shape)
    _, change = torch.func.jvp(solve, tuple(point), tuple(direction))
    ends = [solve(*moved(point, direction, step)) for step in (1e-6, -1e-6)]
    expected = (ends[0] - ends[1]) / 2e-6
    assert (change - expected).norm() <= 1e-7 * expected.norm()


@EACH_SHAPE
@EACH_SOLVE
@FORWARD_MODE
def test_second_derivatives(kind, shape):
    """Backwards twice, forwards over backwards, backwards over forwards: against differences."""
    solve, point, direction = solver(kind, shape)
    loss = partial(size, solve)
    gradients = torch.func.grad(loss, (0, 1))
    ends = [gradients(*moved(point, direction, step)) for step in (1e-5, -1e-5)]
    expected = [(a - b) / 2e-5 for a, b in zip(*ends, strict=True)]

    leaves = [x.clone().requires_grad_() for x in point]
    first = torch.autograd.grad(loss(*leaves), leaves, create_graph=True)
    ways = {
        "backwards twice": torch.autograd.grad(first, leaves, direction),
        "forwards over backwards": torch.func.jvp(gradients, tuple(point), tuple(direction))[1],
        "backwards over forwards": torch.func.grad(
            lambda w, b: torch.func.jvp(loss, (w, b), tuple(direction))[1], (0, 1)
        )(*point),
    }
    for way, got in ways.items():
        for one, other in zip(got, expected, strict=True):
            assert (one - other).norm() <= 1e-6 * other.norm(), way


@EACH_SHAPE
@EACH_SOLVE
def test_mapped_over_it_is_one_after_the_other(kind, shape):
    solve, (w, b), _ = solver(kind, shape)
    weights = torch.stack([w, 2 * w, 3 * w])
    sides = torch.stack([noise(*b.shape, seed=seed, dtype=DOUBLE) for seed in range(3)])
    vmap = torch.func.vmap
    for got, pairs in [
        (vmap(solve, (None, 0))(w, sides), [(w, side) for side in sides]),
        (vmap(solve, (0, None))(weights, b), [(weight, b) for weight in weights]),
        (vmap(solve, (0, 1))(weights, sides.movedim(0, 1)), zip(weights, sides, strict=True)),
    ]:
        assert torch.allclose(got, torch.stack([solve(*pair) for pair in pairs]), atol=1e-12)
    gradient = torch.func.grad(partial(size, solve), 1)
    expected = torch.stack([gradient(w, side) for side in sides])
    assert torch.allclose(vmap(gradient, (None, 0))(w, sides), expected, atol=1e-11)


@EACH_SHAPE
def test_a_fixed_number_of_steps_never_asks_for_a_number(shape):
    """The device `meta` has none: whoever waits for one, to branch on it, fails."""
    sense = toy_sense(**shape)
    b = toy_image(sense, shape.get("frames", 1)).to("meta").requires_grad_()
    sense, w = sense.to("meta"), torch.tensor(0.1, device="meta", requires_grad=True)
    x = solve_steps(sense.normal, w, b, sense.axes, 5)
    gradients = torch.autograd.grad(x.abs().sum(), (b, w))
    assert [g.shape for g in gradients] == [b.shape, w.shape]
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        solve_to(sense.normal, w, b, sense.axes, 1e-3)


@pytest.mark.parametrize("solve", [lambda *a: solve_steps(*a, 4), lambda *a: solve_to(*a, 1e-12)])
def test_a_weight_for_each_example(solve):
    normal, b, axes = toy_problem(batch=2)
    weights = torch.tensor([0.1, 0.7], dtype=torch.float64, requires_grad=True)
    x = solve(normal, weights, b, axes)
    (gradient,) = torch.autograd.grad(x.abs().sum(), weights)
    for k in range(2):
        one = weights[k].detach().clone().requires_grad_()
        alone = solve(normal, one, b, axes)[k]
        assert torch.allclose(x[k], alone, rtol=1e-10)
        assert torch.allclose(gradient[k], *torch.autograd.grad(alone.abs().sum(), one), rtol=1e-8)
