"""Runs scored beside the baselines on a test set, as far as their results are not kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gleam.data.example import ExampleFile, find
from gleam.data.loader import check
from gleam.data.versions import check_versions
from gleam.device import choose, described
from gleam.errors import BadInput
from gleam.evaluation.agreement import checked
from gleam.evaluation.evaluate import baselines
from gleam.evaluation.fastmri import references
from gleam.evaluation.kept import Kept, evaluate_kept
from gleam.evaluation.result import Evaluation
from gleam.files import make_folder
from gleam.recipe import MaskRecipe
from gleam.reconstruction.checked import write
from gleam.reconstruction.reconstructor import Reconstructor, Trained
from gleam.report.checks import FILE, kept_checks
from gleam.report.page import check_libraries
from gleam.report.training import RunSummary, summary_of
from gleam.runs import folder as run_folder
from gleam.runs.run import Run
from gleam.terminal import counted, followed, say, warn
from gleam.words import nearest


@dataclass(frozen=True)
class Evaluated:
    """The content of a report: scores, how the runs were trained, and a title."""

    evaluation: Evaluation
    runs: list[RunSummary]
    title: str


def evaluated(
    runs: Sequence[Path],
    data: Path,
    mask: MaskRecipe,
    place: str,
    force: bool,
    kept: Kept,
    raw: Path | None = None,
    scans: Sequence[str] = (),
    checks: bool = False,
) -> Evaluated:
    """Score runs beside the baselines, as far as their results are not kept.

    Args:
        runs: their folders.
        data: examples to test on.
        mask: of every scan.
        place: where to compute, see `gleam.device`.
        force: score on scans that were learnt from, and on other kinds of scans.
        kept: results that are there; of a folder that is made.
        raw: folder of raw fastMRI files.
        scans: names of those to score on; all by default.
        checks: check the scans without the truth, too; else what check.json in the folder says.

    Raises:
        BadInput: the data are no test of the runs.
    """
    device, out = choose(place), kept.folder.parent
    trained = {folder: Run(folder) for folder in runs}
    networks = {folder: one.network for folder, one in trained.items()}
    check_libraries()
    sets = {one.recipe.network.sets for one in trained.values()}
    if len(sets) > 1:
        raise BadInput("the runs have different network.sets; evaluate them apart")
    examples = _named(find(data, *sets), scans)
    check(examples, mask)
    fastmri = {} if raw is None else references(raw, examples)
    test = _check(runs, examples, mask, force)
    names = names_of(runs)
    methods = baselines(device, examples)
    marks = dict.fromkeys(methods, "")
    for folder, network in networks.items():
        title = names[folder]
        if title in methods:
            raise BadInput(f"{folder}: is called as a baseline is, {title}; rename the folder")
        known = trained[folder].trained_on
        methods[title] = Trained(
            title,
            network,
            sets=trained[folder].recipe.network.sets,
            trained_on=known,
            force=force,
            device=device,
        )
        marks[title] = trained[folder].recipe.network.model_dump_json()
    make_folder(out)
    say(f"evaluating on {described(device)}")
    with counted("evaluating", sum(example.shape[0] for example in examples)) as done:
        evaluation = evaluate_kept(methods, examples, mask, kept, marks, raw=fastmri, done=done)
    if checks:
        _add_checks(evaluation, methods, examples, mask)
        write(out / FILE, evaluation.checks)
    else:
        evaluation.checks.extend(kept_checks(out, evaluation))
    title = f"{mask.kind} mask, {mask.acceleration:g}×"
    if not test:
        title += ", on scans that networks were made with"
    summaries = [summary_of(folder, names[folder], trained[folder].recipe) for folder in runs]
    return Evaluated(evaluation, summaries, title)


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


def _named(examples: Sequence[ExampleFile], scans: Sequence[str]) -> list[ExampleFile]:
    """Those of the scans that are named; all where none is."""
    known = [example.header.name for example in examples]
    for name in scans:
        if name not in known:
            raise BadInput(f"--scans {name}: no such scan; {nearest(name, known)}")
    return [one for one in examples if not scans or one.header.name in scans]


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


def names_of(folders: Sequence[Path]) -> dict[Path, str]:
    """The shortest tails of the paths that tell them apart."""
    for depth in range(1, 9):
        names = {folder: "/".join(folder.resolve().parts[-depth:]) for folder in folders}
        if len(set(names.values())) == len(folders):
            return names
    raise BadInput("two of the runs are the same folder; give each once")
