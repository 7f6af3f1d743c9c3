"""The study of training schemes, longer and larger: 2D slices, volumes and hearts on a GPU.

    python -m benchmarks.gpu_study --minutes 8

Greedy modules against smaller end-to-end networks of equal memory, checkpointing, and end-to-end
training of the same network, all for as long. In 2D each network sees 16 times the samples of
docs/study.md, with three seeds; in 3D and of hearts each trains for a quarter of an hour, once. The
data are simulated here first. What tells most comes first: greedy against what fits in its memory.

With `--minutes` it stops after so long, and the same command goes on: data, costs and checkpoints
are kept in --out. After every stage the figures there are go to benchmarks/results/gpu_study.json,
and into docs/study.md. `--small --device cpu` goes through all of it in a minute, and writes into
--out alone.
"""

import argparse
import json
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import gpu_study_results as results
from gleam import threads
from gleam.cli import main as gleam
from gleam.comparison import plan as plans
from gleam.comparison.compare import compare
from gleam.comparison.measure import measure
from gleam.comparison.plan import CompareRecipe, Plan
from gleam.comparison.tables import summary
from gleam.device import choose, described
from gleam.errors import Stopped
from gleam.files import replacing
from gleam.recipe import Recipe

WHOLE = {"modules": 1, "overlap": 0}
SMALLER = {
    "shallow": {"training": WHOLE, "budget": "time", "fit": "iterations"},
    "narrow": {"training": WHOLE, "budget": "time", "fit": "width"},
}
SCHEMES: dict[str, Any] = {
    "greedy": {},
    **SMALLER,
    "checkpoint": {"training": WHOLE | {"storage": "checkpoint"}, "budget": "time"},
    "end-to-end": {"training": WHOLE, "budget": "time"},
}


@dataclass(frozen=True)
class Kind:
    """One kind of scans, and what is trained on them.

    Attributes:
        scans: of each set, how many.
        simulate: further arguments of `gleam simulate`.
        prepare: further arguments of `gleam prepare`.
        recipe: without its data's folders.
        rates: learning rates to choose from for each scheme.
        minutes: that greedy modules train for; None for the steps of the recipe.
    """

    scans: Mapping[str, int]
    simulate: str
    recipe: dict[str, Any]
    prepare: str = ""
    rates: tuple[float, ...] = ()
    minutes: float | None = None


def training(modules: int, steps: int, rate: float) -> dict[str, Any]:
    every = max(1, steps // 5)
    return {
        "modules": modules, "steps": steps, "learning_rate": rate, "warmup": steps // 10,
        "validate_every": every, "checkpoint_every": every,
    }  # fmt: skip


# 3D and series: λ at the start as in the shorter study; the steps are set by the minutes.
KINDS = {
    "2d": Kind(
        {"train": 240, "validation": 12, "test": 24},
        "--slices 4 --shape 96 96",
        {
            "data": {"batch": 4},
            "mask": {"kind": "equispaced", "acceleration": 4},
            "network": {"family": "modl", "iterations": 16},
            "training": training(8, 4000, 3e-3),
        },
        rates=(1.5e-3, 3e-3, 6e-3),
    ),
    "3d": Kind(
        {"train": 30, "validation": 2, "test": 6},
        "--shape 48 96 96",
        {
            "data": {"slab": 12, "margin": 2},
            "mask": {"kind": "poisson", "acceleration": 8, "shutter": True},
            "network": {
                "family": "modl", "iterations": 8, "weight": 0.3,
                "regulariser": {"dimensions": 3, "bf16": True},
            },
            "training": training(8, 1000, 2e-3),
        },
        minutes=15.0,
    ),
    "cine": Kind(
        {"train": 48, "validation": 4, "test": 12},
        "--shape 96 96 --frames 12 --snr 30 200",
        {
            "data": {"batch": 1},
            "mask": {"kind": "kt-vista", "acceleration": 8},
            "network": {
                "family": "modl", "iterations": 8, "weight": 0.3,
                "regulariser": {"dimensions": 3, "bf16": True},
            },
            "training": training(8, 1000, 2e-3),
        },
        prepare="--calibration 0",
        minutes=15.0,
    ),
}  # fmt: skip

TINY = {"width": 4, "blocks": 1}
SMALL = {
    "2d": Kind(
        {"train": 2, "validation": 1, "test": 2},
        "--slices 1 --shape 24 20",
        {
            "mask": {"acceleration": 1.6},
            "network": {"iterations": 2, "cg_steps": 2, "regulariser": TINY},
            "training": training(2, 4, 1e-3),
        },
        rates=(1e-3, 2e-3),
    ),
    "3d": Kind(
        {"train": 1, "validation": 1, "test": 2},
        "--shape 16 16 16",
        {
            "data": {"slab": 4},
            "mask": {"kind": "poisson", "acceleration": 2},
            "network": {"iterations": 2, "cg_steps": 2, "regulariser": TINY | {"dimensions": 3}},
            "training": training(2, 2, 1e-3),
        },
        minutes=0.001,
    ),
    "cine": Kind(
        {"train": 1, "validation": 1, "test": 2},
        "--shape 24 20 --frames 4",
        {
            "mask": {"kind": "kt-vista", "acceleration": 2},
            "network": {"iterations": 2, "cg_steps": 2, "regulariser": TINY | {"dimensions": 3}},
            "training": training(2, 2, 1e-3),
        },
        prepare="--calibration 0",
        minutes=0.001,
    ),
}

# (kind, schemes, seeds), in this order. Each goes on from what the one before it has trained.
PAIR, ALL = ("greedy", *SMALLER), tuple(SCHEMES)
STAGES = [
    *((kind, PAIR, 1) for kind in ("2d", "3d", "cine")),
    *((kind, ALL, 1) for kind in ("2d", "3d", "cine")),
    ("2d", ALL, 2),
    ("2d", ALL, 3),
]
SMALL_STAGES = [*STAGES[:3], ("2d", ALL, 2)]


@dataclass
class Study:
    """What is there, and what is still to be done.

    Attributes:
        out: folder of everything.
        device: see `gleam.device`.
        kinds: what is trained.
        stages: in which order.
        results: where figures go.
        docs: the page whose section is written.
    """

    out: Path
    device: str
    kinds: Mapping[str, Kind]
    stages: Sequence[tuple[str, tuple[str, ...], int]]
    results: Path
    docs: Path
    found: dict[str, Any] = field(default_factory=dict)

    def run(self) -> None:
        """Do what is left.

        Raises:
            Stopped: by a signal, as KeyboardInterrupt; calling it again goes on.
        """
        for number, (kind, schemes, seeds) in enumerate(self.stages, 1):
            kept = self.out / kind / f"stage-{number}.json"
            if not kept.exists():
                print(f"stage {number} of {len(self.stages)}: {kind}, {seeds} seed(s)", flush=True)
                self._data(kind)
                comparison = compare(
                    self._plan(kind, schemes, seeds), self.out / kind, device=self.device
                )
                with replacing(kept) as temporary:
                    temporary.write_text(json.dumps(summary(comparison), indent=2))
            self.found[kind] = json.loads(kept.read_text())
            results.write(self.found, described(choose(self.device)), self.results, self.docs)

    def _data(self, kind: str) -> None:
        """Simulate and prepare what is not there."""
        one, folder = self.kinds[kind], self.out / kind
        workers = str(threads.cores())
        for seed, (name, count) in enumerate(one.scans.items(), 41):
            if (folder / name).exists():
                continue
            scans, making = folder / "scans" / name, folder / f".{name}"
            if not scans.exists():
                begun = folder / "scans" / f".{name}"
                said = f"{begun} --scans {count} --seed {seed} --force {one.simulate}".split()
                _verb("simulate", *said, "--workers", workers)
                begun.rename(scans)
            _verb("prepare", str(scans), str(making), *one.prepare.split(), "--workers", workers)
            making.rename(folder / name)

    def _plan(self, kind: str, schemes: tuple[str, ...], seeds: int) -> Plan:
        one, folder = self.kinds[kind], self.out / kind
        places = {"train": folder / "train", "validation": folder / "validation"}
        values = one.recipe | {"data": one.recipe.get("data", {}) | places}
        base = Recipe.model_validate(values)
        compared = CompareRecipe.model_validate(
            {
                "seeds": seeds,
                "learning_rates": one.rates,
                "test": {"simulated": folder / "test"},
                "schemes": {name: SCHEMES[name] for name in schemes},
            }
        )
        if one.minutes is not None:
            base = base.lasting(self._steps(kind, base, compared, one.minutes))
        return plans.make(base, compared)

    def _steps(self, kind: str, base: Recipe, compared: CompareRecipe, minutes: float) -> int:
        """As many as take so long, measured once."""
        path = self.out / kind / "steps.json"
        if not path.exists():
            alone = plans.make(base, compared.changed(schemes={"greedy": {}}))
            entry = measure(alone, self.out / kind, choose(self.device))["greedy"]
            assert entry is not None
            with replacing(path) as temporary:
                temporary.write_text(json.dumps(max(2, round(60 * minutes / entry.seconds))))
        return int(json.loads(path.read_text()))


def _verb(*said: str) -> None:
    """A verb of the command line, which says itself what is wrong."""
    code = gleam(said)
    if code == 130:
        raise KeyboardInterrupt
    if code:
        raise SystemExit(code)


@contextmanager
def at_most(minutes: float | None, over: threading.Event) -> Iterator[None]:
    """Ask for a stop, as Ctrl-C does, after so long, and say so in `over`."""

    def stop() -> None:
        over.set()
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(60 * (minutes or 0), stop)
    timer.daemon = True
    try:
        if minutes is not None:
            timer.start()
        yield
    finally:
        timer.cancel()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("study/gpu"), help="folder of everything")
    parser.add_argument("--minutes", type=float, help="stop after so many; call it again to go on")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--small", action="store_true", help="to try it; writes into --out alone")
    a = parser.parse_args(arguments)
    if a.small:
        found = (SMALL, SMALL_STAGES, a.out / "gpu_study.json", a.out / "study.md")
    else:
        found = (KINDS, STAGES, results.RESULTS, results.DOCS)
    study, over = Study(a.out, a.device, *found), threading.Event()
    try:
        with at_most(a.minutes, over):
            study.run()
    except (Stopped, KeyboardInterrupt):
        if not over.is_set():
            raise
        print("time is up; the same command goes on", flush=True)
        return 0
    print(f"done: {study.results}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
