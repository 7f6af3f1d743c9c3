"""Greedy training on two processes: each learns from its own batches, gradients are averaged.

    python examples/two_processes.py

`average` of `train_step` is given a module's gradients, and the update to make when they are
averaged. On GPUs say "nccl" for "gloo", and put network and data on the process's own device.
`gleam train --devices 2` does it for recipes, and pipelines of modules too: docs/parallel.md.
"""

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, multiprocessing, nn

import gleam


def average(tensors: Sequence[Tensor], update: Callable[[], None]) -> None:
    """Average over all processes in one message, then update the module."""
    together = torch.cat([tensor.flatten() for tensor in tensors])
    dist.all_reduce(together)
    together /= dist.get_world_size()
    parts = together.split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view_as(tensor))
    update()


def learn(process: int, processes: int, meeting: str, blocks: int, steps: int) -> None:
    """What each process does."""
    dist.init_process_group("gloo", f"file://{meeting}", rank=process, world_size=processes)
    torch.manual_seed(0)  # the same weights everywhere
    net = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1) for _ in range(blocks)))
    modules = gleam.greedy(net, blocks, optimizer=partial(torch.optim.Adam, lr=1e-2))
    torch.manual_seed(1 + process)  # other data in each
    for _ in range(steps):
        clean = torch.rand(2, 1, 16, 16)
        noisy = clean + 0.1 * torch.randn_like(clean)
        loss = nn.functional.mse_loss
        losses = gleam.train_step(modules, noisy, None, clean, loss, average=average)
    weights = torch.cat([weight.flatten() for weight in net.parameters()]).detach()
    torch.save(weights, f"weights-{process}.pt")
    print(f"process {process}: loss {losses[blocks - 1]:.4f}, weights sum to {weights.sum():.6f}")
    dist.destroy_process_group()


def main(processes: int = 2, blocks: int = 4, steps: int = 50) -> None:
    """Start the processes and wait for them."""
    with tempfile.TemporaryDirectory() as folder:
        meeting = str(Path(folder) / "meeting")
        multiprocessing.spawn(learn, (processes, meeting, blocks, steps), nprocs=processes)


if __name__ == "__main__":
    main()
