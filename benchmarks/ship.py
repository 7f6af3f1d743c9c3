"""python -m benchmarks.ship RUN: a run becomes the network of a name that ships with GLEAM.

It leaves as `gleam export` writes it, without paths, names of scans and optimizer, with its weights
in half precision and a model card (Mitchell et al., FAT* 2019). What the card says was measured is
read from a file of figures, never typed:

    {"recipe": "recipes/gleam-2d.yaml",
     "commands": ["gleam simulate …", "gleam prepare …", "gleam train …"],
     "tables": [{"title": "Adapted for 100 steps", "command": "python -m benchmarks.… …",
                 "columns": ["scan", "PSNR in dB"], "rows": [["brain", 34.5]]}]}

Measure with what ships (`gleam-2d`), then write its card: `--figures FILE` with the same RUN again.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from gleam.errors import BadInput
from gleam.exporting import export
from gleam.files import replacing
from gleam.recipe import Recipe
from gleam.reconstruction.exported import Facts
from gleam.report.training import describe
from gleam.runs.folder import TRAINED_ON, save_model
from gleam.runs.run import Run
from gleam.runs.shipped import RECIPE, SHIPPED

CARD = "MODEL_CARD.md"
LARGEST = 1_500_000  # bytes of weights: everybody who installs GLEAM takes them along


def ship(run: Path, name: str, figures: Mapping[str, Any], shelf: Path = SHIPPED) -> Path:
    """Put a run's network on the shelf.

    Args:
        run: its folder.
        name: to ship it under; one of that name is replaced.
        figures: see above; what is not there is left out of the card.
        shelf: folder of what ships.

    Returns:
        The network's folder.

    Raises:
        BadInput: the folder is no run, or the weights are too large or not finite in half
            precision.
    """
    goal = shelf / name
    with tempfile.TemporaryDirectory() as temporary:
        plain = Path(temporary) / name
        facts = export(run, plain)
        trained = Run(plain)
        with replacing(goal) as new:
            new.mkdir()
            for part in (RECIPE, TRAINED_ON):
                (new / part).write_bytes((plain / part).read_bytes())
            save_model(new, halved(load_file(plain / "model.safetensors"), str(run)))
            size = (new / "model.safetensors").stat().st_size
            if size > LARGEST:
                raise BadInput(f"{run}: has {size} bytes of weights; {LARGEST} may ship")
            text = card(name, trained.recipe, facts, parameters(trained), size, figures)
            (new / CARD).write_text(text, encoding="utf-8")
    return goal


def halved(weights: Mapping[str, Tensor], run: str) -> dict[str, Tensor]:
    """Weights in half precision; networks read them as float32.

    Raises:
        BadInput: one of them is too large for that.
    """
    half = {
        name: weight.to(torch.float16) if weight.is_floating_point() else weight
        for name, weight in weights.items()
    }
    for name, weight in half.items():
        if not weight.isfinite().all():
            raise BadInput(f"{run}: {name} is not finite in half precision")
    return half


def parameters(run: Run) -> int:
    """Number of parameters of its network."""
    return sum(parameter.numel() for parameter in run.network.parameters())


def card(
    name: str,
    recipe: Recipe,
    facts: Facts,
    numbers: int,
    size: int,
    figures: Mapping[str, Any],
) -> str:
    """The model card, as Markdown."""
    known = facts.trained_on
    lowest, highest = known.accelerations
    times = f"{lowest:g}×" if lowest == highest else f"{lowest:g} to {highest:g}×"
    lines = [
        f"# {name}: a network to start from",
        "",
        "**Not for diagnosis.** Research software; no image of it may be used to decide about a "
        "patient.",
        "",
        "| | |",
        "| --- | --- |",
        f"| network | {describe(recipe)}; {numbers} parameters, {size / 1e6:.1f} MB in half "
        "precision |",
        f"| trained on | {len(known.training)} simulated scans ({', '.join(known.kinds)}): "
        "anatomy, coils and noise are drawn, no person's data were used |",
        f"| validated on | {len(known.validation)} simulated scans, which chose the best weights |",
        f"| undersampled by | {', '.join(known.masks)} masks, {times} |",
        f"| map sets | {facts.sets} |",
        "| version, licence | of the GLEAM that holds it; MIT |",
        "",
        "## What it is for",
        "",
        "To be adapted to a scan by that scan's own samples, which takes minutes and no ground "
        "truth:",
        "",
        f"    gleam reconstruct {name} scan.h5 --adapt -o image.png",
        f"    gleam adapt {name} scans --out runs/own",
        "",
        "and as `training.start` of networks of the same shape. Unadapted, its image is taken only "
        "where a check on the scan at hand (`gleam check`) ranks it above compressed sensing; "
        "otherwise that makes the image, and a line says so.",
        "",
        "## What it is not for",
        "",
        "- Clinical use of any kind, or as evidence that a finding is there or not.",
        "- Series, examples with two map sets: it refuses them. Take temporal-tv, or wavelet. A "
        "volume whose readout was sampled in full is a stack of slices to it, made one by one.",
        "- Other contrasts, coils and matrices than were simulated are reconstructed, but nothing "
        "vouches for them: details may be invented or missing where data are few. Look at the "
        "image beside that of wavelets.",
        "- Adapted, it has learnt from the scan's own samples: a check by such samples says "
        "nothing of its image any more.",
        "",
        "No group of people is represented in its data, well or badly, as there are no people in "
        "it; whether it does better for some anatomies, scanners or pathologies than for others "
        "was not studied beyond the figures below.",
        "",
        *_figures(figures.get("tables", [])),
        *_again(figures),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _figures(tables: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = ["## Figures", ""] if tables else []
    for table in tables:
        columns: list[str] = table["columns"]
        lines += [
            f"{table['title']} (`{table['command']}`):",
            "",
            f"| {' | '.join(columns)} |",
            f"|{' --- |' * len(columns)}",
            *(f"| {' | '.join(map(_shown, row))} |" for row in table["rows"]),
            "",
        ]
    return lines


def _shown(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _again(figures: Mapping[str, Any]) -> list[str]:
    """How it was made."""
    if "commands" not in figures:
        return []
    by = f" by `{figures['recipe']}`" if "recipe" in figures else ""
    commands = [f"    {command}" for command in figures["commands"]]
    return [
        "## How to make it again",
        "",
        f"It was trained{by}; the recipe beside this card has every field said, but for places.",
        "",
        *commands,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ship")
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--name", default="gleam-2d", help="that it ships under")
    parser.add_argument("--figures", type=Path, help="JSON file of what was measured")
    a = parser.parse_args()
    figures = {} if a.figures is None else json.loads(a.figures.read_text("utf-8"))
    goal = ship(a.run, a.name, figures)
    for part in sorted(goal.iterdir()):
        print(f"{part}: {part.stat().st_size} bytes")


if __name__ == "__main__":
    main()
