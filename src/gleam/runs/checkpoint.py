"""Checkpoints: one file per module and a manifest written last, all under one renamed folder.

A module's file (safetensors) holds its weights, its optimizer's state and, where it may stop early,
what its loss has been (see `gleam.training.plateau`); the manifest says the step. Schedules and
batches are functions of the step, so there is nothing else to restore. Modules may be written by
several processes, and read again by any other number of them.
"""

import json
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from gleam.data.trained_on import VERSION
from gleam.errors import BadInput
from gleam.files import replacing
from gleam.networks.weights import fill, weights_of
from gleam.training.module import GreedyModule


@dataclass(frozen=True)
class RunProgress:
    """The progress of a run.

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


def write(folder: Path, modules: Mapping[int, GreedyModule], step: int) -> None:
    """Write some modules of a checkpoint that is not one before it is published."""
    for number, module in modules.items():
        tensors = _tensors(module)
        make_room(folder, sum(tensor.nbytes for tensor in tensors.values()))
        with replacing(_draft(folder, step) / _file(number)) as temporary:
            save_file(tensors, temporary)
        del tensors
        module.turn.end()  # that it was read does not keep it here


def drafted_weights(folder: Path, step: int, modules: int) -> list[dict[str, Tensor]]:
    """The weights of every module of a checkpoint that was written, by name."""
    files = (_draft(folder, step) / _file(number) for number in range(modules))
    return [_part(load_file(file), "weight/") for file in files]


def publish(folder: Path, modules: int, progress: RunProgress) -> Path:
    """Make `folder`/step-00001000 of what was written, all modules of which there are."""
    draft = _draft(folder, progress.step)
    path = draft.with_name(draft.name.removeprefix("."))
    with replacing(draft / "manifest.json") as temporary:
        temporary.write_text(
            json.dumps({"version": VERSION, "modules": modules, **asdict(progress)}, indent=2)
        )
    if path.exists():
        shutil.rmtree(path)
    draft.rename(path)
    return path


def discard(folder: Path, step: int | None = None) -> None:
    """Remove what was written and not published, of one step or of all."""
    for draft in folder.glob(".step-*") if step is None else [_draft(folder, step)]:
        shutil.rmtree(draft, ignore_errors=True)


def load(path: Path, modules: Mapping[int, GreedyModule], count: int) -> RunProgress:
    """Restore weights and optimizers from one checkpoint.

    Args:
        path: of the checkpoint.
        modules: those to restore, by number.
        count: of all modules that there are.

    Raises:
        BadInput: it is broken, of another network, or of a later version.
    """
    try:
        manifest = dict(json.loads((path / "manifest.json").read_text()))
        version = manifest.pop("version", 1)
        if version > VERSION:
            raise BadInput(
                f"{path}: is of version {version}, this program knows {VERSION}; update it"
            )
        saved = manifest.pop("modules")
        progress = RunProgress(**manifest)
        if count != saved:
            raise BadInput(f"{path}: is of {saved} modules, the recipe has {count}")
        for number, module in modules.items():
            _restore(module, load_file(path / _file(number)))
            module.turn.end()  # so that no more than one is restored where it should not stay
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
            _remove(path)


def make_room(folder: Path, size: int) -> None:
    """Remove the oldest checkpoints where the disk has no room for so many bytes.

    The last one stays, and so does the best as that one knows it.
    """
    *old, last = found(folder) or [folder]
    for path in old:
        if shutil.disk_usage(folder).free > size:
            return
        if step_of(path) != _best_step(last):
            _remove(path)


def _best_step(path: Path) -> object:
    try:
        return json.loads((path / "manifest.json").read_text()).get("best_step")
    except (OSError, ValueError, AttributeError):
        return None  # it is broken, which is told where it is loaded


def _remove(path: Path) -> None:
    """Remove at once: what is removed halfway is no checkpoint. Another process may remove it as
    well."""
    away = path.with_name(f".{path.name}")
    with suppress(OSError):
        path.rename(away)
    shutil.rmtree(away, ignore_errors=True)


def _draft(folder: Path, step: int) -> Path:
    return folder / f".step-{step:08d}"


def _file(number: int) -> str:
    return f"module-{number:03d}.safetensors"


def _tensors(module: GreedyModule) -> dict[str, Tensor]:
    tensors = {}
    for name, weight in weights_of(module.iterations).items():
        tensors[f"weight/{name}"] = weight.contiguous()
    for name, parameter in module.iterations.named_parameters():
        for key, value in module.optimizer.state[parameter].items():
            tensors[f"optimizer/{key}/{name}"] = value.contiguous()
    plateau = {} if module.plateau is None else module.plateau.state()
    return tensors | {f"plateau/{name}": value for name, value in plateau.items()}


def _restore(module: GreedyModule, tensors: dict[str, Tensor]) -> None:
    names = dict(module.iterations.named_parameters())
    fill(module.iterations, _part(tensors, "weight/"))
    if module.plateau is not None:
        module.plateau.restore(_part(tensors, "plateau/"))
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


def _part(tensors: dict[str, Tensor], start: str) -> dict[str, Tensor]:
    """Those whose names start so, by the rest of them."""
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
