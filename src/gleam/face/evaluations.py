"""`evaluate`: trained runs beside methods without learning, scored on scans with a target."""

import os
from collections.abc import Sequence
from pathlib import Path

from gleam.errors import BadInput
from gleam.evaluation import result
from gleam.evaluation.summary import Summary, summarise
from gleam.face.words import checked_mask, in_python, path_of
from gleam.recipe import MaskRecipe
from gleam.report.made import make_evaluation
from gleam.runs.folder import load_recipe
from gleam.trust import trusting
from gleam.words import counted

Folder = str | os.PathLike[str]


class Evaluation(result.Evaluation):
    """Scores of methods on test scans; `print` shows their means.

    `slices` and `scans` are rows of scores, one for each method and slice, or scan:
    `pandas.DataFrame(found.scans)` is a table of them.

    >>> found = gleam.evaluate("runs/greedy", "examples", force=True)
    >>> found
    <Evaluation of 2 scans: zero-filled ... dB, CG-SENSE ... dB, wavelets ... dB, greedy ... dB>
    >>> found.means.means["greedy"]["ssim"]
    Estimate(mean=..., low=..., high=..., scans=2)
    >>> [score.method for score in found.scans if score["psnr_complex"] > 20]
    [...]
    """

    @property
    def means(self) -> Summary:
        """Means over scans with their intervals, and differences between methods."""
        return summarise(self.scans)

    def __repr__(self) -> str:
        means = self.means.means
        scans = counted(len({score.scan for score in self.scans}), "scan")
        said = (f"{name} {one['psnr_complex'].mean:.1f} dB" for name, one in means.items())
        return f"<Evaluation of {scans}: {', '.join(said)}>"


@in_python(out="to")
def evaluate(
    runs: Folder | Sequence[Folder],
    data: Folder,
    to: Folder = "evaluation",
    mask: MaskRecipe | None = None,
    *,
    raw: Folder | None = None,
    check: bool = False,
    device: str | None = None,
    force: bool = False,
    trust: Sequence[str] = (),
) -> Evaluation:
    """Score runs beside zero filling, CG-SENSE and wavelets; as `gleam evaluate` does.

    Tables and report.html go into a folder. PSNR of a method's complex images is in dB, relative to
    the maximum of the target; `gleam.evaluation.scores.METRICS` defines all metrics.

    >>> found = gleam.evaluate("runs/greedy", "examples", force=True)
    >>> found.methods
    ['zero-filled', 'CG-SENSE', 'wavelets', 'greedy']

    Args:
        runs: folders of runs, one or several; () scores methods without learning alone.
        data: example files to test on, of `Example.save` or `gleam prepare`: a folder of them, or
            one file. They were fully sampled, and no run has learnt from them.
        to: folder for scores and report.
        mask: undersamples the scans; by default the one that the runs learnt with.
        raw: folder of the raw fastMRI files of these examples, to score as fastMRI does, too.
        check: also check every scan without its target, as `check` does.
        device: "cpu", "cuda", "cuda:1"; by default a GPU if there is one.
        force: replace results that are there; and score on scans that were learnt from.
        trust: modules that may be imported for a run's network, by name.

    Raises:
        BadInput: a folder is no run, the data are no test of it, or results are there already.
    """
    folders = folders_of(runs)
    where = None if raw is None else Path(raw)
    with trusting(trust or trust_of(runs)):
        chosen = mask_of(folders, mask, "evaluate")
        found = make_evaluation(
            folders,
            path_of(data, "a folder of example files"),
            Path(to),
            chosen,
            device or "auto",
            force,
            where,
            check,
        )
    return Evaluation(**vars(found.evaluation))


def folders_of(runs: Folder | Sequence[Folder]) -> list[Path]:
    """One run's folder, or several."""
    several = [runs] if isinstance(runs, str | os.PathLike) else runs
    return [path_of(run, "a run, or its folder,") for run in several]


def trust_of(runs: Folder | Sequence[Folder]) -> tuple[str, ...]:
    """The modules that were trusted when these runs were opened."""
    several = [runs] if isinstance(runs, str | os.PathLike) else runs
    return tuple(dict.fromkeys(name for run in several for name in getattr(run, "trust", ())))


def mask_of(runs: Sequence[Path], mask: MaskRecipe | None, verb: str) -> MaskRecipe:
    """The mask that is given, or else the one that the runs learnt with.

    Raises:
        BadInput: none is given, and they learnt with several.
    """
    mask = checked_mask(mask)
    if mask is not None or not runs:
        return mask or MaskRecipe()
    masks = list(dict.fromkeys(load_recipe(run).mask for run in runs))
    if len(masks) > 1:
        raise BadInput(f"{verb}: the runs learnt with different masks; give mask=gleam.mask(…)")
    return masks[0]
