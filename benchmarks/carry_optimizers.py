"""Optimizers that are tried in place of Adam, by `benchmarks.carry`: AdamW and Muon."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gleam.training.adam import Adam, recordable

DECAY, MOMENTUM = 1e-2, 0.95
NEWTON_SCHULZ, ROUNDS = (3.4445, -4.7750, 2.0315), 5  # Jordan et al., Muon, 2024


def decaying(weights: Sequence[nn.Parameter], rate: float, scalars: float = 1.0) -> Adam:
    """AdamW (Loshchilov & Hutter 2019): weights decay apart from Adam's update."""
    adam = recordable(weights, rate, scalars)
    for group in adam.param_groups:
        group["weight_decay"], group["decoupled_weight_decay"] = DECAY, True
    return adam


class Muon(Adam):
    """Momentum made orthogonal, of convolutions as matrices of (output, input and window); all
    other weights learn by Adam.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One update."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.ndim < 4 or weight.grad is None:
                    continue
                state = self.state[weight]
                momentum = state.setdefault("momentum", torch.zeros_like(weight))
                momentum.lerp_(weight.grad, 1 - MOMENTUM)
                update = orthogonal(weight.grad.lerp(momentum, MOMENTUM).flatten(1))
                scale = 0.2 * math.sqrt(max(update.shape))  # as long as Adam's
                weight -= float(group["lr"]) * scale * update.reshape(weight.shape)
                weight.grad = None  # Adam passes over it
        return super().step(closure)


def orthogonal(matrix: Tensor) -> Tensor:
    """About U Vᵀ of a matrix U S Vᵀ, by iterations of Newton and Schulz."""
    a, b, c = NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(ROUNDS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if tall else x


def muon(weights: Sequence[nn.Parameter], rate: float, scalars: float = 1.0) -> Muon:
    """`Muon`, its learning rate as `recordable` has it."""
    groups = recordable(weights, rate, scalars).param_groups
    return Muon([{**group} for group in groups], fused=True, capturable=True)
