"""Compare schemes: measure, choose learning rates, train, score; each part resumes.

| file | what |
| --- | --- |
| comparison.yaml | the schemes, every field said |
| costs.json | memory and time of a step, measured once |
| rates/SCHEME/RATE/ | short runs that chose the learning rate |
| runs/SCHEME/seed-N/ | the runs |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gleam.comparison import plan as plans
from gleam.comparison.measure import Entry, measure
from gleam.comparison.plan import Plan, slug
from gleam.comparison.score import Scores, score
from gleam.comparison.submission import Submission
from gleam.comparison.training import TrainingJob, train_all
from gleam.data.example import ExampleFile, find
from gleam.data.loader import check
from gleam.data.trained_on import TrainedOn
from gleam.data.versions import check_versions
from gleam.device import choose, described
from gleam.errors import BadInput, Stopped
from gleam.recipe import Recipe
from gleam.runs import folder as run_folder
from gleam.runs.data import find_data
from gleam.terminal import say, warn

TRIAL = 4  # a learning rate is tried for one in so many steps


@dataclass(frozen=True)
class Result:
    """A scheme and what came of it.

    Attributes:
        name: the scheme's.
        recipe: as trained, on the first seed; of one that does not fit, as asked for.
        entry: what it costs; None where it does not fit.
        runs: a seed each; without those that diverged.
        failed: why others did.
        trials: validation PSNR by learning rate tried; −∞ where it diverged.
    """

    name: str
    recipe: Recipe
    entry: Entry | None
    runs: list[TrainingJob]
    failed: list[str]
    trials: dict[float, float]


@dataclass(frozen=True)
class Comparison:
    """All that was found.

    Attributes:
        plan: what was compared.
        results: a scheme each, the one compared against first.
        scores: by test set.
    """

    plan: Plan
    results: list[Result]
    scores: dict[str, Scores]


def compare(
    plan: Plan,
    folder: Path,
    workers: int = 1,
    force: bool = False,
    device: str = "auto",
    submission: Submission | None = None,
) -> Comparison:
    """Train and score every scheme, as far as that was not done yet.

    Args:
        plan: the schemes.
        folder: of everything; made when missing.
        workers: see `train_all`.
        force: replace runs of other recipes; and score on scans that are learnt from, and on other
            kinds of scans than those.
        device: where to compute, see `gleam.device`.
        submission: measures and trains in jobs of a cluster; scores are computed here.

    Raises:
        BadInput: the data do not fit the recipe, or are no test of it; the folder holds other
            runs.
        Stopped: by a signal; calling again goes on.
    """
    if not plan.compare.test:
        raise BadInput("compare: say what to score on, with --test FOLDER or compare.test")
    sets = plan.base.network.sets
    tests = {name: find(path, sets) for name, path in plan.compare.test.items()}
    for examples in tests.values():
        check(examples, plan.base.mask)
    _check_tests(plan, tests, force)
    rates = {name: _rates(plan, name) for name in plan.recipes}
    if plan.base.data.validation is None and any(len(own) > 1 for own in rates.values()):
        raise BadInput("compare.learning_rates: are chosen by validation; set data.validation")
    place = choose(device)
    say(f"comparing on {described(place)}")
    plans.save(plan, folder / "comparison.yaml")
    if submission is None:
        entries = measure(plan, folder, place)
    else:
        there = partial(_measured, folder=folder, device=device)
        (entries,) = submission.each(there, [plan], _unmeasured)

    fitting = {name: entry.recipe for name, entry in entries.items() if entry is not None}
    trials = {
        name: {
            rate: TrainingJob(_trial(recipe, rate), folder / "rates" / slug(name) / f"{rate:g}")
            for rate in rates[name]
        }
        for name, recipe in fitting.items()
        if len(rates[name]) > 1
    }
    train = partial(train_all, workers=workers, force=force, device=device, submission=submission)
    failed = train([job for own in trials.values() for job in own.values()])
    tried = {
        name: {rate: _psnr(job, failed) for rate, job in own.items()}
        for name, own in trials.items()
    }
    recipes = {
        name: _with_rate(recipe, max(tried[name], key=tried[name].__getitem__))
        if name in tried
        else _with_rate(recipe, *rates[name])
        for name, recipe in fitting.items()
    }
    jobs = {
        name: [
            TrainingJob(
                recipe.changed(seed=seed),
                folder / "runs" / slug(name) / f"seed-{seed}",
            )
            for seed in plan.seeds(name)
        ]
        for name, recipe in recipes.items()
    }
    failed |= train([job for own in jobs.values() for job in own])
    results = [
        Result(
            name=name,
            recipe=recipes.get(name, plan.recipes[name]),
            entry=entry,
            runs=[job for job in jobs.get(name, []) if job.folder not in failed],
            failed=[failed[job.folder] for job in jobs.get(name, []) if job.folder in failed],
            trials=tried.get(name, {}),
        )
        for name, entry in entries.items()
    ]
    runs = {result.name: [job.last for job in result.runs] for result in results if result.runs}
    scores = {
        name: score(examples, plan.base, runs, place, name) for name, examples in tests.items()
    }
    return Comparison(plan, results, scores)


def _measured(plan: Plan, folder: Path, device: str) -> dict[str, Entry | None]:
    """`measure`, on the device of the machine that a job has."""
    return measure(plan, folder, choose(device))


def _unmeasured(plan: Plan, cause: str) -> dict[str, Entry | None]:
    raise Stopped(f"compare: measuring {plan.against} and the rest failed: {cause}")


def _check_tests(plan: Plan, tests: Mapping[str, Sequence[ExampleFile]], force: bool) -> None:
    """Make sure that what will be trained can be scored; warn of what may mislead."""
    learnt: dict[str, TrainedOn] = {}
    for name, recipe in plan.recipes.items():
        own = find_data(recipe).trained_on()
        if own not in learnt.values():  # all, unless some start from other runs
            learnt[name] = own
    for test, examples in tests.items():
        old = check_versions(examples)
        if old is not None:
            warn(f"compare.test.{test}", [old])
        for name, own in learnt.items():
            warn(name, own.check_test(name, examples, plan.base.mask, force))


def _psnr(job: TrainingJob, failed: Mapping[Path, str]) -> float:
    """The best on validation, in dB; −∞ where the run diverged."""
    best = run_folder.best_validation(run_folder.read_summary(job.folder))
    return float("-inf") if job.folder in failed or best is None else best


def _rates(plan: Plan, name: str) -> tuple[float, ...]:
    own = plan.compare.schemes[name].learning_rates
    chosen = plan.compare.learning_rates if own is None else own
    return chosen or (plan.recipes[name].training.learning_rate,)


def _with_rate(recipe: Recipe, rate: float) -> Recipe:
    return recipe.changed(training={"learning_rate": rate})


def _trial(recipe: Recipe, rate: float) -> Recipe:
    return _with_rate(recipe, rate).lasting(max(1, recipe.training.steps // TRIAL))
