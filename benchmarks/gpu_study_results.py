"""What `benchmarks.gpu_study` found: figures as JSON, and a section of docs/study.md."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.study import Summary, table
from gleam.files import replacing

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "gpu_study.json"
DOCS = HERE.parent / "docs" / "study.md"
HEADING = "## On a GPU, and longer"
COMMAND = "python -m benchmarks.gpu_study"
NAMES = {"2d": "2D slices", "3d": "Volumes", "cine": "Hearts"}
# What greedy modules are compared with: the best of these.
RIVALS = {
    "greedy_minus_end_to_end_equal_memory": ("shallow", "narrow"),
    "greedy_minus_checkpoint_equal_memory": ("checkpoint",),
    "greedy_minus_end_to_end_equal_depth": ("end-to-end",),
}


def figures(found: Mapping[str, Summary], device: str) -> dict[str, Any]:
    """How far greedy is above its rivals at equal time, in dB, by kind of scans.

    The interval is that of the mean difference to the best rival over test scans.
    """
    made: dict[str, Any] = {}
    for kind, summary in found.items():
        scores = summary["scores"]["simulated"]
        for name, rivals in RIVALS.items():
            gaps = [
                scores[rival]["minus_against"]["psnr_complex"]
                for rival in rivals
                if rival in scores
            ]
            if len(gaps) < len(rivals):  # not trained yet, or does not fit
                continue
            best = max(gaps, key=lambda gap: float(gap["mean"]))
            made[f"gpu_study.{name}_{kind}_db"] = {
                "value": _above(best["mean"]),
                "low": _above(best["high"]),
                "high": _above(best["low"]),
                "unit": "dB",
                "seeds": summary["schemes"]["greedy"]["seeds"],
                "command": COMMAND,
                "device": device,
            }
    return made


def _above(gap: float | None) -> float | None:
    """Of a rival's difference to greedy, greedy's to the rival."""
    return None if gap is None else round(0.0 - gap, 3)


def section(found: Mapping[str, Summary], device: str) -> str:
    """In Markdown."""
    made = figures(found, device)
    lines = [
        HEADING,
        "",
        f"`{COMMAND}`, on {device}.",
        "All schemes train for as long as the greedy modules, shallow and narrow networks in their",
        "memory. Greedy above each, in dB, with 95 % intervals over test scans:",
        "",
        "| | " + " | ".join(NAMES[kind] for kind in found) + " |",
        "| --- " * (1 + len(found)) + "|",
    ]
    rows = {
        "the best smaller end-to-end network": "greedy_minus_end_to_end_equal_memory",
        "checkpointing": "greedy_minus_checkpoint_equal_memory",
        "end-to-end, all its memory": "greedy_minus_end_to_end_equal_depth",
    }
    for words, name in rows.items():
        cells = [_cell(made.get(f"gpu_study.{name}_{kind}_db")) for kind in found]
        lines.append(f"| {words} | " + " | ".join(cells) + " |")
    for kind, summary in found.items():
        lines += ["", f"{NAMES[kind]}:", "", table(summary)]
    return "\n".join(lines) + "\n"


def _cell(figure: Mapping[str, Any] | None) -> str:
    if figure is None:
        return "–"
    between = "" if figure["low"] is None else f" [{figure['low']:+.2f}, {figure['high']:+.2f}]"
    return f"{figure['value']:+.2f}{between}"


def write(found: Mapping[str, Summary], device: str, results: Path, docs: Path) -> None:
    """Write the figures with all they are made of, and the section in place of the one there is."""
    values = {"device": device, **figures(found, device), "summaries": dict(found)}
    with replacing(results) as temporary:
        temporary.write_text(json.dumps(values, indent=2) + "\n")
    page = docs.read_text() if docs.exists() else ""
    with replacing(docs) as temporary:
        temporary.write_text(inserted(page, section(found, device)))


def inserted(page: str, text: str) -> str:
    """A page with a section in place of the one of its heading, or at its end."""
    heading = text.splitlines()[0]
    before, there, rest = page.partition(f"{heading}\n")
    if not there:
        return f"{page.rstrip()}\n\n{text}".lstrip()
    _, following, after = rest.partition("\n## ")
    return before + text + (f"\n## {after}" if following else "")
