"""Adam without torch's compiler.

PyTorch wraps an optimizer's methods so that `torch.compile` lets them be, and to do so it imports
its whole compiler, sympy and (on a GPU) triton with it: 1 of the 4 seconds that a training takes
to begin. Nothing here is compiled around an optimizer, so the methods are taken unwrapped.
"""

from collections.abc import Sequence
from inspect import unwrap
from typing import Any

import torch
from torch import nn

from gleam.training.module import TIMES


class Adam(torch.optim.Adam):
    """`torch.optim.Adam`, number for number."""

    add_param_group = unwrap(torch.optim.Adam.add_param_group)
    zero_grad = unwrap(torch.optim.Adam.zero_grad)
    state_dict = unwrap(torch.optim.Adam.state_dict)
    load_state_dict = unwrap(torch.optim.Adam.load_state_dict)
    _update = unwrap(torch.optim.Adam.step)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One update; `closure` as torch takes it."""
        return self._update(closure)


def recordable(weights: Sequence[nn.Parameter], rate: float, scalars: float = 1.0) -> Adam:
    """Adam whose updates may be recorded and replayed: all that it reads lies on the device.

    That holds for the learning rate, too. Where nothing is recorded it is the same, so that both
    make the same updates to the bit.

    Args:
        weights: on the device where they stay.
        rate: the learning rate, until a schedule sets it.
        scalars: times the rate: that of weights which are single numbers.
    """
    groups: list[dict[str, Any]] = [{"params": [*weights]}]
    if scalars != 1:
        single = [weight for weight in weights if weight.ndim == 0]
        several = [weight for weight in weights if weight.ndim > 0]
        groups = [{"params": several}, {"params": single, TIMES: scalars}]
        groups = [group for group in groups if group["params"]]
    adam = Adam(groups, lr=rate, fused=True, capturable=True)
    for group in adam.param_groups:  # not before: Adam looks whether the rate is positive
        group["lr"] = torch.tensor(rate * group.get(TIMES, 1.0), device=weights[0].device)
    # Torch warns of `capturable` where nothing is captured, as it slows other kinds of Adam down.
    adam._warned_capturable_if_run_uncaptured = True
    return adam
