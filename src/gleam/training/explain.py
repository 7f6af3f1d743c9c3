"""Explanations of what is wrong with modules, blocks, states or losses that somebody hands to
`train_step`."""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from gleam.arrays import AnyTensor, described
from gleam.errors import BadInput
from gleam.training.module import GreedyModule
from gleam.training.states import State, needs_gradient, unseen


def check_modules(modules: object, overlap: int) -> None:
    """Make sure that modules are what `greedy` makes, and that each of them learns.

    Raises:
        BadInput: they are not; or one has no loss, and no later one reaches back to it.
    """
    like = "give the list that gleam.greedy makes of the blocks of a network"
    if not isinstance(modules, Sequence):
        raise BadInput(f"train_step: modules is one {type(modules).__name__}; {like}")
    if not modules:
        raise BadInput(f"train_step: modules is empty; {like}")
    for number, module in enumerate(modules):
        if not isinstance(module, GreedyModule):
            raise BadInput(f"train_step: modules[{number}] is a {type(module).__name__}; {like}")
    if overlap < 0:
        raise BadInput(f"train_step: overlap is {overlap}; give 0, or how many modules before")
    for number, module in enumerate(modules):
        later = modules[number + 1 : number + 1 + overlap]
        if not module.weight and module.stopped is None and not any(one.weight for one in later):
            raise BadInput(
                f"{module.name}: its loss has weight 0 and, with an overlap of {overlap}, no later "
                "loss reaches it, so it would never learn; give train_step more overlap"
            )


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
                        f"{name}: {type(block).__name__} was called with {called}, but {wrong}; a "
                        "state is one argument, and what blocks are given besides is one, or a "
                        "tuple of several: wrap blocks that take them otherwise"
                    ) from error
        error.add_note(f"in {name}, called with {called}")
        raise


def _misfit(block: nn.Module, state: State, given: tuple[Any, ...]) -> str:
    """The reason why a block cannot be called so; empty where it can."""
    try:
        takes = inspect.signature(block.forward)
        takes.bind(state, *given)
    except TypeError as error:
        return f"its forward{takes} does not take that ({error})"
    except ValueError:  # has no signature
        pass
    return ""


def check_state(output: State, name: str) -> None:
    """Make sure that what a module puts out can be cut off from what made it.

    Raises:
        BadInput: it holds tensors where nobody looks for them.
    """
    if found := unseen(output):
        raise BadInput(
            f"{name}: puts out a {found}, whose tensors are not found, so they would keep its "
            "memory and hand gradients on; a state is a tensor, or tuples, lists and dicts of them"
        )


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


def loss_of(output: State, target: Any, loss: object, name: str) -> AnyTensor:
    """A module's loss, if it is one.

    Raises:
        BadInput: it is no real number, or does not depend on any weight.
    """
    if not callable(loss):
        raise BadInput(
            f"loss is a {type(loss).__name__}; give a function of a module's output and the "
            "target, such as torch.nn.functional.l1_loss"
        )
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
            "are they frozen since, or does a block detach what it puts out, or use torch's "
            "checkpoint with use_reentrant=True, which finds no gradient here?"
        )
    return error
