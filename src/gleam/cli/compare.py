"""gleam compare: training schemes side by side."""

import json
from dataclasses import asdict

from rich.console import Console

from gleam import trust
from gleam.cli.options.compare import Arguments
from gleam.comparison import plan as plans
from gleam.comparison.compare import compare
from gleam.comparison.plan import Plan
from gleam.comparison.submission import Submission, options_of
from gleam.device import choose
from gleam.errors import BadInput
from gleam.files import check_new, make_folder
from gleam.recipe import read as read_recipe
from gleam.report.comparison import write_report
from gleam.report.comparison_tables import summary, terminal_table, write_tables
from gleam.report.made import FILE
from gleam.report.page import check_libraries
from gleam.runs import folder as run_folder
from gleam.runs.dry_run import Rehearsal, not_there, rehearse
from gleam.terminal import say


def main(a: Arguments) -> None:
    """Run the verb."""
    assert a.file is not None
    _, chosen = plans.read(a.file)
    choose(a.device)  # what is wrong with it is said before anything is made
    if min(a.workers, a.seeds or 1) < 1 or a.seeds == 0:
        raise BadInput("compare: --workers and --seeds are 1 or more")
    if a.submit_options and a.submit is None:
        raise BadInput("compare: --submit-options are of the jobs that --submit sends to a cluster")
    if a.submit is not None and a.workers != 1:
        raise BadInput("compare: --workers are processes here, and --submit trains elsewhere")
    if run_folder.is_there(a.out):
        raise BadInput(f"{a.out}: is a run; give the comparison another folder with --out")
    changes: dict[str, object] = {} if a.seeds is None else {"seeds": a.seeds}
    if a.test:
        changes["test"] = {path.name: path for path in a.test}
    if "compare" not in read_recipe(a.file):
        schemes = ", ".join(chosen.schemes)
        say(f"{a.file}: lists no schemes, so its rivals are: {schemes}")
    plan = plans.make(a.recipe, chosen.changed(**changes), a.schemes)
    for recipe in plan.recipes.values():
        trust.check(recipe.network.build)
    if a.dry_run:
        _dry_run(plan, a.device, a.json)
        return
    check_libraries()
    if not (a.out / "comparison.yaml").is_file():  # of an earlier comparison they are made anew
        check_new(a.out / FILE, a.force, beside=[a.out / "summary.json"])
    make_folder(a.out)
    submission = None
    if a.submit is not None:
        submission = Submission(a.submit, a.out / "jobs", options_of(a.submit_options))
        submission.check()
    comparison = compare(plan, a.out, a.workers, a.force, a.device, submission)
    write_tables(comparison, a.out)
    write_report(a.out / FILE, comparison)
    if a.json:
        print(json.dumps(summary(comparison)))
    else:
        Console().print(terminal_table(comparison))
        print(f"report: {a.out / FILE}")


def _dry_run(plan: Plan, device: str, as_json: bool) -> None:
    tests = {f"compare.test.{name}": path for name, path in plan.compare.test.items()}
    missing = {field: str(path) for field, path in tests.items() if not path.exists()}
    found: dict[str, Rehearsal] = {}
    tried: dict[str, Rehearsal] = {}  # schemes that differ in their budgets only are tried once
    for name, recipe in plan.recipes.items():
        key = recipe.model_dump_json()
        try:
            found[name] = tried[key] = tried.get(key) or rehearse(recipe, device)
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
