import pytest
import torch

from gleam.physics import eigenvectors as module
from gleam.physics.eigenvectors import leading_eigenvectors

SIZE = 50


def matrices(*leading: float, rest: float = 0.3) -> torch.Tensor:
    """Some with these eigenvalues, and others from `rest` down, each with its own eigenvectors."""
    values = torch.cat([torch.tensor(leading), torch.linspace(rest, 0, SIZE - len(leading))])
    generator = torch.Generator().manual_seed(0)
    random = torch.randn(6, SIZE, SIZE, dtype=torch.complex64, generator=generator)
    vectors = torch.linalg.qr(random).Q
    return vectors * values @ vectors.mH


def distance(vectors: torch.Tensor, others: torch.Tensor) -> float:
    """How far vectors lie outside the space of others."""
    return float((vectors - others @ (others.mH @ vectors)).norm(dim=1).max())


@pytest.mark.parametrize("count", [1, 2])
def test_they_are_those_of_a_full_decomposition(count, monkeypatch):
    some = matrices(1.0, 0.6, rest=0.1)
    values, vectors = torch.linalg.eigh(some)
    monkeypatch.delattr(module, "_decomposed")  # which none of these needs
    found, leading = leading_eigenvectors(some, count, 0.5)
    assert found.shape == (6, count)
    assert leading.shape == (6, SIZE, count)
    assert (found - values[:, -count:]).abs().max() < 1e-5
    for place in range(-count, 0):
        assert distance(leading[..., place, None], vectors[..., place, None]) < 1e-5
        assert (leading[..., place].norm(dim=1) - 1).abs().max() < 1e-5


def test_two_with_the_same_eigenvalue_are_both_found():
    some = matrices(1.0, 1.0)
    found, leading = leading_eigenvectors(some, 2, 0.5)
    assert (found - 1).abs().max() < 1e-5
    assert distance(torch.linalg.eigh(some).eigenvectors[..., -2:], leading) < 1e-5


def test_what_converges_slowly_is_decomposed_in_full():
    slow, quick = matrices(0.95, 0.94, 0.93, rest=0.92), matrices(1.0)
    some = torch.cat([quick[:2], slow[:3], quick[2:]])
    values, vectors = torch.linalg.eigh(some)
    found, leading = leading_eigenvectors(some, 1, 0.5)
    assert (found - values[:, -1:]).abs().max() < 1e-5
    assert torch.equal(leading[2:5], vectors[2:5, :, -1:])
    assert distance(leading, vectors[..., -1:]) < 1e-5


def test_what_is_not_above_the_bound_need_not_converge(monkeypatch):
    monkeypatch.delattr(module, "_decomposed")
    found, _ = leading_eigenvectors(matrices(0.5, 0.45, rest=0.4), 1, 0.8)
    assert (found < 0.8).all()


def test_matrices_of_low_rank():
    one = matrices(1.0, rest=0.0)
    found, leading = leading_eigenvectors(torch.cat([one, torch.zeros_like(one)]), 2, 0.5)
    assert (found[:6, 1] - 1).abs().max() < 1e-5
    assert (one @ leading[:6, :, 1:] - leading[:6, :, 1:]).abs().max() < 1e-5
    assert found[:6, 0].abs().max() < 1e-5
    assert found[6:].abs().max() < 1e-5
