"""Training steps on a GPU: time, memory, how busy it is, and other people's networks beside ours.

    python -m benchmarks.gpu [--peers FOLDER] [--only CASE ...] [--minutes 8] [--small]

Each case is a whole training step (data consistency, CNNs, loss, backward pass, clipping, Adam) on
one batch, end-to-end, under checkpointing and greedy, launched kernel by kernel ("eager") and
replayed as CUDA graphs. `--peers` names a folder of unpacked wheels and sources: see
`benchmarks.gpu_peers`. `--small` makes all sizes tiny, to try the benchmark itself, with `--device
cpu` as well. What does not fit into the minutes is left out, and said; what does not fit into
memory has no figure.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu_cases import CASES, SCHEMES, WIDTHS, Case, recipe_of
from benchmarks.gpu_feeding import STEPS, busy, start_up
from benchmarks.gpu_peers import peers
from benchmarks.measure import Figures, show
from gleam.comparison.cost import Stepper
from gleam.device import choose, described
from gleam.files import replacing
from gleam.training.timing import interleaved, ratio

RESULTS = Path(__file__).parent / "results" / "gpu.json"
REPEATS = 7
LONG = 1.0  # seconds of a step that is not repeated
RECORDED = 3  # steps until a GPU's step is replayed
BUSY = ("modl", "pgd_96_bf16", "volume_bf16", "cine_bf16")
PAPER = ("modl_paper", "pgd_paper")
Times = dict[tuple[str, str], list[float]]


class Benchmark:
    """Figures as they are measured, within the time there is.

    Args:
        device: to measure.
        small: tiny sizes.
        minutes: to take in all.
        only: parts to measure; all of them, if none is named.
    """

    def __init__(
        self, device: torch.device, small: bool, minutes: float, only: Sequence[str] = ()
    ) -> None:
        self.device, self.small = device, small
        self.figures: Figures = {}
        self.cases = {n: c.small() for n, c in CASES.items()} if small else dict(CASES)
        self.widths = {n: c.small() for n, c in WIDTHS.items()} if small else dict(WIDTHS)
        self.repeats = 2 if small else REPEATS
        self._only = only
        self._until = time.monotonic() + 60 * minutes

    def within(self, part: str, measure: Callable[[], Mapping[str, tuple[float, str]]]) -> None:
        """Measure a part, if there is time, and add its figures."""
        if self._only and part not in self._only:
            return
        if self._late(part):
            return
        found = {f"gpu.{name}": self._figure(*value) for name, value in measure().items()}
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        show(found)
        self.figures |= found

    def steps(self, name: str, case: Case, schemes: Sequence[str]) -> dict[str, tuple[float, str]]:
        """Time and memory of each scheme, eager and as graphs."""
        found: dict[str, tuple[float, str]] = {}
        times: Times = {}
        for scheme in schemes:  # one after the other: the large ones fill a GPU
            for way in self._ways(scheme):
                if self._late(f"{name}, {scheme}, {way}"):
                    continue
                seconds, mebibytes = self._step(case, scheme, way)
                if seconds:
                    times[scheme, way] = seconds
                    found[f"{name}.{scheme}.{way}_ms"] = 1e3 * statistics.median(seconds), "ms"
                    found[f"{name}.{scheme}.{way}_mib"] = mebibytes, "MiB"
        way = self._ways("greedy")[-1]
        if (ours := times.get(("greedy", way))) and (rival := times.get(("checkpoint", way))):
            quotient = statistics.median(rival) / statistics.median(ours)
            found[f"{name}.checkpoint_over_greedy"] = quotient, "ratio"
        return found

    def against_peers(self, name: str, folder: Path) -> dict[str, tuple[float, str]]:
        """Our step end-to-end over the fastest peer's: in the same precision, and in bfloat16.

        Peers compute in float32 (and TF32) both times, as their data consistency has no bfloat16.
        """
        case = self.cases[name]
        theirs = peers(case, folder, self.device)
        if not theirs:
            return {}
        way = self._ways("end_to_end")[-1]
        graph = "auto" if way == "graph" else "never"
        works: dict[str, Callable[[], object]] = dict(theirs)
        for ours in (name, f"{name}_bf16"):
            recipe = recipe_of(self.cases[ours], "end_to_end", graph)
            works[ours] = self._warm(Stepper(recipe, case.problem(), self.device))
        times = interleaved(works, self.repeats)
        found = {
            f"{name}.{peer}.eager_ms": (1e3 * statistics.median(times[peer]), "ms")
            for peer in theirs
        }
        best = min(theirs, key=lambda peer: statistics.median(times[peer]))
        for ours, key in ((name, ""), (f"{name}_bf16", "_bf16")):
            found[f"{name}.step_over_best_peer{key}"] = ratio(times[ours], times[best]), "ratio"
        return found

    def _late(self, part: str) -> bool:
        late = time.monotonic() > self._until
        if late:
            print(f"{part}: left out, there was no time", flush=True)
        return late

    def _ways(self, scheme: str) -> list[str]:
        recorded = self.device.type == "cuda" and scheme != "offload"
        return ["eager", "graph"] if recorded else ["eager"]

    def _step(self, case: Case, scheme: str, way: str) -> tuple[list[float], float]:
        """Seconds of steps, and the memory of one; none where it does not fit."""
        recipe = recipe_of(case, scheme, "auto" if way == "graph" else "never")
        try:
            stepper = Stepper(recipe, case.problem(), self.device)
            memory = stepper.cost().memory / 2**20
            step = self._warm(stepper)
            times = interleaved({scheme: step}, 1)[scheme]
            if times[0] < LONG:
                times = interleaved({scheme: step}, self.repeats)[scheme]
            if way == "graph":  # a replay allocates nothing: what counts is what is held
                memory = torch.cuda.memory_reserved(self.device) / 2**20
        except torch.OutOfMemoryError:
            print(f"{scheme}, {way}: does not fit into the GPU's memory", flush=True)
            return [], 0.0
        finally:
            stepper = step = None  # type: ignore[assignment]  # before the next one is made
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
        return times, memory

    def _warm(self, stepper: Stepper) -> Stepper:
        for _ in range(RECORDED if self.device.type == "cuda" else 0):
            stepper()
        return stepper

    def _figure(self, value: float, unit: str) -> dict[str, Any]:
        return {
            "value": float(f"{value:.4g}"),
            "unit": unit,
            "command": "python -m benchmarks.gpu" + " --small" * self.small,
            "hardware": described(self.device),
        }


def run(benchmark: Benchmark, folder: Path | None = None) -> Figures:
    """All of it, what matters most first."""
    b, steps = benchmark, 4 if benchmark.small else STEPS

    def share(name: str) -> dict[str, tuple[float, str]]:
        return {f"{name}.busy": (busy(b.cases[name], b.device, steps), "ratio")}

    def start() -> dict[str, tuple[float, str]]:
        return {"start_up_s": (start_up(CASES["modl"].small(), b.device), "s")}

    def median() -> dict[str, tuple[float, str]]:
        ratios = [f["value"] for n, f in b.figures.items() if n.endswith("checkpoint_over_greedy")]
        return {"median.checkpoint_over_greedy": (statistics.median(ratios or [0]), "ratio")}

    if folder is not None:
        for name in PAPER:
            b.within(f"{name}.peers", partial(b.against_peers, name, folder))
    for name, case in b.cases.items():
        b.within(name, partial(b.steps, name, case, ["end_to_end", "checkpoint", "greedy"]))
    for name in BUSY:
        b.within(f"{name}.busy", partial(share, name))
    b.within("start-up", start)
    for name, case in b.widths.items():
        b.within(name, partial(b.steps, name, case, [*SCHEMES]))
    b.within("median", median)
    return b.figures


def table(figures: Figures) -> str:
    """Milliseconds of a step in Markdown: end-to-end, checkpoint, greedy."""
    lines = ["| case | eager | as CUDA graphs | busy |", "| --- | --- | --- | --- |"]
    for name in (*CASES, *WIDTHS):
        cells = []
        for way in ("eager", "graph"):
            values = [figures.get(f"gpu.{name}.{scheme}.{way}_ms") for scheme in SCHEMES]
            cells.append(", ".join(f"{v['value']:.3g}" if v else "–" for v in values))
        share = figures.get(f"gpu.{name}.busy")
        cells.append(f"{share['value']:.0%}" if share else "–")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu")
    parser.add_argument("--peers", type=Path, help="folder of unpacked wheels")
    parser.add_argument("--only", nargs="*", default=[], help="parts, such as modl or modl.busy")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--small", action="store_true", help="tiny sizes")
    parser.add_argument("--out", type=Path, default=RESULTS)
    a = parser.parse_args(arguments)
    device = choose(a.device)
    print(f"on {described(device)}, PyTorch {torch.__version__}", flush=True)
    figures = run(Benchmark(device, a.small, a.minutes, a.only), a.peers)
    content = {"device": described(device), "torch": torch.__version__, "figures": figures}
    with replacing(a.out) as temporary:
        temporary.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
    print(table(figures))


if __name__ == "__main__":
    main()
