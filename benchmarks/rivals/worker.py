"""One of the processes of `benchmarks.rivals.crew`: it trains a few steps in the way it is told.

Orders come on stdin, answers go to stdout, one line of JSON each.
"""

import json
import os
import socket
import struct
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.rivals.crew import Answer, Order
from benchmarks.rivals.ways import WAYS, Way
from gleam import recipe as recipes
from gleam.comparison.measure import largest_batch
from gleam.parallel.group import Group
from gleam.parallel.meeting import process_group
from gleam.training.meter import state_bytes

FULL, STEPS = 3, 9  # steps until a pipeline is full; steps timed
BYTES_ACKED = 120  # where `struct tcp_info` has tcpi_bytes_acked, in bytes
PATIENCE = 600.0  # seconds for a process that does not answer


def work(file: Path) -> None:
    """Be one of the processes that train a recipe."""
    recipe = recipes.load(file)
    with process_group(1, PATIENCE) as group:
        made: dict[tuple[str, int], tuple[Way, int, int]] = {}
        for line in sys.stdin:
            order, answer = Order(**json.loads(line)), None
            if not (order.alone and group.rank):
                key = order.way, order.batch
                if key not in made:
                    one = recipe.changed(data={"batch": order.batch})
                    batch = largest_batch(one).to(group.device)
                    way = WAYS[order.way](recipe, batch, group)
                    made[key] = way, *memory(way, group)
                way, activations, states = made[key]
                answer = Answer(*timed(way, group), activations=activations, states=states)
            group.barrier()
            print(json.dumps(answer and asdict(answer)), flush=True)


def memory(way: Way, group: Group) -> tuple[int, int]:
    """Bytes that a step allocates at most, and of weights and optimizer states."""
    peaks: list[int] = []
    for _ in way.steps(2, peaks):  # the first makes the optimizer states
        pass
    return peaks[1], state_bytes(way.modules)


def timed(way: Way, group: Group) -> tuple[float, float]:
    """Seconds per step, once all work, and bytes sent per step."""
    before, times = sent(), []
    for _ in way.steps(FULL + STEPS, None):
        if group.device.type == "cuda":
            torch.cuda.synchronize(group.device)
        times.append(time.perf_counter())
    return (times[-1] - times[FULL - 1]) / STEPS, (sent() - before) / (FULL + STEPS)


def sent() -> int:
    """Bytes that this process's TCP connections have delivered (Linux's TCP_INFO; elsewhere 0)."""
    total, descriptors = 0, Path("/proc/self/fd")
    for entry in descriptors.iterdir() if descriptors.exists() else ():
        # A descriptor may have closed meanwhile, or be no TCP connection.
        with suppress(OSError), socket.socket(fileno=os.dup(int(entry.name))) as one:
            known = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            total += struct.unpack_from("=Q", known, BYTES_ACKED)[0]
    return total


if __name__ == "__main__":
    work(Path(sys.argv[1]))
