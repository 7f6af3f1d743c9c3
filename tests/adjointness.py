"""One check for every linear operator: ⟨A x, y⟩ = ⟨x, Aᴴ y⟩."""

from collections.abc import Callable

import torch
from torch import Tensor

Linear = Callable[[Tensor], Tensor]


def assert_adjoint(
    operator: Linear, adjoint: Linear, x: Tensor, y: Tensor, tolerance: float = 1e-5
) -> None:
    """Both inner products agree, relative to ‖A x‖ ‖y‖."""
    image, back = operator(x), adjoint(y)
    assert image.shape == y.shape
    assert back.shape == x.shape
    left = torch.vdot(y.flatten(), image.flatten())
    right = torch.vdot(back.flatten(), x.flatten())
    assert (left - right).abs() <= tolerance * image.norm() * y.norm()
