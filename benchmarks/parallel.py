"""Several processes on one machine, one thread each: parallel GLEAM and what it is compared with.

MoDL, 8 iterations in 8 modules, 128 × 128, 6 coils, split evenly. The rivals train end to end:
pipeline parallelism (`torch.distributed.pipelining`, 1F1B, a slice per microbatch) and data
parallelism. All take turns in the same processes, a few steps each; times are medians of the
pipeline's last process once it is full, ratios are medians of the ratios turn by turn. Memory is
that of the process that takes most, weights and Adam's states included; bytes are those of the
network interface.

`python -m benchmarks.parallel slow` puts two processes into network namespaces with a link between
them (Linux, as root), which takes turns at being slow: 10 ms each way, 100 Mbit/s.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from statistics import median

import torch

from benchmarks.measure import Figures, figure, show
from benchmarks.slow_link import DEVICE, linked

TURNS = 9


class Workers:
    """Several processes that train in turn in several ways."""

    def __init__(self, processes: Sequence["subprocess.Popen[str]"]) -> None:
        self.processes = processes

    def ask(self, way: str, batch: int, alone: bool = False) -> dict[str, float]:
        """Answers: seconds of the last process that trained, and the most of the rest."""
        for process in self.processes:
            assert process.stdin is not None
            print(json.dumps([way, batch, alone]), file=process.stdin, flush=True)
        lines = [process.stdout.readline() for process in self.processes if process.stdout]
        answers = [answer for answer in map(json.loads, lines) if answer]
        most = {name: max(answer[name] for answer in answers) for name in answers[0]}
        return most | {"seconds": answers[-1]["seconds"]}


@contextmanager
def workers(count: int, where: Sequence[Sequence[str]] = (), **environ: str) -> Iterator[Workers]:
    """Start processes, each by its own prefix of a command."""
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29531", "GLOO_SOCKET_IFNAME": "lo"}
    common |= {"OMP_NUM_THREADS": "1", "WORLD_SIZE": str(count), **environ}
    processes = [
        subprocess.Popen(
            [*(where[rank] if where else []), sys.executable, "-m", "benchmarks.parallel_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **common, "RANK": str(rank)},
        )
        for rank in range(count)
    ]
    try:
        yield Workers(processes)
    finally:
        for process in processes:
            process.communicate()
            assert process.returncode == 0, process.returncode


WAYS = {
    "sequential": ("sequential", 1, True),
    "copies": ("sequential", 1, False),
    "pipeline": ("pipeline", 1, False),
    "pipeline.batch4": ("pipeline", 4, False),
    "1f1b": ("one_f_one_b", 1, False),
    "1f1b.batch4": ("one_f_one_b", 4, False),
    "data_parallel": ("data_parallel", 1, False),
}


def run(turns: int = TURNS) -> Figures:
    """Measure on two processes and on four; figures by name."""
    figures: Figures = {}
    for count in (2, 4):
        with workers(count) as group:
            turn = partial(_turn, group)
            turn()
            figures |= _figures(count, [turn() for _ in range(turns)])
    return figures


def _turn(group: Workers) -> dict[str, dict[str, float]]:
    return {name: group.ask(*way) for name, way in WAYS.items()}


def _figures(count: int, turns: Sequence[Mapping[str, Mapping[str, float]]]) -> Figures:
    here = f"{count}_processes"
    values: list[tuple[str, float, str]] = []
    for name in WAYS:
        got = {key: median(turn[name][key] for turn in turns) for key in turns[0][name]}
        whole = got["activations"] + got["states"]
        values.append((f"time.{name}.{here}", got["seconds"], "s per step"))
        values.append((f"memory.{name}.{here}", whole / 2**20, "MiB per process"))
        values.append((f"states.{name}.{here}", got["states"] / 2**20, "MiB per process"))
        values.append((f"activations.{name}.{here}", got["activations"] / 2**20, "MiB"))
        values.append((f"sent.{name}.{here}", got["bytes"] / 2**20, "MiB per step"))

    def faster(slow: str, fast: str, key: str = "seconds") -> float:
        return median(turn[slow][key] / turn[fast][key] for turn in turns)

    ceiling = faster("copies", "pipeline") / count
    values += [
        (f"speedup_{here}", faster("sequential", "pipeline"), "ratio"),
        (f"speedup_of_copies_{here}", count * faster("sequential", "copies"), "ratio"),
        (f"speedup_over_copies_{here}", ceiling, "ratio"),
        (f"speedup_over_1f1b.{here}", faster("1f1b", "pipeline"), "ratio"),
        (f"speedup_over_1f1b.batch4.{here}", faster("1f1b.batch4", "pipeline.batch4"), "ratio"),
        (f"states_over_sequential.{here}", faster("pipeline", "sequential", "states"), "ratio"),
        (
            f"activations_over_sequential.{here}",
            faster("pipeline", "sequential", "activations"),
            "ratio",
        ),
    ]
    return {f"parallel.{name}": figure(value, unit, "parallel") for name, value, unit in values}


def slow_link(turns: int = TURNS) -> Figures:
    """What a slow link between two processes costs, once the pipeline is full."""
    names = ("gleam-one", "gleam-two")
    where = [["ip", "netns", "exec", name] for name in names]
    ratios = []
    with (
        linked(names) as link,
        workers(2, where, MASTER_ADDR="10.77.0.1", GLOO_SOCKET_IFNAME=DEVICE) as group,
    ):
        for turn in range(1 + turns):
            seconds = []
            for link.delay, link.rate in ((0.0, float("inf")), (0.01, 100e6 / 8)):
                seconds.append(group.ask("pipeline", 1)["seconds"])
            if turn:
                ratios.append(seconds[1] / seconds[0])
    return {"parallel.slow_link": figure(median(ratios), "ratio of times", "parallel slow")}


if __name__ == "__main__":
    torch.set_num_threads(1)
    show(slow_link() if sys.argv[1:] == ["slow"] else run())
