"""The flow of gradients: a network is cut into modules, each learns from its own loss.

End-to-end training is one module that holds all iterations; greedy learning (GLEAM, arXiv
2207.08393, algorithm 1) is several, and the gradient stops at their borders. With overlapping
windows a loss reaches back over some borders.
"""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from gleam.arrays import mapped, tensors
from gleam.training.explain import (
    check_constant,
    check_modules,
    check_state,
    explained,
    loss_of,
)
from gleam.training.module import GreedyModule
from gleam.training.states import State, detached
from gleam.training.storage import store

T = TypeVar("T")
Average = Callable[[Sequence[Tensor], Callable[[], None]], None]


@runtime_checkable  # the tests check types at run time
class Unit(Protocol):
    """Runs the units that a step consists of, each with its own name: see `train_step`.

    `check_unit` of tests/training/test_unit_contract.py holds each to this.
    """

    def __call__(self, name: Hashable, work: Callable[[], T]) -> T:
        """Run `work` and give what it gives: tensors, in tuples, lists and dicts."""


def directly(name: Hashable, work: Callable[[], T]) -> T:
    """Run a unit by calling it."""
    return work()


def train_step(
    modules: Sequence[GreedyModule],
    state: State,
    measurement: Any,
    target: Any,
    loss: Callable[[State, Any], Tensor],
    step: int | None = None,
    overlap: int = 0,
    send: Callable[[State], None] | None = None,
    average: Average | None = None,
    accumulate: bool = False,
    unit: Unit = directly,
) -> dict[int, Tensor]:
    """One update of every module on one batch.

    A module starts from the detached state of the one before it, as that was before its update.
    The loss of module m reaches back through modules m − overlap … m. A module is updated, and its
    graph and gradients are gone, once no later loss reaches it: without overlap before the next
    one starts. So the memory is that of overlap + 1 modules, and every forward pass runs once.
    Nothing before the first parameter of a window is differentiated.

    A state is what one iteration hands to the next: a tensor, or tuples, lists and dicts of states.
    Weights that all modules use (`shared`) are updated last, when nobody needs them as they were.
    A module that has stopped (see `GreedyModule.stopped`) only puts out what the next one starts
    from; it has no loss any more.

    A step is made of units: a module's forward pass, loss, backward pass and update; where an
    average comes before the update, that is a unit of its own. All that one unit takes over from
    another is what `unit` gave, weights and optimizer states; learning rates are set before. So
    whoever runs the units may record what they give a device to do, and repeat that (see
    `gleam.training.graph`).

    >>> layers = torch.nn.Sequential(*(torch.nn.Linear(8, 8) for _ in range(4)))
    >>> modules = gleam.greedy(layers, 4, optimizer=partial(torch.optim.SGD, lr=0.1))
    >>> x, target = torch.ones(1, 8), torch.zeros(1, 8)
    >>> losses = gleam.train_step(modules, x, None, target, torch.nn.functional.mse_loss)
    >>> [*losses]  # a loss for each module
    [0, 1, 2, 3]

    Args:
        modules: of the whole network, in order, or some that follow each other.
        state: what the first of them starts from.
        measurement: what every iteration is called with besides; a tuple stands for several
            arguments, None for none.
        target: of every module; only the loss looks at it.
        loss: (a module's output, target) → one real number.
        step: the number of updates before this one; only schedules ask for it.
        overlap: how many modules before its own a loss reaches back into.
        send: is given what the last module puts out, before that module's backward pass; or after
            its unit, where units are not simply called.
        average: is given a module's gradients and loss, to be averaged in place over copies of the
            network that learn from other slices, and the update to make then: at once, or while
            the next module is computed.
        accumulate: update nothing; the gradients stay, and the next call adds to them.
        unit: runs a unit. Overlap, shared weights, gradient scalers and `accumulate` are for
            `directly` alone: there, gradients stay between units.

    Returns:
        The losses by number of the module, before its update; none where the weight is 0 or the
        module has stopped.

    Raises:
        BadInput: a block does not take what it is called with, or puts out an object in which no
            tensor is found; the loss is no real number, or depends on no weight; a module would
            never learn; or weights come before the modules which none of them learns.
    """
    check_modules(modules, overlap)
    given = _arguments(measurement)
    constant = detached(given)
    if not modules[0].shared:
        check_constant(state, given)
    losses: dict[int, Tensor] = {}
    weighted = [number for number, module in enumerate(modules) if module.weight]
    window = deque[_Pass]()
    for module in () if accumulate else modules:
        module.set_rate(step)

    def learn(number: int, state: State) -> tuple[State, Tensor | None, list[Tensor | None]]:
        """A unit: what the module puts out, its loss, and gradients that are to be averaged."""
        module, error = modules[number], None
        module.turn.begin()
        if unit is not directly:  # which may have failed halfway, and is run again
            window.clear()
            module.optimizer.zero_grad(set_to_none=True)
        blocks, inputs = list(module.iterations), given if module.shared else constant
        with explained(module.name, blocks, state, inputs):
            output = module.storage(blocks, state, *inputs)
        check_state(output, module.name)
        window.append(_Pass(number, module, state, output))
        if send is not None and unit is directly and module is modules[-1]:
            send(detached(output))
        if module.weight:
            error = loss_of(output, target, loss, module.name)
            next_loss = next((m for m in weighted if m > number), len(modules) + overlap)
            _backward(module.scaled(error), window, next_loss - overlap)
            error = error.detach()
        after = detached(output, differentiate=overlap > 0)
        del output
        if len(window) <= overlap:
            return after, error, []
        module = window.popleft().module
        if accumulate:
            module.turn.end()
        elif average is not None:
            return after, error, [weight.grad for weight in module.weights]
        elif not module.shared:
            module.update()
        return after, error, []

    def run(number: int, state: State) -> State:
        """A unit: what a module puts out that learns no more."""
        module = modules[number]
        module.turn.begin()
        blocks = list(module.iterations)
        with torch.no_grad(), explained(module.name, blocks, state, constant):
            output = store(blocks, state, *constant)
        module.turn.leave()
        return output

    def average_and_update(number: int) -> None:
        module, loss = modules[number], losses.get(number)

        def update() -> None:
            unit(("update", number), module.update)
            module.optimizer.zero_grad(set_to_none=True)  # a unit that is replayed leaves them

        if average is None:
            update()
            return
        gradients = [weight.grad for weight in module.weights if weight.grad is not None]
        average(gradients if loss is None else [*gradients, loss], update)

    for number, module in enumerate(modules):
        if module.stopped is not None:
            state = unit(("run", number), partial(run, number, state))
            if send is not None and unit is directly and module is modules[-1]:
                send(state)
            continue
        state, error, gradients = unit(("learn", number), partial(learn, number, state))
        if error is not None:
            losses[number] = error
        if not gradients:
            continue
        module = modules[number - overlap]
        for weight, gradient in zip(module.weights, gradients, strict=True):
            weight.grad = gradient
        if not module.shared:
            average_and_update(number - overlap)
    if send is not None and unit is not directly:
        send(mapped(torch.clone, state))  # the next step writes where it lies
    left = [one.number for one in window if not one.module.shared]
    for number in [*left, *(n for n, module in enumerate(modules) if module.shared)]:
        if accumulate:
            modules[number].turn.end()
        else:
            average_and_update(number)
    modules[-1].turn.settle()
    return losses


@dataclass(frozen=True)
class _Pass:
    """A module's part of the forward pass, cut off from what is before it and after it."""

    number: int
    module: GreedyModule
    start: State
    output: State


def _arguments(measurement: Any) -> tuple[Any, ...]:
    if measurement is None:
        return ()
    return measurement if type(measurement) is tuple else (measurement,)


def _backward(error: Tensor, window: Sequence[_Pass], needed_again: int) -> None:
    """Take a loss back through the window, border by border.

    The graphs of modules from number `needed_again` on are kept, for the next loss.
    """
    values: list[Tensor] = [error]
    gradients: list[Tensor | None] = [None]
    for place in reversed(range(len(window))):
        one = window[place]
        starts = [tensor for tensor in tensors(one.start) if tensor.requires_grad and place]
        torch.autograd.backward(
            values,
            gradients,
            retain_graph=one.number >= needed_again,
            inputs=[*one.module.weights, *starts],
        )
        if not place:
            return
        values, gradients = [], []
        for before, start in zip(
            tensors(window[place - 1].output), tensors(one.start), strict=True
        ):
            if before.requires_grad and start.grad is not None:
                values.append(before)
                gradients.append(start.grad)
                start.grad = None
        if not values:
            return
