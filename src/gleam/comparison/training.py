"""The middle part of a comparison: training what was not trained yet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gleam.comparison.submission import Submission
from gleam.errors import BadInput, Diverged, Stopped
from gleam.files import check_new
from gleam.parallel.placement import Placement
from gleam.recipe import Recipe
from gleam.runs import folder as run_folder
from gleam.runs.stages import POLISHED, train_in_stages
from gleam.terminal import followed, say
from gleam.workers import map_in_processes


@dataclass(frozen=True)
class TrainingJob:
    """A run to be made: its recipe, and its folder."""

    recipe: Recipe
    folder: Path

    @property
    def last(self) -> Path:
        """The folder of the run that ends with the network asked for."""
        return self.folder / POLISHED if self.recipe.training.polish else self.folder

    def make_room(self, force: bool) -> None:
        """Have the folder hold no other run.

        Raises:
            BadInput: it holds one, and that is not to be replaced.
        """
        if run_folder.is_there(self.folder) and run_folder.load_recipe(self.folder) != self.recipe:
            other = "holds a run of another recipe than this comparison's"
            check_new(self.folder, force, other, "give another folder with --out")
            run_folder.discard(self.folder)

    @property
    def done(self) -> bool:
        """Whether it was trained, and polished, to its last step."""
        polish = self.recipe.training.polish
        return run_folder.finished(self.folder, self.recipe.training.steps) and (
            not polish or run_folder.finished(self.last, polish)
        )


@dataclass(frozen=True)
class _Outcome:
    """The end of a job: well, or with an error, which is kept to be raised by the parent."""

    job: TrainingJob
    error: BadInput | Stopped | None = None


def train_all(
    jobs: Sequence[TrainingJob],
    workers: int,
    force: bool = False,
    device: str = "auto",
    submission: Submission | None = None,
) -> dict[Path, str]:
    """Train what is not trained yet; whatever was begun goes on.

    Args:
        jobs: all folders different.
        workers: processes, each with one run at a time and one thread. A single one trains in this
            process, with all threads.
        force: replace runs of other recipes.
        device: where to train, see `gleam.device`.
        submission: trains each as a job of a cluster, instead of here.

    Returns:
        By folder, why a run that diverged did so.

    Raises:
        BadInput: see `TrainingJob.make_room` and `gleam.runs.stages.train_in_stages`.
        Stopped: a run was stopped by a signal, or its process died.
    """
    for job in jobs:
        job.make_room(force)
    waiting = [job for job in jobs if not job.done]
    quietly = partial(_train, device=device, quiet=True)
    outcomes: Iterable[_Outcome] = map(partial(_alone, device=device), waiting)
    if submission is not None:
        trained = submission.each(quietly, waiting, _lost)
        outcomes = followed(trained, "training", len(waiting))
    elif workers > 1:
        trained = map_in_processes(quietly, waiting, workers, None, _lost)
        outcomes = followed(trained, "training", len(waiting))
    failed: dict[Path, str] = {}
    for outcome in outcomes:
        if isinstance(outcome.error, Diverged):
            failed[outcome.job.folder] = str(outcome.error)
        elif outcome.error is not None:
            raise outcome.error
    return failed


def _alone(job: TrainingJob, device: str) -> _Outcome:
    say(f"training {job.folder}")
    return _train(job, device)


def _train(job: TrainingJob, device: str, quiet: bool = False) -> _Outcome:
    begun = run_folder.is_there(job.folder)
    try:
        placement = Placement(device=device)
        train_in_stages(job.recipe, job.folder, resume=begun, quiet=quiet, placement=placement)
    except (BadInput, Stopped) as error:
        return _Outcome(job, error)
    return _Outcome(job)


def _lost(job: TrainingJob, cause: str) -> _Outcome:
    return _Outcome(job, Stopped(f"{job.folder}: its process died of {cause}; run it again"))
