"""How gradients flow: a network is cut into modules, each learns from its own loss.

End-to-end training is one module that holds all iterations; greedy learning (GLEAM, arXiv
2207.08393, algorithm 1) is several, and the gradient stops at their borders. With overlapping
windows a loss reaches back over some borders.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from gleam.arrays import Image, State
from gleam.physics.measurement import Measurement
from gleam.training.loss import Loss
from gleam.training.storage import Storage

Average = Callable[[Sequence[Tensor], Callable[[], None]], None]


@dataclass(frozen=True)
class Module:
    """Consecutive iterations trained by one loss, with their own optimizer and schedule.

    Attributes:
        iterations: its part of the network.
        storage: what it keeps for its backward pass.
        optimizer: of its parameters only.
        schedule: step → learning rate; a function of the step alone, so that it has no state.
        clip: the largest norm of its gradient, or None.
        weight: of its loss; with 0 it is not computed, and a later loss must reach the module.
    """

    iterations: nn.ModuleList
    storage: Storage
    optimizer: torch.optim.Optimizer
    schedule: Callable[[int], float]
    clip: float | None = None
    weight: float = 1.0

    def update(self, step: int) -> None:
        """Step the optimizer with the gradients there are, and free them."""
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.iterations.parameters(), self.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule(step)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


def train_step(
    modules: Sequence[Module],
    state: State,
    measurement: Measurement,
    target: Image,
    loss: Loss,
    step: int,
    overlap: int = 0,
    send: Callable[[State], None] | None = None,
    average: Average | None = None,
) -> dict[int, Tensor]:
    """One update of every module on one batch.

    A module starts from the detached image of the one before it, as that was before its update.
    The loss of module m reaches back through modules m − overlap … m. A module is updated, and its
    graph and gradients are gone, once no later loss reaches it: without overlap before the next
    one starts. So the memory is that of overlap + 1 modules, and every forward pass runs once.
    Nothing before the first parameter of a window is differentiated.

    Args:
        modules: of the whole network, in order, or some that follow each other.
        state: what the first of them starts from.
        measurement: of the batch.
        target: of every module.
        loss: between a module's output and the target.
        step: the number of updates before this one.
        overlap: how many modules before its own a loss reaches back into.
        send: is given what the last module puts out, before that module's backward pass.
        average: is given a module's gradients and loss, to be averaged in place over copies of the
            network that learn from other slices, and the update to make then: at once, or while
            the next module is computed.

    Returns:
        The losses by number of the module, before its update; none where the weight is 0.
    """
    losses: dict[int, Tensor] = {}
    weighted = [number for number, module in enumerate(modules) if module.weight]
    window: deque[_Pass] = deque()
    for number, module in enumerate(modules):
        output = module.storage(list(module.iterations), state, measurement)
        window.append(_Pass(number, module, state, output))
        if send is not None and module is modules[-1]:
            send(output.detach())
        if module.weight:
            error = loss(output, target)
            losses[number] = error.detach()
            next_loss = next((m for m in weighted if m > number), len(modules) + overlap)
            _backward(module.weight * error, window, next_loss - overlap)
        if len(window) > overlap:
            _update(window.popleft(), step, losses, average)
        state = output.detach().requires_grad_(overlap > 0)
        del output
    for left in window:
        _update(left, step, losses, average)
    return losses


@dataclass(frozen=True)
class _Pass:
    """A module's part of the forward pass, cut off from what is before it and after it."""

    number: int
    module: Module
    start: State
    output: State


def _update(one: _Pass, step: int, losses: Mapping[int, Tensor], average: Average | None) -> None:
    update = partial(one.module.update, step)
    if average is None:
        update()
        return
    gradients = [p.grad for p in one.module.iterations.parameters() if p.grad is not None]
    loss = [losses[one.number]] if one.number in losses else []
    average([*gradients, *loss], update)


def _backward(error: Tensor, window: Sequence[_Pass], needed_again: int) -> None:
    """Take a loss back through the window, border by border.

    The graphs of modules from number `needed_again` on are kept, for the next loss.
    """
    tensor, gradient = error, None
    for place in reversed(range(len(window))):
        one = window[place]
        inputs: list[Tensor] = [*one.module.iterations.parameters()]
        if place:
            inputs.append(one.start)
        retain = one.number >= needed_again
        torch.autograd.backward(tensor, gradient, retain_graph=retain, inputs=inputs)
        if place:
            tensor, gradient = window[place - 1].output, one.start.grad
            one.start.grad = None


def split(iterations: nn.ModuleList, sizes: Sequence[int]) -> Iterator[nn.ModuleList]:
    """Cut a network's iterations into consecutive modules of these sizes.

    Raises:
        ValueError: the sizes do not add up, or two modules would share a weight: its gradient
            would then depend on which module comes last.
    """
    if sum(sizes) != len(iterations) or min(sizes) < 1:
        raise ValueError(f"modules of {sizes} iterations do not make {len(iterations)}")
    owner: dict[int, int] = {}
    first = 0
    for m, size in enumerate(sizes):
        part = nn.ModuleList(iterations[first : first + size])
        for parameter in part.parameters():
            if owner.setdefault(id(parameter), m) != m:
                raise ValueError("weights are shared across a module border; use one module")
        yield part
        first += size
