"""What runs end with, and whether two of them ended alike."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file

from gleam.runs import checkpoint
from gleam.runs import folder as run_folder
from gleam.runs.events import IMAGE

Levels = NDArray[np.uint8]


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    """All that a run ends with: the model, and the last checkpoint's weights and optimizers."""
    last = checkpoint.found(folder / "checkpoints")[-1]
    files = [folder / "model.safetensors", *sorted(last.glob("*.safetensors"))]
    return {  # clones: what is loaded stays in its file, which may change
        f"{file.relative_to(folder)}/{name}": tensor.clone()
        for file in files
        for name, tensor in load_file(file).items()
    }


def numbers(folder: Path) -> list[tuple[int, str, int, float]]:
    """metrics.csv without times."""
    return [(row.step, row.metric, row.index, row.value) for row in run_folder.read_metrics(folder)]


def assert_same_end(folder: Path, undisturbed: Path) -> None:
    got, expected = tensors(folder), tensors(undisturbed)
    assert got.keys() == expected.keys()
    assert all(torch.equal(got[name], expected[name]) for name in expected)
    assert numbers(folder) == numbers(undisturbed)
    one, other = run_folder.read_summary(folder), run_folder.read_summary(undisturbed)
    for name in ("steps", "parameters", "best_step"):
        assert one[name] == other[name]
    assert best(one) == best(other)


def best(summary: dict[str, object]) -> object:
    """Of validation, whatever it is measured by."""
    (value,) = (summary[name] for name in summary if name.startswith("best_validation_"))
    return value


def last_step(folder: Path) -> int:
    kept = checkpoint.found(folder / "checkpoints")
    return checkpoint.step_of(kept[-1]) if kept else 0


def drawn(folder: Path) -> dict[int, Levels]:
    """By step, of all of TensorBoard's files."""
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    found: dict[int, Levels] = {}
    for path in sorted((folder / "tensorboard").iterdir()):
        for event in loader.EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                if value.tag == IMAGE:
                    width, height, png = value.tensor.string_val
                    levels = np.array(Image.open(io.BytesIO(png)))
                    assert levels.shape == (int(height), int(width))
                    assert levels.dtype == np.uint8
                    found[event.step] = levels
    return found
