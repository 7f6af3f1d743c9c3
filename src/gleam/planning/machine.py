"""`Machine`: the device that a footprint is of, be it at hand or not."""

import os
from dataclasses import dataclass
from functools import cache

import torch

from gleam.device import choose, described
from gleam.physics.sense import coils_together
from gleam.planning.trace import Workspace
from gleam.planning.workspace import Workspaces
from gleam.training.meter import taken

CONTEXT = 600 * 2**20  # bytes that CUDA and its libraries take of a GPU that cannot be asked


@dataclass(frozen=True)
class Machine:
    """The machine that a step is to run on.

    Attributes:
        device: it, or the one that its work is timed on instead.
        is_gpu: whether it has memory of its own.
        workspace: of its convolutions; None where it cannot be measured.
    """

    device: torch.device
    is_gpu: bool
    workspace: Workspace | None = None

    @property
    def at_hand(self) -> bool:
        """Whether it is here, to be measured."""
        return self.is_gpu == (self.device.type == "cuda")

    @property
    def memory(self) -> int | None:
        """Bytes that it has; None of a GPU that is not here."""
        if not self.is_gpu:
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return torch.cuda.mem_get_info(self.device)[1] if self.at_hand else None

    @property
    def context(self) -> int:
        """Bytes that are taken before any tensor is made."""
        if not self.is_gpu:
            return 0
        if not self.at_hand:
            return CONTEXT
        return taken(self.device) - torch.cuda.max_memory_reserved(self.device)

    def coils(self, count: int, voxels: int) -> tuple[int, int]:
        """Number of coils that are enough to trace, and number of them that it transforms at once.

        The second turn stands for all that follow.

        Args:
            count: of all coils.
            voxels: of one coil, in all frames and examples.
        """
        at_once = coils_together(count, voxels, self.is_gpu)
        return min(count, 2 * at_once), at_once

    def __str__(self) -> str:
        return described(self.device) if self.at_hand else "a GPU that is not here"


@cache
def machine_of(name: str = "auto") -> Machine:
    """The device that is asked for; `cuda` is any GPU, where there is none here.

    Raises:
        BadInput: see `gleam.device.choose`.
    """
    if name == "cuda" and not torch.cuda.is_available():
        return Machine(choose("cpu"), is_gpu=True)
    device = choose(name)
    return Machine(device, device.type == "cuda", Workspaces(device))
