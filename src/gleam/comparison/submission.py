"""A comparison's work as arrays of jobs on a cluster, through submitit (the extra `slurm`).

The program that submits waits: it measures in one job, tries the learning rates in an array, trains
in another, and scores when all have ended. When it is stopped, its jobs are cancelled; the same
command goes on with what they left.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import yaml

from gleam.errors import BadInput, Stopped
from gleam.words import not_installed

Item = TypeVar("Item")
Result = TypeVar("Result")

USUAL = {"name": "gleam", "timeout_min": 24 * 60}  # as submitit calls them


@dataclass(frozen=True)
class Submission:
    """The cluster's queue that jobs go to.

    Attributes:
        cluster: "slurm"; or "local": processes of this machine, to try it out.
        folder: of the jobs' logs.
        options: submitit's parameters, such as {"slurm_partition": "gpu", "gpus_per_node": 1,
            "timeout_min": 240, "slurm_array_parallelism": 16}.
    """

    cluster: str
    folder: Path
    options: Mapping[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Make sure that jobs can be submitted, before anything is made.

        Raises:
            BadInput: submitit is not installed; there is no such cluster; an option is none of
                its own.
        """
        self._executor()

    def each(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        lost: Callable[[Item, str], Result],
    ) -> Iterator[Result]:
        """The function's results, in whatever order they come; each item is a job of an array.

        Args:
            function: it, the items and the results can be pickled.
            items: may be none.
            lost: makes the result of an item whose job failed; told of what.

        Raises:
            BadInput, Stopped: by the function.
        """
        if not items:
            return
        helpers = import_module("submitit.helpers")
        executor = self._executor()
        jobs = executor.map_array(partial(_kept, function), list(items))
        of = {job.job_id: item for job, item in zip(jobs, items, strict=True)}
        try:
            for job in helpers.as_completed(jobs):
                failure = job.exception()
                found = lost(of[job.job_id], _cause(failure)) if failure else job.result()
                if isinstance(found, BadInput | Stopped):
                    raise found
                yield found
        except BaseException:
            for job in jobs:
                with suppress(Exception):  # what has ended cannot be cancelled
                    job.cancel()
            raise

    def _executor(self) -> Any:
        try:
            submitit = import_module("submitit")
        except ImportError as error:
            raise BadInput(f"compare: --submit {not_installed('submitit', 'slurm')}") from error
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            executor = submitit.AutoExecutor(folder=self.folder, cluster=self.cluster)
            executor.update_parameters(**{**USUAL, **self.options})
        except (RuntimeError, NameError, ValueError, TypeError) as error:
            text = " ".join(str(error).split())
            raise BadInput(f"compare: --submit {self.cluster}: {text}") from error
        return executor


def options_of(text: Sequence[str]) -> dict[str, Any]:
    """Parameters as the command line has them, NAME=VALUE each; values are YAML's.

    >>> options_of(["slurm_partition=gpu", "timeout_min=240"])
    {'slurm_partition': 'gpu', 'timeout_min': 240}

    Raises:
        BadInput: one has no value.
    """
    options = {}
    for one in text:
        name, equals, value = one.partition("=")
        if not name or not equals:
            raise BadInput(f"compare: --submit-options {one}: say NAME=VALUE, as timeout_min=240")
        options[name] = yaml.safe_load(value)
    return options


def _kept(function: Callable[[Item], Result], item: Item) -> Result | BadInput | Stopped:
    """The result, or what is to be raised where the job is waited for; submitit keeps text only."""
    try:
        return function(item)
    except (BadInput, Stopped) as error:
        return error


def _cause(failure: BaseException) -> str:
    """The cause of a job's failure, in a line: the last of its trace, which submitit frames with
    dashes."""
    lines = [line.strip() for line in str(failure).splitlines() if line.strip()]
    frames = [n for n, line in enumerate(lines) if set(line) == {"-"}]
    return lines[frames[-1] - 1] if len(frames) > 1 else " ".join(lines)
