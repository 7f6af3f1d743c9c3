"""gleam evaluate: trained runs and baselines on test examples."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import torch
import tyro
from rich.console import Console

from gleam.arrays import Image
from gleam.cli.arguments import parse
from gleam.data.example import find
from gleam.data.loader import check, every_slice
from gleam.errors import BadInput
from gleam.evaluation.evaluate import Method, evaluate
from gleam.evaluation.plots import Curve
from gleam.evaluation.report import RunSummary, check_libraries, write_report
from gleam.evaluation.tables import terminal_table, write_tables
from gleam.files import make_folder
from gleam.networks import Unrolled
from gleam.physics.measurement import Measurement
from gleam.recipe import MaskRecipe, Recipe
from gleam.reconstruction.baselines import cg_sense, zero_filled
from gleam.terminal import followed
from gleam.training import run


@dataclass(frozen=True)
class Arguments:
    """Score trained runs beside zero filling and CG-SENSE, with one fixed mask per scan.

    Writes report.html, metrics.csv (a row per slice), scans.csv and summary.json.

    Example: gleam evaluate runs/greedy runs/end-to-end --data prepared/test --out evaluation
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders; their names become the methods' names."""
    data: Path | None = None
    """Example files to test on: a folder or a file."""
    out: Path = Path("evaluation")
    """Folder of the results."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the summary as JSON."""
    mask: MaskRecipe = field(default_factory=MaskRecipe)


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    folders = [Path(a) for a in _leading(arguments)]
    if not folders and not {"-h", "--help"} & set(arguments):
        raise BadInput("evaluate: give the run folders first, at least one")
    trained = {folder: run.load_run(folder) for folder in folders}
    mask = next((recipe.mask for recipe, _ in trained.values()), MaskRecipe())
    default = Arguments((), mask=mask)
    a = parse(Arguments, "evaluate", arguments, default)
    if a.data is None:
        raise BadInput("evaluate: say what to test on, with --data FOLDER")
    chosen = any(argument.startswith("--mask.") for argument in arguments)
    if len({recipe.mask for recipe, _ in trained.values()}) > 1 and not chosen:
        raise BadInput("evaluate: the runs learnt different masks; choose one with --mask.kind …")
    if (a.out / "recipe.yaml").exists():
        raise BadInput(f"{a.out}: is a run; give the results another folder with --out")
    check_libraries()
    sets = {recipe.network.sets for recipe, _ in trained.values()}
    if len(sets) > 1:
        raise BadInput("evaluate: the runs have different network.sets; evaluate them apart")
    examples = find(a.data, sets.pop())
    check(examples, a.mask)
    names = _names(folders)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    methods = [
        Method("zero-filled", _single(zero_filled, device)),
        Method("CG-SENSE", _single(cg_sense, device)),
        *(
            Method(names[folder], _network(network.to(device), device))
            for folder, (_, network) in trained.items()
        ),
    ]
    slices = sum(example.shape[0] for example in examples)
    make_folder(a.out)
    batches = followed(every_slice(examples, a.mask), "evaluating", slices)
    evaluation = evaluate(methods, batches)
    write_tables(evaluation, a.out)
    summaries = [summary_of(folder, names[folder], trained[folder][0]) for folder in folders]
    title = f"{a.mask.kind} mask, {a.mask.acceleration:g}×"
    write_report(a.out / "report.html", evaluation, summaries, title)
    if a.json:
        print(json.dumps(json.loads((a.out / "summary.json").read_text())))
    else:
        Console().print(terminal_table(evaluation))
        print(f"report: {a.out / 'report.html'}")


def summary_of(folder: Path, name: str, recipe: Recipe) -> RunSummary:
    """How a run was trained, from its folder."""
    summary, rows = run.read_summary(folder), run.read_metrics(folder)
    sizes = recipe.module_sizes()
    losses = tuple(
        Curve(
            f"module {module}",
            [row.step for row in rows if (row.metric, row.index) == ("loss", module)],
            [row.value for row in rows if (row.metric, row.index) == ("loss", module)],
        )
        for module in range(len(sizes))
    )
    last = recipe.network.iterations - 1
    psnr = [row for row in rows if (row.metric, row.index) == ("psnr", last)]
    return RunSummary(
        name=name,
        scheme=describe(recipe),
        parameters=summary.get("parameters", 0),
        peak_bytes=summary.get("peak_memory_bytes"),
        seconds_per_step=summary.get("seconds_per_step"),
        losses=losses,
        validation=Curve(name, [r.step for r in psnr], [r.value for r in psnr]) if psnr else None,
    )


def describe(recipe: Recipe) -> str:
    """The training scheme in words."""
    sizes, storage = recipe.module_sizes(), recipe.training.storage
    family = {"modl": "MoDL", "pgd": "PGD"}[recipe.network.family]
    how = "" if storage == "store" else f", {storage}"
    if len(sizes) == 1:
        return f"{family}, end-to-end, {sizes[0]} iterations{how}"
    each = str(sizes[0]) if len(set(sizes)) == 1 else "+".join(map(str, sizes))
    return f"{family}, greedy, {len(sizes)} modules of {each} iterations{how}"


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


def _single(
    method: Callable[[Measurement], Image], device: str
) -> Callable[[Measurement], Iterator[Image]]:
    return lambda measurement: iter([method(measurement.to(device))])


def _network(network: Unrolled, device: str) -> Callable[[Measurement], Iterator[Image]]:
    return lambda measurement: network.iterates(measurement.to(device))
