"""Times of training steps over those of another commit, in one process, in turn.

    OMP_NUM_THREADS=1 python -m benchmarks.against e52d1c3

The other commit's package is unpacked under another name, `gleam_then`, so both are imported side
by side and step alternately on the same random data, on one thread. A ratio above 1 is slower.
"""

import re
import subprocess
import sys
import tarfile
from collections.abc import Callable
from importlib import import_module
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from gleam.training.timing import interleaved, ratio

THEN = "gleam_then"
REPEATS = 15
SCHEMES: dict[str, dict[str, Any]] = {
    "end_to_end": {"modules": 1},
    "greedy": {"modules": 4},
    "checkpoint": {"modules": 1, "storage": "checkpoint"},
}
# (batch, coils, frames, *space), the mask's axes, network, regulariser
CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any], dict[str, Any]]] = {
    "modl": ((2, 6, 1, 96, 96), (-1,), {"family": "modl"}, {}),
    "pgd": ((2, 6, 1, 96, 96), (-1,), {"family": "pgd"}, {}),
    "unet": ((2, 6, 1, 96, 96), (-1,), {"family": "modl"}, {"kind": "unet"}),
    "3d": ((1, 6, 1, 8, 64, 64), (-2, -1), {"family": "modl"}, {"dimensions": 3}),
    "cine": ((1, 6, 8, 64, 64), (-1,), {"family": "modl"}, {"dimensions": 3}),
}


def unpack(commit: str, folder: Path) -> None:
    """The package of a commit, under another name."""
    archive = subprocess.run(
        ["git", "archive", commit, "src/gleam"], check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    package = (folder / "src" / "gleam").rename(folder / THEN)
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"\b(from|import) gleam\b", rf"\1 {THEN}", text)
        path.write_text(re.sub(r'(["\'])gleam\.', rf"\1{THEN}.", text), encoding="utf-8")


def step(package: str, case: str, scheme: str) -> Callable[[], None]:
    """A training step of one of the two packages."""

    def of(module: str, name: str) -> Any:
        return getattr(import_module(f"{package}.{module}"), name)

    (batch, coils, frames, *space), axes, network, regulariser = CASES[case]
    random = torch.Generator().manual_seed(0)
    maps = torch.randn(batch, 1, coils, 1, *space, dtype=torch.complex64, generator=random)
    maps /= maps.abs().square().sum(2, keepdim=True).sqrt()
    lines = [n if a in axes else 1 for a, n in zip(range(-len(space), 0), space, strict=True)]
    mask = torch.rand(batch, 1, frames, *lines, generator=random) < 0.25
    sense = of("physics.sense", "Sense")(maps, mask, axes)
    image = (batch, 1, frames, *space)
    target = torch.randn(image, dtype=torch.complex64, generator=random)
    measurement = of("physics.measurement", "Measurement")(sense, sense.normal(target))
    numbers = list(range(batch))
    names, size = ["random"] * batch, tuple(space)
    problem = of("data.batch", "Batch")(measurement, target, names, numbers, size)
    fields = {"width": 16} | regulariser
    recipe = of("recipe", "Recipe").model_validate(
        {
            "network": {"iterations": 4, "regulariser": fields} | network,
            "training": SCHEMES[scheme],
        }
    )
    stepper = of("comparison.cost", "Stepper")(recipe, problem, torch.device("cpu"))
    return stepper  # type: ignore[no-any-return]


def run(commit: str, repeats: int = REPEATS) -> dict[str, float]:
    """Ratio of each case and scheme."""
    found = {}
    with TemporaryDirectory(prefix="gleam-then-") as folder:
        unpack(commit, Path(folder))
        sys.path.insert(0, folder)
        for case in CASES:
            for scheme in SCHEMES:
                works = {package: step(package, case, scheme) for package in ("gleam", THEN)}
                times = interleaved(works, repeats)
                found[f"{case}.{scheme}"] = ratio(times["gleam"], times[THEN])
                print(f"{case}.{scheme}: {found[f'{case}.{scheme}']:.3f}", flush=True)
        sys.path.remove(folder)
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    run(sys.argv[1])
