"""Options of `gleam export`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from gleam.cli.arguments import Flag, Trust


@dataclass(frozen=True)
class Arguments:
    """Write a run's network so that it can be given away, or used by other programs.

    A folder holds its weights (safetensors), its recipe without paths, and a model card. A .pt2
    file is one program of torch.export, an .onnx file one of ONNX in real arithmetic, both of any
    matrix and number of coils. `gleam reconstruct` takes all of them; a .pt2 it loads only with
    --trust, as torch loads those through pickle.

    Example: gleam export runs/greedy --to greedy.onnx
    """

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """Run folder."""
    to: Path
    """Folder, or .pt2 or .onnx file, to write."""
    axes: str | None = None
    """Space axes that scans will be undersampled along, 'x' or 'y x', for a .pt2 or .onnx file; by
    default the last ones, as many as the run's masks take."""
    trust: Trust = ()
    force: Flag = False
    """Replace a folder or file that is there."""
    json: Flag = False
    """Print what was exported as JSON."""
