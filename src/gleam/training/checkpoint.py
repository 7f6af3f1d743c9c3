"""Checkpoints: one file per module and a manifest written last, all under one renamed folder.

A module's file (safetensors) holds its weights and its optimizer's state; the manifest says the
step. Schedules and batches are functions of the step, so there is nothing else to restore.
"""

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from gleam.errors import BadInput
from gleam.files import replacing
from gleam.training.flow import Module


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    Attributes:
        step: updates made.
        seconds: time spent training.
        best_psnr: highest validation PSNR so far, in dB.
        best_step: when that was; None without validation.
    """

    step: int = 0
    seconds: float = 0.0
    best_psnr: float = float("-inf")
    best_step: int | None = None


def save(folder: Path, modules: Sequence[Module], progress: Progress) -> Path:
    """Write `folder`/step-00001000."""
    path = folder / f"step-{progress.step:08d}"
    with replacing(path) as temporary:
        temporary.mkdir()
        for number, module in enumerate(modules):
            save_file(_tensors(module), temporary / _file(number))
        manifest = {"modules": len(modules), **asdict(progress)}
        (temporary / "manifest.json").write_text(json.dumps(manifest, indent=2))
    return path


def load(path: Path, modules: Sequence[Module]) -> Progress:
    """Restore weights and optimizers from one checkpoint.

    Raises:
        BadInput: it is broken, or of another network.
    """
    try:
        manifest = dict(json.loads((path / "manifest.json").read_text()))
        count = manifest.pop("modules")
        progress = Progress(**manifest)
        if count != len(modules):
            raise BadInput(f"{path}: is of {count} modules, the recipe has {len(modules)}")
        for number, module in enumerate(modules):
            _restore(module, load_file(path / _file(number)))
    except (OSError, ValueError, TypeError, KeyError, SafetensorError, RuntimeError) as error:
        raise BadInput(
            f"{path}: does not fit the recipe or is broken ({' '.join(str(error).split())}); "
            "remove it to go on from the one before"
        ) from error
    return progress


def found(folder: Path) -> list[Path]:
    """The whole checkpoints of a run, oldest first."""
    paths = (p for p in folder.glob("step-*") if re.fullmatch(r"step-\d{8,}", p.name))
    return sorted((p for p in paths if (p / "manifest.json").is_file()), key=step_of)


def step_of(path: Path) -> int:
    """The step a checkpoint was written at."""
    return int(path.name.removeprefix("step-"))


def forget(folder: Path, keep: int, best_step: int | None) -> None:
    """Remove all but the last `keep` checkpoints and the best one."""
    for path in found(folder)[:-keep]:
        if step_of(path) != best_step:
            shutil.rmtree(path)


def _file(number: int) -> str:
    return f"module-{number:03d}.safetensors"


def _tensors(module: Module) -> dict[str, Tensor]:
    tensors = {}
    for name, parameter in module.iterations.named_parameters():
        tensors[f"weight/{name}"] = parameter.detach().contiguous()
        for key, value in module.optimizer.state[parameter].items():
            tensors[f"optimizer/{key}/{name}"] = value.contiguous()
    return tensors


def _restore(module: Module, tensors: dict[str, Tensor]) -> None:
    names = dict(module.iterations.named_parameters())
    _fill(names, {k.removeprefix("weight/"): v for k, v in tensors.items() if k[0] == "w"})
    module.optimizer.state.clear()
    for key, value in tensors.items():
        kind, _, rest = key.partition("/")
        if kind == "optimizer":
            slot, _, name = rest.partition("/")
            parameter = names[name]
            state = module.optimizer.state[parameter]
            if value.shape == parameter.shape:  # in the parameter's own memory layout
                state[slot] = torch.empty_like(parameter).copy_(value)
            else:
                state[slot] = value.to(parameter.device)


def _fill(parameters: dict[str, nn.Parameter], tensors: dict[str, Tensor]) -> None:
    if parameters.keys() != tensors.keys():
        raise ValueError("its weights have other names")
    with torch.no_grad():
        for name, parameter in parameters.items():
            if parameter.shape != tensors[name].shape:
                raise ValueError(f"{name} has shape {tuple(tensors[name].shape)}")
            parameter.copy_(tensors[name])
