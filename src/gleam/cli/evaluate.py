"""gleam evaluate: trained runs and baselines on test examples."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from gleam.cli.options.evaluate import Arguments
from gleam.data.example import ExampleFile, find
from gleam.data.loader import check, every_slice
from gleam.data.versions import check_versions
from gleam.device import choose, described
from gleam.errors import BadInput
from gleam.evaluation.agreement import checked
from gleam.evaluation.evaluate import Evaluation, baselines, evaluate
from gleam.evaluation.fastmri import references
from gleam.files import check_new, make_folder
from gleam.recipe import MaskRecipe
from gleam.reconstruction.checked import write
from gleam.reconstruction.reconstructor import Reconstructor, Trained
from gleam.report.checks import shown_checks
from gleam.report.evaluation import write_report
from gleam.report.page import check_libraries
from gleam.report.tables import fastmri_means, terminal_table, write_tables
from gleam.report.training import summary_of
from gleam.runs import folder as run_folder
from gleam.runs.run import Run
from gleam.terminal import followed, say, warn


def main(a: Arguments) -> None:
    """Run the verb."""
    assert a.data is not None
    device = choose(a.device)
    folders = list(a.runs)
    trained = {folder: Run(folder) for folder in folders}
    networks = {folder: one.network for folder, one in trained.items()}
    if run_folder.is_there(a.out):
        raise BadInput(f"{a.out}: is a run; give the results another folder with --out")
    check_new(a.out / "summary.json", a.force)
    check_libraries()
    sets = {one.recipe.network.sets for one in trained.values()}
    if len(sets) > 1:
        raise BadInput("evaluate: the runs have different network.sets; evaluate them apart")
    examples = find(a.data, *sets)
    check(examples, a.mask)
    raw = {} if a.raw is None else references(a.raw, examples)
    test = _check(folders, examples, a.mask, a.force)
    names = _names(folders)
    methods = baselines(device, examples)
    for folder, network in networks.items():
        title = names[folder]
        if title in methods:
            raise BadInput(f"{folder}: is called as a baseline is, {title}; rename the folder")
        known = trained[folder].trained_on
        methods[title] = Trained(title, network, trained_on=known, force=a.force, device=device)
    slices = sum(example.shape[0] for example in examples)
    make_folder(a.out)
    say(f"evaluating on {described(device)}")
    batches = followed(every_slice(examples, a.mask), "evaluating", slices)
    evaluation = evaluate(methods, batches, raw=raw)
    if a.check:
        _add_checks(evaluation, methods, examples, a.mask)
        write(a.out / "check.json", evaluation.checks)
    write_tables(evaluation, a.out)
    summaries = [summary_of(folder, names[folder], trained[folder].recipe) for folder in folders]
    title = f"{a.mask.kind} mask, {a.mask.acceleration:g}×"
    if not test:
        title += ", on scans that networks were made with"
    write_report(a.out / "report.html", evaluation, summaries, title)
    if a.json:
        print(json.dumps(json.loads((a.out / "summary.json").read_text())))
    else:
        Console().print(terminal_table(evaluation))
        shown = shown_checks(evaluation)
        if shown is not None:
            print(shown["agreement"])
        for name, means in fastmri_means(evaluation).items():
            said = ", ".join(f"{metric.upper()} {mean:.4g}" for metric, mean in means.items())
            print(f"as fastMRI scores, {name}: {said}")
        print(f"report: {a.out / 'report.html'}")


def _add_checks(
    evaluation: Evaluation,
    methods: Mapping[str, Reconstructor],
    examples: Sequence[ExampleFile],
    mask: MaskRecipe,
) -> None:
    """Check the scans without the truth; warn of those that cannot be."""
    asked = checked({name: methods[name] for name in evaluation.methods}, examples, mask)
    for scan, found in followed(asked, "checking", len(examples)):
        if isinstance(found, str):
            warn(scan, [f"is not checked: {found}"])
        else:
            evaluation.checks.append(found)


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
        learnt = run_folder.read_trained_on(folder)
        warn(str(folder), learnt.check_test(str(folder), examples, mask, force))
        test = test and not learnt.seen(examples)
    return test


def _names(folders: Sequence[Path]) -> dict[Path, str]:
    """The shortest tails of the paths that tell them apart."""
    for depth in range(1, 9):
        names = {folder: "/".join(folder.resolve().parts[-depth:]) for folder in folders}
        if len(set(names.values())) == len(folders):
            return names
    raise BadInput("evaluate: two of the runs are the same folder; give each once")
