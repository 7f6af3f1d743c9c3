"""What several processes make of a network: parallel GLEAM beside other ways to use them.

Processes are started once and take turns at every way, a few steps each, so that drift of the
machine's speed hits all alike.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import torch

from gleam.comparison.measure import known_costs, priced
from gleam.comparison.plan import Plan
from gleam.errors import BadInput
from gleam.files import replacing
from gleam.recipe import Recipe, save
from gleam.terminal import followed
from gleam.training.launch import common_store, environments
from gleam.training.spread import Spread
from gleam.training.timing import ratio

TURNS = 5
BATCHES = (1, 4)
COMPARED = {  # what each is called: of `gleam.comparison.ways.WAYS`, and whether one device does it
    "one device, greedy": ("sequential", True),
    "parallel GLEAM": ("pipeline", False),
    "end-to-end in a pipeline (1F1B)": ("one_f_one_b", False),
    "end-to-end, data parallelism": ("data_parallel", False),
}


@dataclass(frozen=True)
class Order:
    """What processes are to do next.

    Attributes:
        way: of `gleam.comparison.ways.WAYS`.
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
        sent: bytes that left through the processes' network interface, per step.
        activations: bytes that a step allocates at most.
        states: bytes of weights and optimizer states.
    """

    seconds: float
    sent: float
    activations: int
    states: int


@dataclass(frozen=True)
class Row:
    """One way to use the devices.

    Attributes:
        name: in words.
        batch: slices per step and device; a pipeline's devices share them.
        seconds: per step.
        speed: slices per second, over those of greedy learning on one device, one at a time.
        memory: bytes of the device that takes most.
        sent: bytes that all devices sent, per step; None where that was not seen.
    """

    name: str
    batch: int
    seconds: float
    speed: float
    memory: int
    sent: int | None


@dataclass(frozen=True)
class Devices:
    """The ways to use several devices.

    Attributes:
        count: how many there are.
        scheme: the greedy one that they train.
        rows: a way and a batch each.
    """

    count: int
    scheme: str
    rows: list[Row]


class Workers:
    """Processes that train in turn in several ways."""

    def __init__(self, processes: Sequence["subprocess.Popen[str]"]) -> None:
        self.processes = processes

    def ask(self, order: Order) -> Answer:
        """The seconds of the last process that worked, and the most of the rest.

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
                f"compare: a process ended while it was timed ({order.way}, {order.batch} slices); "
                "the lines above say why; most likely it had no memory left"
            ) from error
        return Answer(
            seconds=answers[-1].seconds,
            activations=max(answer.activations for answer in answers),
            states=max(answer.states for answer in answers),
            sent=max(answer.sent for answer in answers),
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
        command = [sys.executable, "-m", "gleam.comparison.worker", str(file)]
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


def measure_devices(plan: Plan, count: int, folder: Path) -> Devices:
    """Time the first greedy scheme of a plan in every way; what was measured before is kept.

    Args:
        plan: the schemes.
        count: devices.
        folder: of the comparison; gets `devices.json`.

    Raises:
        BadInput: no scheme can be trained in a pipeline of so many; a process died;
            `devices.json` is broken.
    """
    scheme = _pipelined(plan, count)
    recipe = plan.recipes[scheme]
    path = folder / "devices.json"
    asked = {"count": count, "scheme": scheme, "recipe": priced(recipe)}
    known = known_costs(path)
    if known.get("asked") != asked:
        rows = [asdict(row) for row in _measured(recipe, count)]
        known = {"asked": asked, "rows": rows}
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(known, indent=2))
    try:
        return Devices(count, scheme, [Row(**row) for row in known["rows"]])
    except (KeyError, TypeError) as error:
        raise BadInput(f"{path}: is broken; remove it to measure again") from error


def _pipelined(plan: Plan, count: int) -> str:
    """The first scheme that so many devices can train in a pipeline."""
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else count
    if not 2 <= count <= gpus:
        raise BadInput(f"compare: --devices {count}: give 2 or more, as many as there are GPUs")
    reasons = {}
    for name, recipe in plan.recipes.items():
        plain = recipe.changed(training={"polish": 0})
        try:
            Spread().check(plain, count)
        except BadInput as error:
            reasons[name] = error
        else:
            return name
    name, reason = next(iter(reasons.items()))
    raise BadInput(f"compare: no scheme fits a pipeline of {count} devices ({name}: {reason})")


def _measured(recipe: Recipe, count: int) -> list[Row]:
    orders = {
        (name, batch): Order(way, batch, alone)
        for name, (way, alone) in COMPARED.items()
        for batch in BATCHES
    }
    turns: list[Mapping[tuple[str, int], Answer]] = []
    with workers(recipe, count) as crew:
        for turn in followed(range(1 + TURNS), f"timing on {count} devices", 1 + TURNS):
            answers = {key: crew.ask(order) for key, order in orders.items()}
            if turn:  # the first sets things up
                turns.append(answers)
    first = next(iter(orders))
    rows = []
    for (name, batch), order in orders.items():
        own = [turn[name, batch] for turn in turns]
        slices = batch * (count if order.way == "data_parallel" else 1)
        base = [turn[first].seconds for turn in turns]
        sent = median(answer.sent for answer in own)
        rows.append(
            Row(
                name=name,
                batch=batch,
                seconds=median(answer.seconds for answer in own),
                speed=slices * ratio(base, [answer.seconds for answer in own]),
                memory=round(median(answer.activations + answer.states for answer in own)),
                sent=None if torch.cuda.is_available() else round(sent),
            )
        )
    return rows
