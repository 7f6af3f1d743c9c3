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
from benchmarks.gpu_study_kinds import KINDS, SMALL, Kind
from gleam import threads
from gleam.cli import main as gleam
from gleam.comparison import plan as plans
from gleam.comparison.compare import compare
from gleam.comparison.measure import measure
from gleam.comparison.plan import CompareRecipe, Plan
from gleam.device import choose, described
from gleam.errors import Stopped
from gleam.files import replacing
from gleam.recipe import Recipe
from gleam.report.comparison_tables import summary

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
