"""Environment of a run, what it takes to make it again: environment.json."""

import hashlib
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

import gleam
from gleam import precision, threads
from gleam.parallel.meeting import world_size
from gleam.recipe import Recipe


def environment(recipe: Recipe, device: torch.device) -> dict[str, Any]:
    """Versions, hardware, precision, seed and git state: what it takes to run the same again."""
    return {
        "gleam": gleam.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "precision": precision.facts(device, recipe.network.regulariser.bf16),
        "cores": threads.cores(),
        "processes": world_size(),
        "threads": torch.get_num_threads(),
        "waiting": os.environ.get("OMP_WAIT_POLICY"),
        "seed": recipe.seed,
        "git": _git_state(),
    }


def code() -> str:
    """A digest of this program, and the version of PyTorch."""
    package = Path(gleam.__file__).parent
    sources = b"".join(path.read_bytes() for path in sorted(package.rglob("*.py")))
    return f"{hashlib.sha256(sources).hexdigest()} {torch.__version__}"


def _git_state() -> str | None:
    """The commit this program runs from, and whether it was changed; None outside a checkout."""
    here = Path(__file__).parent
    environ = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=here, env=environ, capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
