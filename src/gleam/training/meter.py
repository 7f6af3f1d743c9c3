"""Peak memory of a training step, the same way for CPU and GPU.

On a CPU it is the peak of the profiler's running sum of tensor allocations, repeatable to the
byte; on a GPU what PyTorch reserves, since what a CUDA graph uses when it is replayed was allocated
long before. Both are above what was allocated before, so weights and optimizer states are counted
apart.
"""

import os
from collections.abc import Callable, Iterable
from functools import cache
from typing import TypeVar

import torch
from torch.autograd.profiler import profile  # torch.profiler would import the whole compiler

from gleam.training.module import GreedyModule

T = TypeVar("T")

os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # none: the profiler's log would go to stderr


def metered(work: Callable[[], T], device: torch.device) -> tuple[T, int]:
    """Run `work`; return its result and the most bytes it held at once."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.empty_cache()  # what earlier work reserved, this one may not need
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        result = work()
        torch.cuda.synchronize(device)
        return result, torch.cuda.max_memory_reserved(device) - before
    with profile(use_kineto=True, profile_memory=True) as profiler:
        result = work()
    held = peak = 0
    for event in profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    return result, peak


def taken(device: torch.device) -> int:
    """Bytes of a GPU that this process has taken at most: all it reserved, and CUDA's context.

    The context, with the code of libraries, is what was not free when this was asked for the first
    time and not reserved either: what other processes took by then counts with it. 0 on a CPU.
    """
    if device.type != "cuda":
        return 0
    return torch.cuda.max_memory_reserved(device) + _context(device)


@cache
def _context(device: torch.device) -> int:
    free, total = torch.cuda.mem_get_info(device)
    return max(0, total - free - torch.cuda.memory_reserved(device))


def state_bytes(modules: Iterable[GreedyModule]) -> int:
    """Bytes of weights and optimizer states: what lies there between steps.

    That is nothing of modules that rest elsewhere: what they take at work is the step's.
    """
    total = 0
    for module in (one for one in modules if one.turn.stays):
        for parameter in module.iterations.parameters():
            state = module.optimizer.state[parameter].values()
            total += parameter.nbytes + sum(tensor.nbytes for tensor in state)
    return total
