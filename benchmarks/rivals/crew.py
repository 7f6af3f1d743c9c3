"""What several processes make of a network: parallel GLEAM beside other ways to use them.

Processes are started once and take turns at every way, a few steps each, so that drift of the
machine's speed hits all alike.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from gleam.errors import BadInput
from gleam.parallel.launch import common_store, environments
from gleam.recipe import Recipe, save


@dataclass(frozen=True)
class Order:
    """What processes are to do next.

    Attributes:
        way: of `benchmarks.rivals.ways.WAYS`.
        batch: slices.
        alone: only the first process works.
    """

    way: str
    batch: int
    alone: bool = False


@dataclass(frozen=True)
class Answer:
    """What came of it.

    Attributes:
        seconds: per step, once all work.
        sent: bytes that all processes send to each other, per step.
        activations: bytes that a step allocates at most.
        states: bytes of weights and optimizer states.
    """

    seconds: float
    sent: float
    activations: int
    states: int


class Workers:
    """Processes that train in turn in several ways."""

    def __init__(self, processes: Sequence["subprocess.Popen[str]"]) -> None:
        self.processes = processes

    def ask(self, order: Order) -> Answer:
        """The seconds of the last process that worked, bytes of all, and the most of the rest.

        Raises:
            BadInput: a process died.
        """
        try:
            for process in self.processes:
                assert process.stdin is not None
                print(json.dumps(asdict(order)), file=process.stdin, flush=True)
            lines = [process.stdout.readline() for process in self.processes if process.stdout]
            answers = [Answer(**answer) for line in lines if (answer := json.loads(line))]
        except (BrokenPipeError, ValueError) as error:
            raise BadInput(
                f"a process ended while it was timed ({order.way}, {order.batch} slices); "
                "the lines above say why; most likely it had no memory left"
            ) from error
        return Answer(
            seconds=answers[-1].seconds,
            activations=max(answer.activations for answer in answers),
            states=max(answer.states for answer in answers),
            sent=sum(answer.sent for answer in answers),
        )


@contextmanager
def workers(
    recipe: Recipe, count: int, prefixes: Sequence[Sequence[str]] = (), **environ: str
) -> Iterator[Workers]:
    """Start processes on this machine that train a recipe.

    Args:
        recipe: greedy, without overlap; a batch is made of its largest training example.
        count: how many.
        prefixes: of each process's command.
        environ: of all, over the usual.
    """
    store = common_store()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "recipe.yaml"
        save(recipe, file)
        command = [sys.executable, "-m", "benchmarks.rivals.worker", str(file)]
        processes = [
            subprocess.Popen(
                [*(prefixes[rank] if prefixes else []), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment | environ,
                start_new_session=True,  # Ctrl-C is for their parent, which ends them
            )
            for rank, environment in enumerate(environments(store, count))
        ]
        try:
            yield Workers(processes)
            for process in processes:
                process.communicate()  # no more orders: it ends
        finally:
            for process in processes:
                process.kill()
                process.communicate()
