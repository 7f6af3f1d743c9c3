"""gleam evaluate: trained runs and baselines on test examples."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from gleam.cli.arguments import Device, parse
from gleam.data.example import ExampleFile, find
from gleam.data.loader import check, every_slice
from gleam.data.versions import check_versions
from gleam.device import choose, described
from gleam.errors import BadInput
from gleam.evaluation.evaluate import evaluate
from gleam.evaluation.fastmri import references
from gleam.evaluation.methods import baselines
from gleam.evaluation.methods import trained as method
from gleam.evaluation.page import check_libraries
from gleam.evaluation.report import write_report
from gleam.evaluation.runs import summary_of
from gleam.evaluation.tables import fastmri_means, terminal_table, write_tables
from gleam.files import check_new, make_folder
from gleam.recipe import MaskRecipe
from gleam.terminal import followed, say, warn
from gleam.training import run


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
    """Example files to test on: a folder or a file."""
    raw: Path | None = None
    """Folder of the raw fastMRI files of these examples: also score as fastMRI does, against their
    reconstruction_rss, into fastmri.csv."""
    out: Path = Path("evaluation")
    """Folder of the results."""
    device: Device = "auto"
    force: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Replace the results that are there; and score runs on scans that they were trained on, and on
    other kinds of scans than those."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the summary as JSON."""
    mask: MaskRecipe = field(default_factory=MaskRecipe)
    """The mask that scans are undersampled by: the one that the runs learnt with, unless you say
    another; without a run, the one below."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    folders = [Path(a) for a in _leading(arguments)]
    trained = {folder: run.load_run(folder) for folder in folders}
    mask = next((recipe.mask for recipe, _ in trained.values()), MaskRecipe())
    default = Arguments(mask=mask)
    a = parse(Arguments, "evaluate", arguments, default)
    if list(a.runs) != folders:
        raise BadInput("evaluate: give the run folders first, before all options")
    device = choose(a.device)
    if a.data is None:
        raise BadInput("evaluate: say what to test on, with --data FOLDER")
    chosen = any(argument.startswith("--mask.") for argument in arguments)
    if len({recipe.mask for recipe, _ in trained.values()}) > 1 and not chosen:
        raise BadInput("evaluate: the runs learnt different masks; choose one with --mask.kind …")
    if run.is_there(a.out):
        raise BadInput(f"{a.out}: is a run; give the results another folder with --out")
    check_new(a.out / "summary.json", a.force)
    check_libraries()
    sets = {recipe.network.sets for recipe, _ in trained.values()}
    if len(sets) > 1:
        raise BadInput("evaluate: the runs have different network.sets; evaluate them apart")
    examples = find(a.data, *sets)
    check(examples, a.mask)
    raw = {} if a.raw is None else references(a.raw, examples)
    test = _check(folders, examples, a.mask, a.force)
    names = _names(folders)
    methods = [
        *baselines(device, examples),
        *(method(names[folder], network, device) for folder, (_, network) in trained.items()),
    ]
    slices = sum(example.shape[0] for example in examples)
    make_folder(a.out)
    say(f"evaluating on {described(device)}")
    batches = followed(every_slice(examples, a.mask), "evaluating", slices)
    evaluation = evaluate(methods, batches, raw=raw)
    write_tables(evaluation, a.out)
    summaries = [summary_of(folder, names[folder], trained[folder][0]) for folder in folders]
    title = f"{a.mask.kind} mask, {a.mask.acceleration:g}×"
    if not test:
        title += ", on scans that networks were made with"
    write_report(a.out / "report.html", evaluation, summaries, title)
    if a.json:
        print(json.dumps(json.loads((a.out / "summary.json").read_text())))
    else:
        Console().print(terminal_table(evaluation))
        for name, means in fastmri_means(evaluation).items():
            said = ", ".join(f"{metric.upper()} {mean:.4g}" for metric, mean in means.items())
            print(f"as fastMRI scores, {name}: {said}")
        print(f"report: {a.out / 'report.html'}")


def _check(
    folders: Sequence[Path], examples: Sequence[ExampleFile], mask: MaskRecipe, force: bool
) -> bool:
    """Make sure that the examples are a test of each run; warn of what may mislead.

    Returns:
        Whether they are one: whether no run has seen any of them.
    """
    old, test = check_versions(examples), True
    if old is not None:
        warn("--data", [old])
    for folder in folders:
        learnt = run.read_trained_on(folder)
        warn(str(folder), learnt.check_test(str(folder), examples, mask, force))
        test = test and not learnt.seen(examples)
    return test


def _leading(arguments: Sequence[str]) -> list[str]:
    stop = next((i for i, a in enumerate(arguments) if a.startswith("-")), len(arguments))
    return list(arguments[:stop])


def _names(folders: Sequence[Path]) -> dict[Path, str]:
    """The shortest tails of the paths that tell them apart."""
    for depth in range(1, 9):
        names = {folder: "/".join(folder.resolve().parts[-depth:]) for folder in folders}
        if len(set(names.values())) == len(folders):
            return names
    raise BadInput("evaluate: two of the runs are the same folder; give each once")
