"""How gradients flow: a network is cut into modules, each learns from its own loss.

End-to-end training is one module that holds all iterations; greedy learning (GLEAM, arXiv
2207.08393, algorithm 1) is several, and the gradient stops at their borders.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gleam.arrays import Image
from gleam.physics.measurement import Measurement
from gleam.training.loss import Loss
from gleam.training.storage import Storage


@dataclass(frozen=True)
class Module:
    """Consecutive iterations trained by one loss, with their own optimizer and schedule.

    Attributes:
        iterations: its part of the network.
        storage: what it keeps for its backward pass.
        optimizer: of its parameters only.
        schedule: step → learning rate; a function of the step alone, so that it has no state.
        clip: the largest norm of its gradient, or None.
    """

    iterations: nn.ModuleList
    storage: Storage
    optimizer: torch.optim.Optimizer
    schedule: Callable[[int], float]
    clip: float | None = None

    def update(self, step: int) -> None:
        """Step the optimizer with the gradients there are, and free them."""
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.iterations.parameters(), self.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule(step)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


def train_step(
    modules: Sequence[Module], measurement: Measurement, target: Image, loss: Loss, step: int
) -> list[Tensor]:
    """One update of every module on one batch; the loss of each, before its update.

    A module starts from the detached image of the one before it, as that was before its update.
    Its graph and gradients are gone before the next module starts, so the memory is that of the
    largest module. Nothing before its first parameter is differentiated.
    """
    losses = []
    image = measurement.adjoint
    for module in modules:
        image = module.storage(list(module.iterations), image, measurement)
        error = loss(image, target)
        error.backward()  # type: ignore[no-untyped-call]
        module.update(step)
        losses.append(error.detach())
        image = image.detach()
    return losses


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
