"""The one place that chooses a device to compute on.

It is asked for as `auto`, `cpu`, `cuda` or, where there are several GPUs, `cuda:1`. `auto` is what
the environment variable GLEAM_DEVICE says, which is there for tests and servers; where it says
nothing, a GPU if there is one.
"""

import os
import re

import torch

from gleam import precision, processes
from gleam.errors import BadInput

VARIABLE = "GLEAM_DEVICE"
WAYS = "auto, cpu, cuda, or one of several GPUs as cuda:1"


def choose(name: str = "auto", process: int = 0) -> torch.device:
    """The device that is asked for; a GPU always by its number, and computing as usual.

    A process that others share a GPU with (`gleam.workers`) gets an equal part of its memory.

    Args:
        name: see above.
        process: its number among those of this machine; they take the GPUs in turn, where none is
            asked for by its number.

    Raises:
        BadInput: no such device, or another kind of devices than this program computes on.
    """
    what = "--device"
    if name == "auto":
        name, what = os.environ.get(VARIABLE) or "auto", VARIABLE
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and not count):
        return torch.device("cpu")
    if name != "auto" and not re.fullmatch(r"cuda(:\d{1,3})?", name):
        raise BadInput(f"{what} {name}: is no device that GLEAM computes on; give {WAYS}")
    number = int(name[5:]) if name.startswith("cuda:") else process % max(count, 1)
    if number >= count:
        there = (
            "no GPU here; give cpu"
            if not count
            else f"GPUs 0 to {count - 1} here; give one of them"
        )
        raise BadInput(f"{what} {name}: PyTorch can use {there}")
    precision.decide()
    beside = processes.on_a_gpu()
    if beside > 1:
        torch.cuda.set_per_process_memory_fraction(1 / beside, number)
    return torch.device("cuda", number)


def described(device: torch.device) -> str:
    """The device in words: the GPU's name and number, or the CPU and the threads of this
    process."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} ({device})"
    threads = torch.get_num_threads()
    return f"the CPU, {threads} thread{'s' * (threads > 1)}"
