"""Linear operators: what is applied, its adjoint `.H`, and `.gram`, the two after one another.

An operator is called with a tensor and gives a tensor. They combine: `A @ B` applies B first, and
`(A @ B).H` is `B.H @ A.H`. Whatever is built of differentiable parts is differentiable: forwards
(`torch.func.jvp`), backwards, twice, and under `torch.func.vmap`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from gleam.arrays import AnyTensor


def transformed() -> bool:
    """Whether a transform of `torch.func` is at work; torch asks itself the same way."""
    active: bool = torch._C._are_functorch_transforms_active()
    return active


def mapped_over(*tensors: AnyTensor) -> bool:
    """Whether `torch.func.vmap` is running over any of these."""
    return any(torch._C._functorch.is_batchedtensor(tensor) for tensor in tensors)


class LinearOperator(ABC):
    """A, given by A x and Aᴴ y.

    >>> class Twice(gleam.LinearOperator):
    ...     def forward(self, x):
    ...         return 2 * x
    ...
    ...     adjoint = forward
    >>> Twice().gram(torch.ones(2))
    tensor([4., 4.])

    The inner product is ⟨x, y⟩ = Σ conj(x) · y over all elements, so A is linear over the complex
    numbers and ⟨A x, y⟩ = ⟨x, Aᴴ y⟩.
    """

    @abstractmethod
    def forward(self, x: AnyTensor) -> AnyTensor:
        """A x."""

    @abstractmethod
    def adjoint(self, y: AnyTensor) -> AnyTensor:
        """Aᴴ y."""

    def normal(self, x: AnyTensor) -> AnyTensor:
        """AᴴA x."""
        return self.adjoint(self.forward(x))

    def __call__(self, x: AnyTensor) -> AnyTensor:
        """A x."""
        return self.forward(x)

    def __matmul__(self, other: "LinearOperator") -> "LinearOperator":
        """The operator that applies `other`, then this one."""
        return Product(self, other)

    @property
    def H(self) -> "LinearOperator":
        """Aᴴ as an operator."""
        return Adjoint(self)

    @property
    def gram(self) -> "LinearOperator":
        """AᴴA as an operator: Hermitian and positive semi-definite."""
        return Gram(self)


@dataclass(frozen=True)
class Adjoint(LinearOperator):
    """Aᴴ."""

    of: LinearOperator

    def forward(self, x: AnyTensor) -> AnyTensor:
        """Aᴴ x."""
        return self.of.adjoint(x)

    def adjoint(self, y: AnyTensor) -> AnyTensor:
        """A y."""
        return self.of.forward(y)

    @property
    def H(self) -> LinearOperator:
        """A."""
        return self.of


@dataclass(frozen=True)
class Gram(LinearOperator):
    """AᴴA, by whichever way A has for it."""

    of: LinearOperator

    def forward(self, x: AnyTensor) -> AnyTensor:
        """AᴴA x."""
        return self.of.normal(x)

    def adjoint(self, y: AnyTensor) -> AnyTensor:
        """The same: it is Hermitian."""
        return self.of.normal(y)

    @property
    def H(self) -> LinearOperator:
        """Itself."""
        return self


@dataclass(frozen=True)
class Product(LinearOperator):
    """A B: first B, then A."""

    last: LinearOperator
    first: LinearOperator

    def forward(self, x: AnyTensor) -> AnyTensor:
        """A B x."""
        return self.last.forward(self.first.forward(x))

    def adjoint(self, y: AnyTensor) -> AnyTensor:
        """Bᴴ Aᴴ y."""
        return self.first.adjoint(self.last.adjoint(y))

    @property
    def H(self) -> LinearOperator:
        """Bᴴ Aᴴ."""
        return Product(self.first.H, self.last.H)
