"""Several processes on one machine, one thread each: parallel GLEAM and what it is compared with.

MoDL, 8 iterations in 8 modules, 128 × 128, 6 coils, split evenly, and the ways of
`benchmarks.rivals.ways`, in turn. Times are those of the pipeline's last process once it is full,
ratios are medians of the ratios turn by turn. Memory is that of the process that takes most,
weights and Adam's states included; bytes are those of the network interface.

`python -m benchmarks.parallel recipe.yaml` does so with another recipe.
`python -m benchmarks.parallel slow` puts two processes into network namespaces with a link between
them (Linux, as root), which takes turns at being slow: 10 ms each way, 100 Mbit/s.
"""

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import torch

from benchmarks.measure import Figures, figure, show
from benchmarks.rivals.crew import Answer, Order, Workers, workers
from benchmarks.slow_link import DEVICE, linked
from gleam.data.example import write
from gleam.preparation.prepare import Prepared, Settings
from gleam.recipe import DataRecipe, NetworkRecipe, Recipe, TrainingRecipe, load
from gleam.simulation import simulate_scan
from gleam.training.timing import ratio

TURNS = 9

WAYS = {
    "sequential": Order("sequential", 1, alone=True),
    "copies": Order("sequential", 1),
    "pipeline": Order("pipeline", 1),
    "pipeline.batch4": Order("pipeline", 4),
    "1f1b": Order("one_f_one_b", 1),
    "1f1b.batch4": Order("one_f_one_b", 4),
    "data_parallel": Order("data_parallel", 1),
}

Turn = Mapping[str, Answer]


@contextmanager
def problem(recipe: Path | None = None) -> Iterator[Recipe]:
    """The recipe, and one example to train it on; or one of the user's."""
    if recipe is not None:
        yield load(recipe)
        return
    with tempfile.TemporaryDirectory() as folder:
        scan = simulate_scan((128, 128), 6, 1, 50.0, 0)
        write(Prepared(scan, Settings()), Path(folder) / "scan.h5")
        yield Recipe(
            data=DataRecipe(train=Path(folder)),
            network=NetworkRecipe(family="modl", iterations=8),
            training=TrainingRecipe(modules=8),
        )


def run(turns: int = TURNS, recipe: Path | None = None) -> Figures:
    """Measure on two processes and on four; figures by name."""
    figures: Figures = {}
    os.environ["OMP_NUM_THREADS"] = "1"
    for count in (2, 4):
        with problem(recipe) as chosen, workers(chosen, count) as group:
            _turn(group)
            figures |= _figures(count, [_turn(group) for _ in range(turns)])
    return figures


def _turn(group: Workers) -> Turn:
    return {name: group.ask(order) for name, order in WAYS.items()}


def _figures(count: int, turns: Sequence[Turn]) -> Figures:
    here = f"{count}_processes"
    values: list[tuple[str, float, str]] = []

    def all_turns(name: str, key: str = "seconds") -> list[float]:
        return [getattr(turn[name], key) for turn in turns]

    def faster(slow: str, fast: str, key: str = "seconds") -> float:
        return ratio(all_turns(slow, key), all_turns(fast, key))

    for name in WAYS:
        seconds, sent, activations, states = (
            median(all_turns(name, key)) for key in ("seconds", "sent", "activations", "states")
        )
        values.append((f"time.{name}.{here}", seconds, "s per step"))
        values.append((f"memory.{name}.{here}", (activations + states) / 2**20, "MiB per process"))
        values.append((f"states.{name}.{here}", states / 2**20, "MiB per process"))
        values.append((f"activations.{name}.{here}", activations / 2**20, "MiB"))
        values.append((f"sent.{name}.{here}", sent / 2**20, "MiB per step"))
    values += [
        (f"speedup_{here}", faster("sequential", "pipeline"), "ratio"),
        (f"speedup_of_copies_{here}", count * faster("sequential", "copies"), "ratio"),
        (f"speedup_over_copies_{here}", faster("copies", "pipeline") / count, "ratio"),
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
    os.environ["OMP_NUM_THREADS"] = "1"
    names = ("gleam-one", "gleam-two")
    where = [["ip", "netns", "exec", name] for name in names]
    # They cannot reach a store outside their namespaces: the first process keeps it.
    environ = {"MASTER_ADDR": "10.77.0.1", "MASTER_PORT": "29531"}
    environ |= {"TORCHELASTIC_USE_AGENT_STORE": "False", "GLOO_SOCKET_IFNAME": DEVICE}
    ratios = []
    with (
        linked(names) as link,
        problem() as recipe,
        workers(recipe, 2, where, **environ) as group,
    ):
        for turn in range(1 + turns):
            seconds = []
            for link.delay, link.rate in ((0.0, float("inf")), (0.01, 100e6 / 8)):
                seconds.append(group.ask(Order("pipeline", 1)).seconds)
            if turn:
                ratios.append(seconds[1] / seconds[0])
    return {"parallel.slow_link": figure(median(ratios), "ratio of times", "parallel slow")}


if __name__ == "__main__":
    torch.set_num_threads(1)
    said = sys.argv[1:]
    show(slow_link() if said == ["slow"] else run(recipe=Path(said[0]) if said else None))
