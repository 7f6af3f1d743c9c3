"""Early stop of a module by itself, once its training loss has flattened.

The loss of a step is noisy, so means over windows of many steps are compared, each with the one
before it. A module that has stopped runs forward only: see `train_step`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from gleam.arrays import AnyTensor


@dataclass
class Plateau:
    """The watch on a module's loss; it depends on losses and numbers of steps alone.

    Attributes:
        patience: steps of a window.
        least_fall: share by which the mean loss of a window must be below that of the one before.
        warmup: first steps, which belong to no window: the loss is level as long as the learning
            rate is low.
        total: sum of the losses of this window, where they were computed.
        before: mean loss of the window before.
        since: the number of updates after which the module stopped; None while it learns.
    """

    patience: int
    least_fall: float
    warmup: int = 0
    total: AnyTensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))
    before: float = math.inf
    since: int | None = None

    def add(self, loss: AnyTensor, step: int) -> bool:
        """Note the loss of an update; say whether the module stops with it.

        Only where a window ends does it wait for the device.

        Args:
            loss: of the module, before the update; the same in all replicas.
            step: the number of updates, with this one.
        """
        place = step - self.warmup
        if place <= 0:
            return False
        self.total = self.total.to(loss.device) + loss.detach().double()
        if place % self.patience:
            return False
        mean, before = self.total.item() / self.patience, self.before
        self.total, self.before = torch.zeros_like(self.total), mean
        if mean > (1 - self.least_fall) * before:
            self.since = step
        return self.since is not None

    def state(self) -> dict[str, AnyTensor]:
        """All that it goes on from, by name."""
        numbers = {"before": self.before} | ({} if self.since is None else {"since": self.since})
        known = {k: torch.tensor(n, dtype=torch.float64) for k, n in numbers.items()}
        return {"total": self.total.cpu()} | known

    def restore(self, state: Mapping[str, AnyTensor]) -> None:
        """Go on from what `state` gave."""
        self.total, self.before = state["total"], state["before"].item()
        self.since = int(state["since"].item()) if "since" in state else None
