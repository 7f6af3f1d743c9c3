"""Adam without torch's compiler.

PyTorch wraps an optimizer's methods so that `torch.compile` lets them be, and to do so it imports
its whole compiler, sympy and (on a GPU) triton with it: 1 of the 4 seconds that a training takes
to begin. Nothing here is compiled around an optimizer, so the methods are taken unwrapped.
"""

from inspect import unwrap
from typing import Any

import torch


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
