"""Explanations of what is wrong with blocks, states or losses that somebody hands to
`train_step`."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from gleam.arrays import AnyTensor
from gleam.errors import BadInput
from gleam.training.states import State, described, needs_gradient


@contextmanager
def explained(
    name: str, blocks: Sequence[nn.Module], state: State, given: tuple[Any, ...]
) -> Iterator[None]:
    """Say with any error of these blocks which they are, and what they were called with.

    Raises:
        BadInput: one of them does not take so many arguments.
    """
    try:
        yield
    except BadInput:
        raise
    except Exception as error:
        called = f"a state, {described(state)}, and " + (described(given) if given else "no more")
        if isinstance(error, TypeError):
            for block in blocks:
                if wrong := _misfit(block, state, given):
                    raise BadInput(
                        f"{name}: {type(block).__name__} was called with {called}, but {wrong}"
                    ) from error
        error.add_note(f"in {name}, called with {called}")
        raise


def _misfit(block: nn.Module, state: State, given: tuple[Any, ...]) -> str:
    """The reason why a block cannot be called so; empty where it can."""
    try:
        takes = inspect.signature(block.forward)
        takes.bind(state, *given)
    except TypeError as error:
        return f"its forward{takes} has {error}"
    except ValueError:  # has no signature
        pass
    return ""


def check_constant(state: State, given: tuple[Any, ...]) -> None:
    """Make sure that no weights come before the modules which nobody would train.

    Raises:
        BadInput: a gradient would flow to what was handed to the modules.
    """
    for what, value in (("the first state", state), ("what all modules are given", given)):
        if needs_gradient(value):
            raise BadInput(
                f"{what}, {described(value)}, was computed by weights that no module learns: train "
                "them with the first module (greedy(..., with_first=network)), freeze them "
                "(frozen=network), or compute it under torch.no_grad()"
            )


def loss_of(
    output: State, target: Any, loss: Callable[[State, Any], object], name: str
) -> AnyTensor:
    """A module's loss, if it is one.

    Raises:
        BadInput: it is no real number, or does not depend on any weight.
    """
    try:
        error = loss(output, target)
    except Exception as wrong:
        wrong.add_note(
            f"in the loss of {name}, of a state, {described(output)}, and a target, "
            f"{described(target)}"
        )
        raise
    if not isinstance(error, Tensor) or error.numel() != 1 or not error.is_floating_point():
        raise BadInput(
            f"{name}: its loss is {described(error)}; it has to be one real number, such as "
            "(image - target).abs().mean()"
        )
    if not error.requires_grad:
        raise BadInput(
            f"{name}: its loss depends on none of its weights; are gradients off (torch.no_grad), "
            "or does a block detach what it puts out?"
        )
    return error
