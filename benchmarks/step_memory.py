"""What a training step holds from its beginning to its end: the moving figure of docs/greedy.md.

8 iterations of proximal gradient on one slice, as in `benchmarks.schemes`. The second step of each
scheme is recorded, allocation by allocation, by the profiler that training's own memory figures
come from. Run alone, it writes benchmarks/results/step_memory.json and docs/images/step-memory.svg.

    OMP_NUM_THREADS=1 python -m benchmarks.step_memory          measure, and draw
    python -m benchmarks.step_memory --draw                     draw what was measured
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.autograd.profiler import profile

from benchmarks.measure import hardware
from benchmarks.schemes import SCHEMES, measured
from gleam.files import replacing

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "step_memory.json"
PICTURE = ROOT / "docs" / "images" / "step-memory.svg"
SHOWN = {
    "end_to_end": ("end-to-end", "#c2410c"),
    "checkpoint": ("checkpointing", "#7c3aed"),
    "greedy8": ("greedy, 8 modules", "#0d9488"),
}
POINTS = 240  # of a curve
SECONDS = 9  # that the figure moves, then it begins again

Curve = list[float]  # MiB at equal shares of a step's time


def run() -> dict[str, Any]:
    """Measure: a curve for each scheme."""
    curves = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in SHOWN:
            stepper, _ = measured(SCHEMES[name], "pgd", 1, Path(folder))
            stepper()
            curves[name] = held(stepper)
    command = "OMP_NUM_THREADS=1 python -m benchmarks.step_memory"
    return {"command": command, "hardware": hardware(), "curves": curves}


def held(step: Callable[[], object]) -> Curve:
    """The most that a step held in each of `POINTS` parts of its time."""
    with profile(use_kineto=True, profile_memory=True) as profiler:
        step()
    events = [e for e in profiler.kineto_results.events() if e.name() == "[memory]"]
    events.sort(key=lambda event: event.start_ns())
    first = events[0].start_ns()
    length = max(1, events[-1].start_ns() - first)
    curve, now, part = [0.0] * POINTS, 0, 0
    for event in events:
        at = min(POINTS - 1, (event.start_ns() - first) * POINTS // length)
        curve[part + 1 : at + 1] = [now / 2**20] * (at - part)
        part, now = at, now + event.nbytes()
        curve[part] = max(curve[part], now / 2**20)
    return [round(value, 2) for value in curve]


WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 760, 380, 64, 28, 24, 64
STYLE = """
text { font: 14px system-ui, sans-serif; fill: #57606a }
.grid { stroke: #8c959f; stroke-opacity: .25 }
.curve { fill-opacity: .18; stroke-width: 2; stroke-linejoin: round }
#past rect { transform-origin: LEFTpx 0; animation: go SECONDSs linear -3s infinite }
@keyframes go { from { transform: scaleX(0) } 85%, to { transform: scaleX(1) } }
@media (prefers-color-scheme: dark) { text { fill: #adbac7 } }
@media (prefers-reduced-motion: reduce) { #past rect { animation: none } }
"""


def drawn(results: dict[str, Any]) -> str:
    """The figure: curves from a step's beginning to its end, uncovered from left to right."""
    across, down = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    curves = results["curves"]
    ticks = range(0, int(max(map(max, curves.values()))) + 20, 20)

    def y(mib: float) -> float:
        return TOP + down * (1 - mib / ticks[-1])

    parts = [
        f'<line class="grid" x1="{LEFT}" x2="{LEFT + across}" y1="{y(n):.1f}" y2="{y(n):.1f}"/>'
        f'<text x="{LEFT - 8}" y="{y(n) + 5:.1f}" text-anchor="end">{n}</text>'
        for n in ticks
    ]
    moving, legend = [], []
    for index, (name, (words, colour)) in enumerate(SHOWN.items()):
        curve = curves[name]
        points = " ".join(
            f"{LEFT + across * k / (len(curve) - 1):.1f},{y(mib):.1f}"
            for k, mib in enumerate(curve)
        )
        area = f"M{LEFT},{y(0):.1f} L{points} L{LEFT + across},{y(0):.1f} Z"
        moving.append(f'<path class="curve" fill="{colour}" stroke="{colour}" d="{area}"/>')
        x = LEFT + index * across / len(SHOWN)
        legend.append(
            f'<rect x="{x:.0f}" y="{HEIGHT - 22}" width="12" height="12" fill="{colour}"/>'
            f'<text x="{x + 18:.0f}" y="{HEIGHT - 11}">{words}: {max(curve):.0f} MiB</text>'
        )
    title = "Memory that one training step holds, from its beginning to its end"
    style = STYLE.replace("SECONDS", str(SECONDS)).replace("LEFT", str(LEFT))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            f"<title>{title}: {'; '.join(described(curves))}</title><style>{style}</style>",
            f'<clipPath id="past"><rect x="{LEFT}" y="0" width="{across}" height="{HEIGHT}"/>',
            "</clipPath>",
            f'<text x="{LEFT}" y="18">MiB held by a training step</text>',
            *parts,
            f'<g clip-path="url(#past)">{"".join(moving)}</g>',
            f'<text x="{LEFT + across}" y="{TOP + down + 20}" text-anchor="end">',
            "share of the step →</text>",
            *legend,
            "</svg>",
            "",
        ]
    )


def described(curves: dict[str, Any]) -> list[str]:
    """The figure in words."""
    return [f"{SHOWN[name][0]} {max(curves[name]):.0f} MiB at most" for name in SHOWN]


def main() -> None:
    """Measure unless that was done; draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draw", action="store_true", help="draw what was measured before")
    if not parser.parse_args().draw:
        torch.set_num_threads(1)
        with replacing(RESULTS) as temporary:
            temporary.write_text(json.dumps(run()) + "\n")
    results = json.loads(RESULTS.read_text())
    with replacing(PICTURE) as temporary:
        temporary.write_text(drawn(results))
    print("; ".join(described(results["curves"])))


if __name__ == "__main__":
    main()
