"""gleam compare: training schemes side by side."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from gleam.cli.arguments import Device, parse
from gleam.comparison import plan as plans
from gleam.comparison.compare import compare
from gleam.comparison.plan import Plan
from gleam.comparison.report import write_report
from gleam.comparison.tables import devices_table, summary, terminal_table, write_tables
from gleam.device import choose
from gleam.errors import BadInput
from gleam.evaluation.page import check_libraries
from gleam.files import make_folder
from gleam.recipe import Recipe
from gleam.recipe import read as read_recipe
from gleam.terminal import say
from gleam.training import run
from gleam.training.rehearsal import Rehearsal, not_there, rehearse


@dataclass(frozen=True)
class Arguments:
    """Train schemes at equal memory, equal steps or equal wall-clock, score and report them.

    The recipe's part `compare` lists the schemes, test sets, seeds and learning rates (see
    docs/compare.md). A recipe without one is compared with its rivals: end-to-end, checkpointing,
    the reversible network, shallow and narrow networks. Stop it with Ctrl-C; the same command goes
    on, and what was trained is not trained again.

    Example: gleam compare recipes/study/modl.yaml --out comparison --workers 2
    """

    file: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="RECIPE")] = None
    """Recipe, a .yaml file; any of its fields can be said here instead."""
    out: Path = Path("comparison")
    """Folder of everything."""
    schemes: tuple[str, ...] = ()
    """Only these; by default all."""
    seeds: int | None = None
    """Networks of each scheme; by default what the recipe says."""
    test: tuple[Path, ...] = ()
    """Folders of example files to score on, by their own names, instead of the recipe's."""
    workers: int = 1
    """Runs trained at a time, each in its own process and with one thread."""
    device: Device = "auto"
    devices: int = 1
    """Also time a greedy scheme on so many devices of this machine (processes, where it has no
    GPUs): parallel GLEAM, end-to-end in a pipeline, and data parallelism."""
    dry_run: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Only try every scheme out, on a tiny simulated scan: no data are needed, nothing is
    written."""
    force: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Replace runs of other recipes that are there; and score on scans that are learnt from, and on
    other kinds of scans than those."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as JSON."""
    recipe: Annotated[Recipe, tyro.conf.arg(name="")] = field(default_factory=Recipe)


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    named = next((Path(a) for a in arguments if a.endswith((".yaml", ".yml"))), None)
    base, chosen = plans.read(named) if named else (Recipe(), None)
    a = parse(Arguments, "compare", arguments, Arguments(recipe=base))
    if named is None or chosen is None or a.file != named:
        raise BadInput("compare: say which schemes, with a recipe, one .yaml file")
    choose(a.device)  # what is wrong with it is said before anything is made
    if min(a.workers, a.devices, a.seeds or 1) < 1 or a.seeds == 0:
        raise BadInput("compare: --workers, --devices and --seeds are 1 or more")
    if run.is_there(a.out):
        raise BadInput(f"{a.out}: is a run; give the comparison another folder with --out")
    changes: dict[str, object] = {} if a.seeds is None else {"seeds": a.seeds}
    if a.test:
        changes["test"] = {path.name: path for path in a.test}
    if "compare" not in read_recipe(named):
        schemes = ", ".join(chosen.schemes)
        say(f"{named}: lists no schemes, so its rivals are: {schemes}")
    plan = plans.make(a.recipe, chosen.changed(**changes), a.schemes)
    if a.dry_run:
        _dry_run(plan, a.device, a.json)
        return
    check_libraries()
    make_folder(a.out)
    comparison = compare(plan, a.out, a.workers, a.devices, a.force, a.device)
    write_tables(comparison, a.out)
    write_report(a.out / "report.html", comparison)
    if a.json:
        print(json.dumps(summary(comparison)))
    else:
        Console().print(terminal_table(comparison))
        if comparison.devices is not None:
            Console().print(devices_table(comparison.devices))
        print(f"report: {a.out / 'report.html'}")


def _dry_run(plan: Plan, device: str, as_json: bool) -> None:
    tests = {f"compare.test.{name}": path for name, path in plan.compare.test.items()}
    missing = {field: str(path) for field, path in tests.items() if not path.exists()}
    found: dict[str, Rehearsal] = {}
    tried: dict[str, Rehearsal] = {}  # schemes that differ in their budgets only are tried once
    for name, recipe in plan.recipes.items():
        said = recipe.model_dump_json()
        try:
            found[name] = tried[said] = tried.get(said) or rehearse(recipe, device)
        except BadInput as error:
            raise BadInput(f"compare.schemes.{name}: {error}") from error
        missing = found[name].missing | missing
    if as_json:
        schemes = {name: asdict(one) for name, one in found.items()}
        print(json.dumps({"schemes": schemes, "missing": missing}))
        return
    for name, one in found.items():
        print(f"{name}: {one}")
    print(not_there(missing))
