import torch
from torch import nn
from toys import noise

from gleam.networks.coupling import Coupling, pull


class Curved(nn.Module):
    """w₀ tanh(x) + w₁ x², times what is given; not invertible itself."""

    def __init__(self, seed):
        super().__init__()
        self.weight = nn.Parameter(noise(2, seed=seed, dtype=torch.float64))
        self.idle = nn.Parameter(torch.zeros(1))

    def forward(self, x, factor):
        return factor * (self.weight[0] * x.tanh() + self.weight[1] * x * x)


def pairs(seed):
    return tuple(noise(3, 4, seed=seed + k, dtype=torch.float64) for k in range(2))


def test_a_coupling_moves_one_by_the_other_in_turn():
    coupling, (a, b) = Coupling(Curved(0), Curved(1)), pairs(2)
    first = a + coupling.f(b, 0.3)
    second = b + coupling.g(first, 0.3)
    assert all(map(torch.equal, coupling(a, b, 0.3), (first, second)))


def test_back_finds_the_input_and_the_gradients():
    coupling = Coupling(Curved(0), Curved(1))
    before = tuple(x.requires_grad_() for x in pairs(2))
    after, gradient = coupling(*before, 0.3), pairs(4)
    inputs = [*before, *coupling.parameters()]
    expected = torch.autograd.grad(after, inputs, gradient, allow_unused=True)

    pair, first, weights = coupling.back(tuple(x.detach() for x in after), gradient, 0.3)
    for one, other in zip(pair, before, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-14)
    for one, other in zip([*first, *weights], expected, strict=True):
        assert (one is None) == (other is None)  # `idle` takes no part
        assert one is None or torch.allclose(one, other, rtol=1e-12)


def test_each_function_is_evaluated_once_on_the_way_back():
    coupling, runs = Coupling(Curved(0), Curved(1)), []
    for function in (coupling.f, coupling.g):
        function.register_forward_hook(lambda function, *_: runs.append(function))
    coupling.back(pairs(2), pairs(4), 0.3)
    assert runs == [coupling.g, coupling.f]


def test_pull_leaves_no_graph_and_no_gradient_behind():
    curved, x = Curved(0), noise(5, dtype=torch.float64).requires_grad_()
    value, gradient, weights = pull(lambda x: curved(x, 1.0), x, torch.ones(5), [curved.weight])
    assert not any(t.requires_grad for t in (value, gradient, *weights))
    assert x.grad is None
    assert curved.weight.grad is None
