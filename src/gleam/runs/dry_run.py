"""A dry run: whether a recipe can be trained, found out without its data.

Its own network, mask, loss, storage and optimizer make one step of every module and one validation
on a tiny simulated scan of its own kind. The mask and the regulariser say which kind that is.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gleam import precision
from gleam.data.example import write
from gleam.data.kind import ScanKind
from gleam.data.trained_on import TrainedOn
from gleam.formats import Scan
from gleam.networks import build
from gleam.networks.weights import weights_of
from gleam.parallel.placement import Placement
from gleam.physics.sampling import DIMENSIONS
from gleam.preparation.prepare import Prepared, Settings
from gleam.recipe import BY_ITSELF, END_TO_END, Recipe
from gleam.runs import folder as run_folder
from gleam.runs.stages import train_in_stages
from gleam.simulation import simulate_scan

_CALIBRATION = 4  # lines along each axis that all masks keep, but those of a series
_SAMPLED = 2  # lines along each axis that a mask takes beside those
_SHORT = 16  # voxels along an axis that no mask needs longer
_FRAMES = 4


@dataclass(frozen=True)
class Rehearsal:
    """Findings of a dry run.

    Attributes:
        kind: of the data that the recipe is for.
        family: of the network.
        iterations: of the network.
        modules: iterations of each module.
        parameters: of the network.
        missing: paths that the recipe names and that do not exist yet, by their fields.
        advice: on what makes it slower than it need be, if anything does.
    """

    kind: ScanKind
    family: str
    iterations: int
    modules: list[int]
    parameters: int
    missing: dict[str, str]
    advice: str | None = None

    def __str__(self) -> str:
        """All but what is missing, in one line."""
        advice = f"; {self.advice}" if self.advice else ""
        return (
            f"fits, tried on tiny {self.kind}: {self.family}, {self.iterations} iterations in "
            f"modules of {', '.join(map(str, self.modules))}, {self.parameters} parameters{advice}"
        )


def rehearse(recipe: Recipe, device: str = "auto") -> Rehearsal:
    """Try a recipe out, on a device (see `gleam.device`); nothing stays on disk.

    Raises:
        BadInput: something in it does not fit.
        Diverged: its first step does.
    """
    missing = _missing(recipe)
    with TemporaryDirectory(prefix="gleam-dry-run-") as place:
        example = Path(place) / "example.h5"
        settings = Settings(calibration=_calibration(recipe), sets=recipe.network.sets)
        write(Prepared(_scan(recipe), settings), example)
        short = _shortened(recipe, example)
        if "training.start" in missing:
            short = short.changed(training={"start": _untrained(recipe, Path(place) / "start")})
        last = train_in_stages(
            short, Path(place) / "run", quiet=True, placement=Placement(device=device)
        )
        assert last is not None  # there is no other process
        parameters = run_folder.read_summary(last)["parameters"]
    return Rehearsal(
        kind=kind_of_data(recipe),
        family=recipe.network.build or recipe.network.family,
        iterations=recipe.network.iterations,
        modules=recipe.module_sizes(),
        parameters=parameters,
        missing=missing,
        advice=_advice(recipe),
    )


def _advice(recipe: Recipe) -> str | None:
    regulariser = recipe.network.regulariser
    own = recipe.network.build is None  # otherwise the regulariser is another's
    return precision.advice(regulariser.width, regulariser.bf16) if own else None


def kind_of_data(recipe: Recipe) -> ScanKind:
    """2D slices, 2D series or volumes: what mask, slabs and regulariser are made for."""
    if recipe.mask.kind.startswith("kt-"):
        return "2D series"
    if recipe.data.slab is not None:
        return "volumes"
    if recipe.network.convolves[0] == 2:
        return "2D slices"
    return "volumes" if recipe.mask.kind == "poisson" else "2D series"


def not_there(missing: Mapping[str, str]) -> str:
    """A line on paths that a recipe names, by field."""
    if not missing:
        return "all that it names is there"
    paths = ", ".join(f"{field} ({path})" for field, path in missing.items())
    return f"not there yet: {paths}"


def _calibration(recipe: Recipe) -> int:
    return 0 if recipe.mask.kind.startswith("kt-") else _CALIBRATION


def _scan(recipe: Recipe) -> Scan:
    """A scan as small as leaves the mask more than its calibration region."""
    kind = kind_of_data(recipe)
    dimensions = 3 if kind == "volumes" else 2
    # A mask over both axes of a slice takes points of its readout, all of which calibrates.
    axes = min(DIMENSIONS[recipe.mask.kind], dimensions - 1)
    sampled = _calibration(recipe) + _SAMPLED
    most = max(mask.acceleration for mask in (recipe.mask, *recipe.data.masks))
    lines = max(_SHORT, math.ceil(sampled * most ** (1 / axes)))
    space = (max(_SHORT, lines // 2),) * (dimensions - axes) + (lines,) * axes
    scan = simulate_scan(space, 3, 1, 50.0, recipe.seed, name="dry run")
    if kind != "2D series":
        return scan
    return replace(scan, kspace=scan.kspace[0][None].repeat(_FRAMES, axis=2))


def _shortened(recipe: Recipe, example: Path) -> Recipe:
    """The recipe on other data, and as short as it can be."""
    t = recipe.training
    changes: dict[str, Any] = {
        "steps": 1,
        "minutes": None,
        "validate_every": 1,
        "checkpoint_every": 1,
        "loggers": (),  # nobody is told
    }
    changes["polish"] = min(t.polish, 1)
    changes["stages"] = [
        stage.model_dump(exclude={"steps", "minutes"}, exclude_none=True) for stage in t.stages
    ]
    if t.offload_to is not None:
        changes["offload_to"] = example.parent
    if isinstance(t.idle, Path):
        changes["idle"] = example.parent
    return recipe.changed(data={"train": example, "validation": example}, training=changes)


def _untrained(recipe: Recipe, folder: Path) -> Path:
    """A run of the same network that has learnt nothing, for one that is not there yet."""
    whole = recipe.changed(training=END_TO_END | BY_ITSELF)
    run_folder.begin(folder, whole, "", TrainedOn.unrecorded(whole.mask))
    run_folder.save_model(folder, weights_of(build(whole.network, whole.seed)))
    return folder


def _missing(recipe: Recipe) -> dict[str, str]:
    named = {
        "data.train": recipe.data.train,
        "data.validation": recipe.data.validation,
        "training.start": recipe.training.start,
        "training.offload_to": recipe.training.offload_to,
        "training.idle": recipe.training.idle if isinstance(recipe.training.idle, Path) else None,
    }
    return {field: str(path) for field, path in named.items() if path and not path.exists()}
