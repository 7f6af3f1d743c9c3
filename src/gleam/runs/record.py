"""The record of a run: what is remembered, and written down, beside the modules' own files."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from torch import Tensor

from gleam.errors import BadInput, Diverged, Signalled, Stopped
from gleam.memory import asked_for, exhausted
from gleam.networks.weights import interpolated
from gleam.parallel.neighbours import Note
from gleam.recipe import Recipe
from gleam.runs import checkpoint
from gleam.runs import folder as run_folder
from gleam.runs.album import Album, forget_pictures
from gleam.runs.checkpoint import RunProgress
from gleam.runs.events import Event, EventLog, Kind, Logger, forget_events
from gleam.runs.folder import Row
from gleam.runs.loggers import made
from gleam.runs.pace import Pace
from gleam.runs.progress import Display, displayed

EVERY = 1.0  # seconds between two events that tell of steps
SPEED = ("seconds_per_step", "slices_per_second", "waiting")  # in summary.json
METRICS = {  # of validation, by what is learnt: in files, and in words
    "image": ("psnr", "PSNR"),
    "kspace": ("prediction", "prediction of held-out samples"),
    "mixed": ("quality", "quality"),
}


@dataclass(frozen=True)
class Hardware:
    """Hardware that is trained on: fields of the event `start` and of summary.json.

    Attributes:
        device: in words.
        precision: of the CNNs, see `gleam.precision`.
        graph: steps are replayed as CUDA graphs, if they can be recorded; else launched anew.
        threads: of each process.
        processes: that train together.
    """

    device: str
    precision: str
    graph: bool
    threads: int
    processes: int


@dataclass
class Record:
    """Kept by one process, at the end of the pipeline, where all notes arrive.

    Attributes:
        folder: of the run.
        recipe: of the run.
        parameters: of the whole network.
        start: weights of the run that it starts from, by name.
        grown: how many iterations that run had, if others are appended to them; else 0.
        display: where the user looks.
        loggers: who is told what happens.
        progress: how far it has come.
        place: what is trained on, and how exactly.
        memory: bytes of weights, optimizer states, and the peak of a step above them.
        rows: of metrics.csv, not written yet.
        failure: the first number that was not finite; nothing is written from then on.
        before: how well the network that the run starts from does in validation; one that did
            better is kept.
        stopped: by module that learns no more, the number of updates after which it stopped.
    """

    folder: Path
    recipe: Recipe
    parameters: int
    start: Mapping[str, Tensor]
    grown: int
    display: Display
    loggers: Sequence[Logger]
    progress: RunProgress
    place: Hardware
    memory: int = 0
    rows: list[Row] = field(default_factory=list)
    failure: Diverged | None = None
    before: float | None = None
    stopped: Mapping[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        summary = run_folder.read_summary(self.folder)
        self._earlier, self.memory = summary, summary.get("peak_memory_bytes", 0)
        self.before = summary.get("validation_before_db")
        self.pace = Pace(self.recipe.data.batch)
        self._told = time.monotonic()
        target = self.recipe.training.target
        self.metric, self.label = METRICS[target]

    def begin(self, before: float) -> None:
        """Note how well the network does in validation that the run starts from."""
        self.before = before
        self.display.say(f"before training: validation {self.label} {before:.2f} dB")

    def add(self, note: Note, seconds: float, waited: float = 0.0) -> bool:
        """Note one more step; say whether its PSNR is the best so far.

        Args:
            note: what is known of it.
            seconds: that it took, once its batch was there.
            waited: seconds until its batch was there.
        """
        done = self.progress
        done = replace(done, step=done.step + 1, seconds=done.seconds + seconds)
        self.progress = done
        if note.failure and not self.failure:
            self.failure = self._diverged(*note.failure)
        if self.failure:
            return False
        if note.losses:  # else the step was told of before, and is noted again as it is validated
            self._tell_of(note, seconds, waited)
        self.stopped = note.stopped
        if note.psnr or time.monotonic() - self._told > EVERY:
            self._tell_steps()
        if not note.psnr:
            return False
        self.tell("validation", psnr={str(k): value for k, value in note.psnr.items()})
        self._rows(self.metric, note.psnr)
        *_, final = note.psnr.values()
        if self.grown:
            self.before = note.psnr[self.grown - 1]
        self.display.say(f"step {done.step}: validation {self.label} {final:.2f} dB")
        if not final > done.best_psnr:
            return False
        self.progress = replace(done, best_psnr=final, best_step=done.step)
        return True

    def _tell_of(self, note: Note, seconds: float, waited: float) -> None:
        self.pace.add(note.losses, seconds, waited)
        shown: dict[int, float | None] = dict.fromkeys(note.stopped) | note.losses
        self.display.step([loss for _, loss in sorted(shown.items())])
        self._rows("loss", note.losses)
        if note.memory:
            self.memory = max(self.memory, note.memory)  # modules that have stopped take less
            self.display.memory(self.memory)
        self._stops(note)

    def _stops(self, note: Note) -> None:
        """Tell which modules have stopped with this step."""
        t = self.recipe.training
        new = sorted(m for m, step in note.stopped.items() if step == self.progress.step)
        if new:
            self._tell_steps()  # from here on they have no loss
        for module in new:
            fell = f"fell by less than {100 * t.least_fall:g} % over {t.patience} steps"
            text = f"module {module} (counted from 0) learns no more: its mean loss {fell}"
            self.tell("plateau", module=module, text=text)
            self.display.say(f"step {self.progress.step}: {text}")
        if new and len(note.stopped) == len(self.recipe.module_sizes()):
            self.display.say(f"step {self.progress.step}: no module learns any more: training ends")

    def launch(self, graph: bool) -> None:
        """Note how steps are launched, should they no longer be replayed as CUDA graphs."""
        if self.place.graph and not graph:
            self.place = replace(self.place, graph=False)
            self.tell("warning", text="a step cannot be recorded: each is launched anew")

    def keep(self) -> None:
        """Write everything down; the checkpoint comes last, so that what it counts is there."""
        done, checkpoints = self.progress, self.folder / "checkpoints"
        modules = len(self.recipe.module_sizes())
        run_folder.check_there(self.folder)
        run_folder.append_metrics(self.folder, self.rows)
        self.rows.clear()
        self._tell_steps()
        run_folder.write_summary(self.folder, self._summary())
        weights: Mapping[str, Tensor] = {}
        if self.before is not None and done.best_psnr < self.before:
            weights = self.start
        elif done.best_step in (None, done.step):
            drafted = checkpoint.drafted_weights(checkpoints, done.step, modules)
            learnt, share = self._of_network(drafted), self.recipe.training.interpolation
            weights = {**self.start, **interpolated(self.start, learnt, share)}
        if weights:
            checkpoint.make_room(checkpoints, sum(weight.nbytes for weight in weights.values()))
            run_folder.save_model(self.folder, weights)
        checkpoint.publish(checkpoints, modules, done)
        checkpoint.forget(checkpoints, self.recipe.training.keep, done.best_step)
        self.tell("checkpoint", best=done.best_step == done.step)

    def tell(self, kind: Kind, **values: object) -> None:
        """Tell all loggers what happened by now."""
        event = Event(kind, self.progress.step, values)
        for logger in self.loggers:
            logger.log(event)

    def end(self, error: BaseException | None) -> None:
        """The run has ended, by an error or as it should."""
        if error is None or self.folder.is_dir():
            self._tell_steps()
            text = asked_for(error) if error and exhausted(error) else str(error or "")
            self.tell("end", reason=_reason(error), text=text, **self.pace.whole())

    def _tell_steps(self) -> None:
        self._told = time.monotonic()
        if self.pace.untold:
            self.tell("steps", **self.pace.tell(), peak_memory_bytes=self.memory)

    def _rows(self, metric: str, values: Mapping[int, float]) -> None:
        done = self.progress
        for index, value in values.items():
            self.rows.append(Row(done.step, metric, index, value, round(done.seconds, 3)))

    def _summary(self) -> dict[str, object]:
        done, modules = self.progress, self.recipe.module_sizes()
        speed = {name: self._earlier[name] for name in SPEED if name in self._earlier}
        if pace := self.pace.whole():  # of none where a step is noted again
            speed = {"seconds_per_step": pace.pop("ms_per_step") / 1e3} | pace
        stopped = [self.stopped.get(module) for module in range(len(modules))]
        return {
            "steps": done.step,
            "seconds": done.seconds,
            **speed,
            "peak_memory_bytes": self.memory,
            **asdict(self.place),
            "parameters": self.parameters,
            "modules": modules,
            **({"stopped": stopped} if self.recipe.training.patience else {}),
            "best_step": done.best_step,
            f"best_validation_{self.metric}_db": None if done.best_step is None else done.best_psnr,
            "validation_before_db": self.before,
        }

    def _of_network(self, modules: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """The weights of modules by their names in the network."""
        weights: dict[str, Tensor] = {}
        first = self.recipe.training.frozen
        for module, size in zip(modules, self.recipe.module_sizes(), strict=True):
            for name, weight in module.items():
                iteration, _, rest = name.partition(".")
                weights[f"iterations.{first + int(iteration)}.{rest}"] = weight
            first += size
        return weights

    def _diverged(self, what: str, module: int) -> Diverged:
        kept = checkpoint.found(self.folder / "checkpoints")
        good = f"the last good checkpoint is {kept[-1]}" if kept else "there was no checkpoint yet"
        return Diverged(
            f"module {module} (counted from 0) has a {what} that is not finite at step "
            f"{self.progress.step}; {good}. Try a lower training.learning_rate or training.clip"
        )


@contextmanager
def recorded(
    folder: Path,
    recipe: Recipe,
    parameters: int,
    start: Mapping[str, Tensor],
    grown: int,
    progress: RunProgress,
    place: Hardware,
    quiet: bool,
) -> Iterator[Record]:
    """Go on with the record of a run; see `Record`."""
    with displayed(folder / "train.log", progress.step, recipe.training.steps, quiet) as display:
        others = made(recipe.training.loggers, folder, recipe, progress.step + 1)
        loggers: list[Logger] = [EventLog(folder), Album(folder), *others]
        record = Record(folder, recipe, parameters, start, grown, display, loggers, progress, place)
        record.tell("start", **asdict(place), steps=recipe.training.steps)
        try:
            yield record
        except BaseException as error:
            with suppress(Stopped, BadInput):  # what ended the run is told, not what follows of it
                record.end(error)
            raise
        else:
            record.end(None)
        finally:
            for logger in loggers:
                logger.close()


def _reason(error: BaseException | None) -> str:
    """The reason of an end, in the words of `gleam.runs.events`."""
    match error:
        case None:
            return "finished"
        case Diverged():
            return "diverged"
        case Signalled() | KeyboardInterrupt():
            return "stopped"
    return "out of memory" if exhausted(error) else "failed"


def forget_after(folder: Path, step: int) -> None:
    """Forget what was noted after a step, and what was written for checkpoints that never were."""
    rows = [row for row in run_folder.read_metrics(folder) if row.step <= step]
    run_folder.write_metrics(folder, rows)
    forget_events(folder, step)
    forget_pictures(folder, step)
    checkpoint.discard(folder / "checkpoints")
