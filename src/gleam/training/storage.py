"""Storages: each runs iterations, and keeps what their backward pass needs in its own way.

A storage changes no value. `recompute` is activation checkpointing, `checkpoint` in recipes.
"""

import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.checkpoint import checkpoint, set_checkpoint_early_stop

from gleam.arrays import AnyTensor
from gleam.networks.coupling import Invertible
from gleam.training.offload import ActivationStore
from gleam.training.states import State

# Of iterations, the state before the first of them, and what each is called with besides.
# `check_storage` of tests/training/test_storage_contract.py holds each to changing no value, no
# gradient and none of these.
Storage = Callable[..., State]

# Relative error of an inverted image. Above the first the next one is kept as an anchor instead;
# above the second a gradient is no longer worth having.
AIM, WORST = 1e-3, 1e-2


def store(iterations: Sequence[nn.Module], state: State, *given: Any) -> State:
    """Keep every activation."""
    for iteration in iterations:
        state = iteration(state, *given)
    return state


def recompute(
    iterations: Sequence[nn.Module], state: State, *given: Any, random: bool = False
) -> State:
    """Keep the state before each iteration, and recompute its activations in the backward pass.

    The last iteration is not computed again: its activations would be freed only to be needed
    next.

    Args:
        iterations: what is run.
        state: before the first of them.
        given: what each is called with besides.
        random: they draw random numbers, as dropout does, which must then be the same again.
    """
    *early, last = iterations
    # PyTorch would end a recomputation by an exception, whose frames hold on to all that was
    # recomputed until Python's garbage collector comes by.
    with set_checkpoint_early_stop(False):
        for iteration in early:
            state = checkpoint(
                iteration,
                state,
                *given,
                use_reentrant=False,
                preserve_rng_state=random,
                context_fn=partial(_of_checkpoint, iteration),
            )
    return last(state, *given)


class _StatisticsKept:
    """Has batch and instance norms compute as ever, and add nothing to their running statistics.

    The forward pass has added this batch already. May be entered again, when it was left.
    """

    def __init__(self, iteration: nn.Module) -> None:
        self._iteration = iteration
        self._kept: list[tuple[_NormBase, float | None, Tensor | None]] = []

    def __enter__(self) -> None:
        parts = [part for part in self._iteration.modules() if isinstance(part, _NormBase)]
        for norm in parts:
            if norm.training and norm.track_running_stats:
                count = norm.num_batches_tracked
                count = None if count is None else count.clone()
                self._kept.append((norm, norm.momentum, count))
                norm.momentum = 0.0  # the share of a batch in what runs

    def __exit__(self, *_: object) -> None:
        for norm, momentum, count in self._kept:
            norm.momentum = momentum
            if count is not None and norm.num_batches_tracked is not None:
                norm.num_batches_tracked.copy_(count)
        self._kept.clear()


def _of_checkpoint(iteration: nn.Module) -> tuple[AbstractContextManager[None], _StatisticsKept]:
    """The contexts of a forward pass and of its recomputation."""
    return nullcontext(), _StatisticsKept(iteration)


def invert(iterations: Sequence[nn.Module], state: AnyTensor, *given: Any) -> AnyTensor:
    """Keep the output alone; in the backward pass undo the iterations one by one.

    Where inversion amplifies errors, images are kept as anchors, so far apart that the error
    stays below 1e-3 by the iterations' own account (see `Invertible`).

    Raises:
        ValueError: an iteration is not `Invertible`.

    Warns:
        RuntimeWarning: the error, measured at an anchor, is above 1e-2.
    """
    if not all(isinstance(iteration, Invertible) for iteration in iterations):
        raise ValueError("these iterations cannot be undone; use the reversible family")
    weights = [p for iteration in iterations for p in iteration.parameters()]
    output: Tensor = _Inverted.apply(state, iterations, given, *weights)  # type: ignore[no-untyped-call]
    return output


class _Inverted(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        state: Tensor,
        iterations: Sequence[nn.Module],
        given: tuple[Any, ...],
        *weights: Tensor,
    ) -> Tensor:
        ctx.chain, ctx.given = cast(Sequence[Invertible], iterations), given
        ctx.anchored = _anchored(ctx.chain, given, torch.finfo(state.dtype).eps)
        anchors = []
        for k, iteration in enumerate(iterations):
            if k in ctx.anchored:
                anchors.append(state)
            state = iteration(state, *given)
        ctx.save_for_backward(state, *anchors)
        return state

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        state, *anchors = ctx.saved_tensors
        weight_gradients: list[Tensor | None] = []
        for k in reversed(range(len(ctx.chain))):
            state, gradient, own = ctx.chain[k].back(state, gradient, *ctx.given)
            weight_gradients = [*own, *weight_gradients]
            if k in ctx.anchored:
                found, state = state, anchors.pop()
                _check(found, state)
        return gradient, None, None, *weight_gradients


def _anchored(
    iterations: Sequence[Invertible], given: tuple[Any, ...], precision: float
) -> set[int]:
    """The iterations whose input is kept: to undo one more would lose too much."""
    kept: set[int] = set()
    error = precision
    for k in reversed(range(1, len(iterations))):
        error = iterations[k].error_of_inverse(error, *given)
        if iterations[k - 1].error_of_inverse(error, *given) > AIM:
            kept.add(k)
            error = precision
    return kept


def _check(found: Tensor, kept: Tensor) -> None:
    error = ((found - kept).norm() / kept.norm()).item()
    if error > WORST:
        warnings.warn(
            f"an inverted image is off by {error:.1g}, so gradients are too; lower "
            "network.cg_tolerance, or use training.storage: checkpoint",
            RuntimeWarning,
            stacklevel=2,
        )


def offload(
    iterations: Sequence[nn.Module],
    state: State,
    *given: Any,
    folder: Path | None = None,
    made: Callable[..., ActivationStore] = ActivationStore,
) -> State:
    """Keep every activation in host memory, or in a file under `folder`; see `ActivationStore`, of
    which a trace has a kind of its own."""
    kept = made((p for iteration in iterations for p in iteration.parameters()), folder)
    with torch.autograd.graph.saved_tensors_hooks(kept.put, kept.get):
        return store(iterations, state, *given)


STORAGES: dict[str, Storage] = {
    "store": store,
    "checkpoint": recompute,
    "invert": invert,
    "offload": offload,
}


def name_of(storage: Storage) -> str:
    """The name that recipes give a storage; the name of its function, if they know it not."""
    function = getattr(storage, "func", storage)
    known = (name for name, own in STORAGES.items() if own is function)
    return next(known, getattr(function, "__name__", "storage"))
