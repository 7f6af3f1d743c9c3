"""Journal of a run: each process writes checkpoints of its modules, and one of them the record."""

import math
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from gleam import precision
from gleam.arrays import Image
from gleam.data.batch import Batch
from gleam.device import described
from gleam.errors import Signalled, Unwritable
from gleam.parallel.faults import Lost
from gleam.parallel.neighbours import Failure, Note
from gleam.runs import checkpoint
from gleam.runs import folder as run_folder
from gleam.runs.picture import Picture, picture_of
from gleam.runs.record import Hardware, Record, recorded
from gleam.runs.setup import Setup
from gleam.terminal import silence
from gleam.training.graph import graphable
from gleam.training.meter import taken


@dataclass(frozen=True)
class StepTaken:
    """A step that was taken, and what is not read of it yet.

    Attributes:
        losses: by module of this process that learns.
        stopped: by module of this process that does not, the number of updates after which it
            stopped.
        seconds: that it took; waits for the device.
        waited: seconds for which the device had nothing to do until the batch was there.
        memory: bytes that it took, where that was metered.
    """

    losses: dict[int, Tensor]
    stopped: dict[int, int]
    seconds: Callable[[], float]
    waited: float
    memory: int = 0

    def read(self, first: int) -> tuple[Note, float, float]:
        """Its note, its seconds and those waited; waits for the device.

        Args:
            first: the number of the first module here.
        """
        values = torch.stack([*self.losses.values()]).tolist() if self.losses else []
        losses = {first + m: value for m, value in zip(self.losses, values, strict=True)}
        stopped = {first + m: step for m, step in self.stopped.items()}
        note = Note(memory=self.memory, losses=losses, stopped=stopped)
        return note, self.seconds(), self.waited


@dataclass
class Journal:
    """Journal of one process.

    Attributes:
        setup: of the run.
        record: of the run; None in the processes that keep none.
        step: updates noted.
        ended: whether every module has stopped, as far as is known here.
        owes: whether validation of the last step noted was broken off by who asked for a stop.
        picture: of validation, where the record is kept.
    """

    setup: Setup
    record: Record | None
    step: int
    ended: bool
    owes: bool = False
    picture: Picture | None = None

    @property
    def look(self) -> Callable[[Image, Batch], None] | None:
        """The function that is to see the images of validation."""
        return None if self.picture is None else self.picture.look

    def due(self, step: int) -> bool:
        """Whether something is to be kept after so many updates."""
        t = self.setup.recipe.training
        return step % t.checkpoint_every == 0 or step == t.steps or self.setup.validates(step)

    def begin(self, psnr: Sequence[float]) -> None:
        """Note how the network does that the run starts from, after each iteration here."""
        if self.record:
            self.record.begin(psnr[-1])

    def add(self, note: Note, seconds: float, waited: float) -> bool:
        """Note one more step (see `StepTaken`); say whether it is to be kept (see `keep`).

        What is to be kept is written here, but counts only once `keep` says so: the process with
        the record does so last. Whether validation was the best so far is known to it alone; others
        write their modules in any case.
        """
        self.step += 1
        group, folder = self.setup.group, self.setup.folder
        scheduled = note.last or self.step % self.setup.recipe.training.checkpoint_every == 0
        validated = bool(note.psnr)
        self.ended = self.setup.all_stopped(note)
        note.done = self.ended and (validated or not self.setup.validation)
        note.failure = note.failure or self._failure(note, scheduled or validated)
        if scheduled or validated:
            note.memory = max(note.memory, taken(group.device))
        if self.record:
            self.record.launch(self.setup.learner.graphs.recording)
            best = self.record.add(note, seconds, waited)
            levels = self.picture.levels if self.picture and validated else None
            if levels is not None and not self.record.failure:
                self.record.tell("image", image=levels)
        else:
            best = validated and group.downstream is not None
        kept = (scheduled or best) and not note.failure
        if kept and group.replica == 0:
            run_folder.check_there(folder)
            checkpoint.write(folder / "checkpoints", self.setup.modules, self.step)
        return kept

    def keep(self, kept: bool) -> None:
        """Settle what `add` wrote: part of a checkpoint now, or not to be kept."""
        if self.record is None:
            return
        if kept and not self.record.failure:
            self.record.keep()
        elif self.setup.validates(self.step):
            checkpoint.discard(self.setup.folder / "checkpoints", self.step)

    def end(self, stop_asked: Callable[[], int]) -> None:
        """Have the run end, in all processes.

        Raises:
            Diverged: a loss or a weight was not finite.
            Signalled: before its last step, or before that was validated.
        """
        group, folder = self.setup.group, self.setup.folder
        if self.record is None:
            group.barrier()  # the process with the record ends first: it knows what there is to say
            return
        checkpoint.discard(folder / "checkpoints")
        if self.record.failure:
            raise self.record.failure
        if self.owes or (self.step < self.setup.recipe.training.steps and not self.ended):
            number = stop_asked() or group.stop_signal()
            raise Signalled(f"stopped at step {self.step}; {go_on(folder)}", number)
        group.barrier()

    def _failure(self, note: Note, kept: bool) -> Failure | None:
        """The first loss that is not finite, or weight of what is to be kept."""
        modules = self.setup.modules
        for number in modules:
            if not math.isfinite(note.losses.get(number, 0)):
                return "loss", number
        for number, module in modules.items() if kept else []:
            if not all(p.isfinite().all() for p in module.iterations.parameters()):
                return "weight", number
        return None


@contextmanager
def journal(setup: Setup, quiet: bool) -> Iterator[Journal]:
    """Go on with the journal of a run; where the record is kept, its progress is shown."""
    place, progress = _hardware(setup), setup.progress
    start, grown = setup.start, setup.grown
    kept = recorded(
        setup.folder, setup.recipe, setup.parameters, start, grown, progress, place, quiet
    )
    with kept if setup.group.records else silence() as record:
        if record:
            record.display.say(_where(setup))
        noted = progress.step - setup.owes  # a step that is still to be validated is noted again
        if record:
            record.progress = replace(progress, step=noted)
        written = Journal(setup, record, noted, setup.ended)
        if record and setup.validation:
            size, share = setup.recipe.data.batch, setup.group.share
            written.picture = picture_of(setup.validation, size, share)
        try:
            yield written
        except Lost as lost:
            lost.when = f"at step {written.step + 1}"
            raise
        except Unwritable as error:
            error.go_on = f"then {go_on(setup.folder)}"
            raise


def go_on(folder: Path) -> str:
    """The command that goes on with a run."""
    return f"go on with: gleam train --resume {shlex.quote(str(folder))}"


def _hardware(setup: Setup) -> Hardware:
    device, bf16 = setup.group.device, setup.recipe.network.regulariser.bf16
    return Hardware(
        device=described(device),
        precision=precision.name(device, bf16),
        graph=device.type == "cuda" and graphable(setup.recipe) is None,
        threads=torch.get_num_threads(),
        processes=setup.group.world_size,
    )


def _where(setup: Setup) -> str:
    """The hardware that is trained on, and the launch of its steps: the first line of a run."""
    group, how = setup.group, ""
    processes = f" in {group.world_size} processes, each" if group.world_size > 1 else ""
    if group.device.type == "cuda":
        why = graphable(setup.recipe)
        how = f", steps launched one by one ({why})" if why else ", steps replayed as CUDA graphs"
    return f"training{processes} on {described(group.device)}{how}"
