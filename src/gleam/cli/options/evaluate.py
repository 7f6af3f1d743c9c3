"""Options of `gleam evaluate`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

import tyro

from gleam.cli.arguments import Device, Flag, Trust, parse
from gleam.errors import BadInput
from gleam.recipe import MaskRecipe


@dataclass(frozen=True)
class Arguments:
    """Score trained runs beside zero filling, CG-SENSE and wavelets, with one fixed mask per scan.

    Without a run, these baselines alone are scored. Series are compared with a sliding window and
    total variation over time instead of wavelets. Writes report.html, metrics.csv (a row per
    slice), scans.csv, frames.csv (of series) and summary.json.

    Example: gleam evaluate runs/greedy runs/end-to-end --data prepared/test --out evaluation
    """

    runs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Run folders; their names become the methods' names."""
    data: Path | None = None
    """Example files to test on: a folder of them, or one file."""
    raw: Path | None = None
    """Folder of the raw fastMRI files of these examples: scores are also computed as fastMRI does,
    against their reconstruction_rss, and written to fastmri.csv."""
    out: Path = Path("evaluation")
    """Folder for the results."""
    check: Flag = False
    """Also check every scan without its target, as `gleam check` does, into check.json, and say how
    often that orders methods as PSNR does. It takes several times as long."""
    device: Device = "auto"
    trust: Trust = ()
    force: Flag = False
    """Replace the results that are there; and score runs on scans that they were trained on, and on
    other kinds of scans than those."""
    json: Flag = False
    """Print the summary as JSON."""
    mask: MaskRecipe = field(default_factory=MaskRecipe)
    """Mask that scans are undersampled by. By default it is the one that the runs learnt with or,
    without a run, the one below."""


def read(arguments: Sequence[str]) -> Arguments:
    """Read the command line; the mask that the runs learnt with is the default.

    Raises:
        BadInput: see `parse` and `masks_of`; or no data.
    """
    folders, mask = masks_of("evaluate", arguments)
    a = parse(Arguments, "evaluate", arguments, Arguments(mask=mask))
    if a.runs != folders:
        raise BadInput("evaluate: give the run folders first, before all options")
    if a.data is None:
        raise BadInput("evaluate: say what to test on, with --data FOLDER")
    return a


def masks_of(verb: str, arguments: Sequence[str]) -> tuple[tuple[Path, ...], MaskRecipe]:
    """The run folders that come first, and the mask that they learnt with; the usual one of none.

    Raises:
        BadInput: see `run_folder.load_recipe`; or runs of different masks, and none is chosen.
    """
    leading = takewhile(lambda argument: not argument.startswith("-"), arguments)
    folders = tuple(Path(argument) for argument in leading)
    if not folders:
        return (), MaskRecipe()
    from gleam.runs import folder as run_folder

    masks = [run_folder.load_recipe(folder).mask for folder in folders]
    chosen = any(argument.startswith("--mask.") for argument in arguments)
    if len(set(masks)) > 1 and not chosen:
        raise BadInput(f"{verb}: the runs learnt different masks; choose one with --mask.kind …")
    return folders, masks[0]
