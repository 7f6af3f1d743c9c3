"""`GreedyModule`: consecutive iterations with a loss, an optimizer and a storage of their own."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gleam.arrays import AnyTensor
from gleam.errors import BadInput
from gleam.training.plateau import Plateau
from gleam.training.storage import Storage, name_of
from gleam.training.turn import STAYS, Turn

TIMES = "times"  # of an optimizer's group of weights: how many times the schedule's rate is theirs


@dataclass(frozen=True, repr=False)
class GreedyModule:
    """Consecutive iterations trained by one loss, with their own optimizer; `greedy` makes them.

    >>> layers = torch.nn.Sequential(*(torch.nn.Linear(8, 8) for _ in range(4)))
    >>> gleam.greedy(layers, 2, optimizer=torch.optim.Adam)[0]
    <module 1 of 2, blocks 1-2: 144 weights, Adam, store>

    Attributes:
        iterations: its part of the network.
        storage: what it keeps for its backward pass.
        optimizer: of what it learns.
        schedule: step → learning rate; a function of the step alone, so that it has no state. None
            leaves the rate alone: torch's schedulers may set it.
        clip: the largest norm of its gradient, or None.
        weight: of its loss; with 0 it is not computed, and a later loss must reach the module.
        scaler: of its loss, where gradients are too small for half precision; or None.
        shared: it also learns what all use, which is constant for the others.
        turn: has it on its device while it works.
        plateau: has it stop when its loss has flattened; None lets it learn to the end.
        name: which it is, for messages.
    """

    iterations: nn.ModuleList
    storage: Storage
    optimizer: torch.optim.Optimizer
    schedule: Callable[[int], float] | None = None
    clip: float | None = None
    weight: float = 1.0
    scaler: torch.amp.GradScaler | None = None
    shared: bool = False
    turn: Turn = STAYS
    plateau: Plateau | None = None
    name: str = "module"

    @property
    def weights(self) -> list[Tensor]:
        """Weights that it learns: those that its optimizer was made of."""
        groups = self.optimizer.param_groups
        return [weight for group in groups for weight in group["params"] if weight.requires_grad]

    @property
    def stopped(self) -> int | None:
        """The number of updates after which it learns no more; None while it does."""
        return None if self.plateau is None else self.plateau.since

    def scaled(self, loss: AnyTensor) -> AnyTensor:
        """The loss to differentiate: times its weight, and times what the scaler says."""
        loss = self.weight * loss
        return loss if self.scaler is None else self.scaler.scale(loss)

    def set_rate(self, step: int | None) -> None:
        """Set the learning rate of an update: in place, if the optimizer has it as a tensor."""
        if self.schedule is None:
            return
        if step is None:
            raise BadInput(f"{self.name}: has a schedule; say train_step(..., step=...)")
        for group in self.optimizer.param_groups:
            rate = self.schedule(step) * group.get(TIMES, 1.0)
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def update(self) -> None:
        """Step the optimizer with the gradients there are, and free them: its turn ends."""
        if self.scaler is not None:
            _unscale(self.scaler, self.optimizer)
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.weights, self.clip)
        if self.scaler is None:
            self.optimizer.step()
        else:
            self.scaler.step(self.optimizer)  # not at all, if a gradient is not finite
        self.optimizer.zero_grad(set_to_none=True)
        self.turn.end()

    def __repr__(self) -> str:
        count = sum(weight.numel() for weight in self.weights)
        return (
            f"<{self.name}: {count:,} weights, {type(self.optimizer).__name__}, "
            f"{name_of(self.storage)}>"
        )


def _unscale(scaler: torch.amp.GradScaler, optimizer: torch.optim.Optimizer) -> None:
    try:
        scaler.unscale_(optimizer)
    except RuntimeError as error:  # torch's words are of its own loop
        error.add_note("after the step before: call scaler.update() once after every train_step")
        raise
