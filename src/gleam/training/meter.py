"""Peak memory of a training step, the same way for CPU and GPU.

On a CPU it is the peak of the profiler's running sum of tensor allocations, repeatable to the
byte; on a GPU the allocator's own peak. Both are above what was allocated before, so weights and
optimizer states are counted apart.
"""

import os
from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
from torch.autograd.profiler import profile  # torch.profiler would import the whole compiler

from gleam.training.flow import GreedyModule

T = TypeVar("T")

os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # none: the profiler's log would go to stderr


def metered(work: Callable[[], T], device: torch.device) -> tuple[T, int]:
    """Run `work`; return its result and the most bytes it held at once."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        result = work()
        torch.cuda.synchronize(device)
        return result, torch.cuda.max_memory_allocated(device) - before
    with profile(use_kineto=True, profile_memory=True) as profiler:
        result = work()
    held = peak = 0
    for event in profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    return result, peak


def state_bytes(modules: Iterable[GreedyModule]) -> int:
    """Bytes of weights and optimizer states: what lies there between steps."""
    total = 0
    for module in modules:
        for parameter in module.iterations.parameters():
            state = module.optimizer.state[parameter].values()
            total += parameter.nbytes + sum(tensor.nbytes for tensor in state)
    return total
