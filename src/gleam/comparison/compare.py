"""Compare schemes: measure, choose learning rates, train, score; each part resumes.

| file | what |
| --- | --- |
| comparison.yaml | the schemes, every field said |
| costs.json | memory and time of a step, measured once |
| rates/SCHEME/RATE/ | short runs that chose the learning rate |
| runs/SCHEME/seed-N/ | the runs |
"""

from dataclasses import dataclass
from pathlib import Path

import torch

from gleam.comparison import plan as plans
from gleam.comparison.measure import Entry, measure, with_steps
from gleam.comparison.plan import Plan, slug
from gleam.comparison.score import Scores, score
from gleam.comparison.training import Job, train_all
from gleam.data.example import find
from gleam.data.loader import check
from gleam.errors import BadInput
from gleam.recipe import Recipe
from gleam.training import run

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
    runs: list[Job]
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


def compare(plan: Plan, folder: Path, workers: int = 1) -> Comparison:
    """Train and score every scheme, as far as that was not done yet.

    Args:
        plan: the schemes.
        folder: of everything; made when missing.
        workers: see `train_all`.

    Raises:
        BadInput: the data do not fit the recipe; the folder holds other runs.
        Stopped: by a signal; calling again goes on.
    """
    if not plan.compare.test:
        raise BadInput("compare: say what to score on, with --test FOLDER or compare.test")
    sets = plan.base.network.sets
    tests = {name: find(path, sets) for name, path in plan.compare.test.items()}
    for examples in tests.values():
        check(examples, plan.base.mask)
    rates = {name: _rates(plan, name) for name in plan.recipes}
    if plan.base.data.validation is None and any(len(own) > 1 for own in rates.values()):
        raise BadInput("compare.learning_rates: are chosen by validation; set data.validation")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    plans.save(plan, folder / "comparison.yaml")
    entries = measure(plan, folder, device)

    trials = {
        (name, rate): Job(_trial(entry.recipe, rate), folder / "rates" / slug(name) / f"{rate:g}")
        for name, entry in entries.items()
        if entry is not None and len(rates[name]) > 1
        for rate in rates[name]
    }
    failed = train_all([*trials.values()], workers)
    tried: dict[str, dict[float, float]] = {name: {} for name in entries}
    for (name, rate), job in trials.items():
        psnr = run.read_summary(job.folder).get("best_validation_psnr_db")
        tried[name][rate] = float("-inf") if job.folder in failed or psnr is None else psnr

    recipes, jobs = dict(plan.recipes), {}
    for name, entry in entries.items():
        if entry is None:
            continue
        best = max(tried[name], key=tried[name].__getitem__, default=rates[name][0])
        recipes[name] = _with_rate(entry.recipe, best)
        seeds = min(plan.compare.seeds, plan.compare.schemes[name].seeds or plan.compare.seeds)
        first = plan.base.seed
        for seed in range(first, first + seeds):
            recipe = recipes[name].model_copy(update={"seed": seed})
            jobs[name, seed] = Job(recipe, folder / "runs" / slug(name) / f"seed-{seed}")
    failed |= train_all([*jobs.values()], workers)
    results = [
        Result(
            name=name,
            recipe=recipes[name],
            entry=entry,
            runs=[j for (n, _), j in jobs.items() if n == name and j.folder not in failed],
            failed=[
                failed[j.folder] for (n, _), j in jobs.items() if n == name and j.folder in failed
            ],
            trials=tried[name],
        )
        for name, entry in entries.items()
    ]
    runs = {result.name: [job.last for job in result.runs] for result in results if result.runs}
    scores = {
        name: score(examples, plan.base, runs, device, name) for name, examples in tests.items()
    }
    return Comparison(plan, results, scores)


def _rates(plan: Plan, name: str) -> tuple[float, ...]:
    own = plan.compare.schemes[name].learning_rates
    chosen = plan.compare.learning_rates if own is None else own
    return chosen or (plan.recipes[name].training.learning_rate,)


def _with_rate(recipe: Recipe, rate: float) -> Recipe:
    training = recipe.training.model_copy(update={"learning_rate": rate})
    return recipe.model_copy(update={"training": training})


def _trial(recipe: Recipe, rate: float) -> Recipe:
    return with_steps(_with_rate(recipe, rate), max(1, recipe.training.steps // TRIAL))
