"""Placement of a run on processes: the modules that each holds, and the number of replicas."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from gleam.errors import BadInput
from gleam.recipe import Recipe
from gleam.training.timing import interleaved

REPEATS = 3
LONGEST = 1e6  # seconds of patience


@dataclass(frozen=True)
class Placement:
    """A run's division over processes, as asked for; the same in every process.

    Attributes:
        replicas: pipelines, among which the slices of a batch are divided.
        split: modules of each process of a pipeline; None to go by their measured cost.
        timeout: seconds after which a process that does not answer counts as lost.
        device: that each process computes on, see `gleam.device`.
    """

    replicas: int = 1
    split: Sequence[int] | None = None
    timeout: float = 600.0
    device: str = "auto"

    def check(self, recipe: Recipe, processes: int) -> None:
        """Make sure that a recipe can be trained so.

        Raises:
            BadInput: it cannot.
        """
        if not 1 <= self.timeout <= LONGEST:
            raise BadInput(f"a timeout of {self.timeout:g} s cannot be; give 1 to {LONGEST:.0f} s")
        if self.replicas < 1 or processes % self.replicas:
            raise BadInput(f"{processes} processes cannot form {self.replicas} equal replicas")
        if recipe.training.polish and processes > 1:
            raise BadInput(
                "training.polish is for one process; train without it, and then: gleam train "
                f"--start RUN --polish {recipe.training.polish}"
            )
        if recipe.training.stages and processes > 1:
            raise BadInput(
                "training.stages are for one process; train without them, and then each: "
                "gleam train --start RUN --grow N --copy"
            )
        if recipe.data.batch % self.replicas:
            raise BadInput(
                f"data.batch: {recipe.data.batch} cannot be divided among {self.replicas} replicas"
            )
        pipeline_size, modules = processes // self.replicas, len(recipe.module_sizes())
        if pipeline_size > modules:
            raise BadInput(
                f"training.modules is {modules}, too few for a pipeline of {pipeline_size} "
                "processes; take more modules, fewer processes or more replicas"
            )
        if pipeline_size > 1 and recipe.training.overlap:
            raise BadInput(
                "training.overlap takes gradients from module to module, so it needs all modules "
                "in one process; use replicas only"
            )
        split = self.split
        if split and (len(split) != pipeline_size or sum(split) != modules or min(split) < 1):
            raise BadInput(
                f"a split of {' '.join(map(str, split))} does not give {modules} modules to "
                f"{pipeline_size} processes"
            )


ONE_PROCESS = Placement()


def partition(costs: Sequence[float], parts: int) -> list[int]:
    """Lengths of consecutive parts, none empty, so that the costliest is as cheap as can be."""
    ends = [0.0, *accumulate(costs)]
    # For every n: the cheapest way to divide the first n into as many parts as there are so far.
    best = {n: (ends[n], [n]) for n in range(1, len(ends))}
    for part in range(2, parts + 1):
        best = {
            n: min(
                (max(best[m][0], ends[n] - ends[m]), [*best[m][1], n - m])
                for m in range(part - 1, n)
            )
            for n in range(part, len(ends))
        }
    return best[len(costs)][1]


def fastest(works: Sequence[Callable[[], object]]) -> list[float]:
    """Seconds of each piece of work, the fastest of a few turns."""
    times = interleaved(dict(enumerate(works)), REPEATS)
    return [min(own) for own in times.values()]
