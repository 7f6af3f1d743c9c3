import numpy as np
import pytest
import torch
from scipy.sparse.linalg import LinearOperator, cg
from toys import noise, toy_image, toy_sense

from gleam.physics.sense import Sense
from gleam.physics.solve import conjugate_gradients, solve_steps, solve_to
from gleam.training.meter import metered

DOUBLE = torch.complex128
WEIGHT = 0.05


def weight():
    return torch.tensor(WEIGHT, dtype=torch.float64, requires_grad=True)


def toy_problem(batch=2, space=(8, 7), **fields):
    """AᴴA and a right-hand side."""
    sense = toy_sense(space, batch=batch, dtype=DOUBLE, **fields)
    return sense.normal, toy_image(sense)


def dense(normal, like):
    """AᴴA + λ of a batch of one as a matrix."""
    basis = torch.eye(like.numel(), dtype=like.dtype).reshape(-1, *like.shape)
    columns = torch.stack([normal(e).flatten() for e in basis], dim=1)
    return columns.numpy() + WEIGHT * np.eye(like.numel())


def test_it_solves():
    normal, b = toy_problem(batch=1, sets=2)
    x = conjugate_gradients(lambda x: normal(x) + WEIGHT * x, b, 200)
    expected = np.linalg.solve(dense(normal, b), b.flatten().numpy())
    assert np.abs(x.flatten().numpy() - expected).max() < 1e-10


@pytest.mark.parametrize("steps", [1, 3, 8])
def test_steps_are_those_of_scipy(steps):
    normal, b = toy_problem(batch=1)
    matrix = dense(normal, b)
    operator = LinearOperator(matrix.shape, matvec=lambda v: matrix @ v, dtype=np.complex128)
    expected, _ = cg(operator, b.flatten().numpy(), rtol=0, maxiter=steps)
    x = solve_steps(normal, weight(), b, steps)
    assert np.abs(x.detach().flatten().numpy() - expected).max() < 1e-12


@pytest.mark.parametrize("tolerance", [1e-2, 1e-6])
def test_solve_to_reaches_its_tolerance_and_no_more(tolerance):
    normal, b = toy_problem(batch=1)
    x = solve_to(normal, weight(), b, tolerance)
    residual = b - normal(x) - WEIGHT * x
    assert residual.norm() <= 1.01 * tolerance * b.norm()
    assert residual.norm() > 1e-3 * tolerance * b.norm()


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
        x = solve(part.normal, weight(), right)
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
    x = solve_steps(sense.normal, weight().float(), b.requires_grad_(), 100)
    (gradient,) = torch.autograd.grad(x.abs().sum(), b)
    assert x.isfinite().all()
    assert gradient.isfinite().all()


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
    normal, b = toy_problem()
    db, c = (noise(*b.shape, seed=seed, dtype=DOUBLE) for seed in (7, 8))
    zero, one = torch.zeros_like(db), 1.0

    def exactly(w, b):
        return solve_steps(normal, w, b, steps)

    def implicitly(w, b):
        return solve_to(normal, w, b, tolerance=1e-15, steps=steps)

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


def plain_steps(normal, weight, b, steps):
    """CG as the textbook has it, for autograd to go through."""

    def dot(u, v):
        return (u.conj() * v).real.flatten(1).sum(1).reshape(-1, *[1] * (b.ndim - 1))

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
@pytest.mark.parametrize("steps", [1, 2, 5, 10, 30])
def test_the_way_back_written_out_is_that_of_autograd(steps, dtype, tolerance):
    sense = toy_sense(sets=2, frames=3, dtype=dtype)
    b, c = toy_image(sense, 3).requires_grad_(), toy_image(sense, 3, seed=9)
    w = weight().to(b.real.dtype)
    ours, expected = (
        torch.autograd.grad(solve(sense.normal, w, b, steps), (b, w), c)
        for solve in (solve_steps, plain_steps)
    )
    for one, other in zip(ours, expected, strict=True):
        assert (one - other).norm() <= tolerance * other.norm()


def test_gradcheck():
    normal, b = toy_problem(batch=1, space=(3, 2))
    solves = [
        lambda w, b: solve_steps(normal, w, b, 3),
        lambda w, b: solve_to(normal, w, b, 1e-14),
    ]
    for solve in solves:
        assert torch.autograd.gradcheck(solve, (weight(), b.requires_grad_()))


def test_only_the_inputs_are_kept_and_memory_does_not_grow_with_steps():
    normal, b = toy_problem()
    w, saved = weight(), []
    b.requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(saved.append, lambda x: x):
        solve_steps(normal, w, b, 5)
    assert [t.data_ptr() for t in saved] == [b.data_ptr(), w.data_ptr()]

    peaks = [metered(lambda n=n: solve_steps(normal, w, b, n), b.device)[1] for n in (5, 20)]
    assert peaks[0] == peaks[1]


def test_the_way_back_keeps_one_vector_a_step():
    normal, b = toy_problem(space=(16, 16))
    w = weight()

    def peak(steps):
        x = solve_steps(normal, w, b.requires_grad_(), steps)
        return metered(lambda: torch.autograd.grad(x, (b, w), torch.ones_like(x)), b.device)[1]

    assert b.nbytes <= (peak(20) - peak(10)) / 10 < 1.1 * b.nbytes


@pytest.mark.parametrize(
    "solve",
    [lambda *a: solve_steps(*a, 4), lambda *a: solve_to(*a, 1e-9)],
    ids=["steps", "tolerance"],
)
def test_lazily_conjugated_tensors_are_tensors(solve):
    """Autograd hands gradients over as conjugate views."""
    normal, b = toy_problem()
    c = noise(*b.shape, seed=9, dtype=DOUBLE)

    def gradient(conjugate):
        right = b.clone().requires_grad_()
        return torch.autograd.grad(solve(normal, weight(), conjugate(right)), right, conjugate(c))[
            0
        ]

    assert torch.allclose(gradient(torch.conj), gradient(torch.conj_physical))


def test_a_second_derivative_is_refused_rather_than_dropped():
    normal, b = toy_problem()
    w = weight()
    x = solve_steps(normal, w, b, 3)
    (gradient,) = torch.autograd.grad(x.abs().sum(), w, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.backward()


@pytest.mark.parametrize("solve", [lambda *a: solve_steps(*a, 4), lambda *a: solve_to(*a, 1e-12)])
def test_a_weight_for_each_example(solve):
    normal, b = toy_problem(batch=2)
    weights = torch.tensor([0.1, 0.7], dtype=torch.float64, requires_grad=True)
    x = solve(normal, weights, b)
    (gradient,) = torch.autograd.grad(x.abs().sum(), weights)
    for k in range(2):
        one = weights[k].detach().clone().requires_grad_()
        alone = solve(normal, one, b)[k]
        assert torch.allclose(x[k], alone, rtol=1e-10)
        assert torch.allclose(gradient[k], *torch.autograd.grad(alone.abs().sum(), one), rtol=1e-8)
