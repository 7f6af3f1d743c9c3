"""Train a recipe into a run folder: the loop. It fetches a batch, steps, validates and records.

The same loop runs in every process that trains; what others do is behind `learner.neighbours`.
Before it stands `gleam.runs.setup`, what it writes down is `gleam.runs.journal`.
"""

from collections import deque
from collections.abc import Callable
from contextlib import closing
from itertools import count, takewhile
from pathlib import Path

from gleam.arrays import Image
from gleam.data.batch import Batch
from gleam.data.feed import Feed
from gleam.errors import Stopped
from gleam.parallel.faults import Lost
from gleam.parallel.meeting import process_group, world_size
from gleam.parallel.placement import ONE_PROCESS, Placement
from gleam.recipe import Recipe
from gleam.runs import folder as run_folder
from gleam.runs.journal import Journal, StepTaken, go_on, journal
from gleam.runs.out_of_memory import room_for
from gleam.runs.setup import Setup, prepare
from gleam.signals import stop_signals
from gleam.training.timing import Stopwatch

METERED = 2  # steps whose memory is metered: the first of them makes the optimizers' states
LATE = 8  # steps whose losses a GPU may still be computing while the next are given to it


def train(
    recipe: Recipe,
    folder: Path,
    resume: bool = False,
    quiet: bool = False,
    placement: Placement = ONE_PROCESS,
    force: bool = False,
) -> bool:
    """Train, validate and checkpoint until the last step, or until every module has stopped.

    A resumed run ends with the same weights as one that was never stopped, and a run in a pipeline
    of processes with the same as in one process: to the bit on a CPU, and on a GPU as far as its
    convolutions repeat themselves.

    Args:
        recipe: what to train.
        folder: the run's folder; made, unless `resume`.
        resume: go on from the last checkpoint in `folder`.
        quiet: show no progress.
        placement: how the processes that the launcher started divide the work.
        force: replace another run in `folder`.

    Returns:
        Whether this process keeps the run's records; of several one does.

    Raises:
        BadInput: the data do not fit the recipe, or the recipe the processes; the folder is (not)
            a run.
        Signalled: by SIGINT or SIGTERM.
        Stopped: because another process was lost, the disk is full, or the folder is gone.
        Diverged: by a loss or weight that is not finite; the last good checkpoint stays.
        OutOfMemory: the last checkpoint stays.
    """
    placement.check(recipe, world_size())
    here = process_group(placement.replicas, placement.timeout, placement.device)
    with here as group, room_for(recipe, folder, go_on(folder)):
        try:
            setup = prepare(recipe, folder, resume, quiet, placement, group, force)
            feed = setup.feed()
            with stop_signals() as stop_asked, journal(setup, quiet) as written, closing(feed):
                if not setup.judges_start or _judge_start(setup, written, stop_asked):
                    _loop(setup, feed, written, stop_asked)
                written.end(stop_asked)
        except Lost as lost:
            again = f"; {go_on(folder)}" if run_folder.is_there(folder) else ""
            raise Stopped(f"{group.find_hung(lost)}{again}") from lost
    return group.records


def _judge_start(setup: Setup, written: Journal, stop_asked: Callable[[], int]) -> bool:
    """Validate the network that the run starts from; say whether that came to its end."""
    psnr = _validate(setup, stop_asked)
    if psnr:
        written.begin(psnr)
    return bool(psnr)


def _validate(
    setup: Setup,
    stop_asked: Callable[[], int],
    look: Callable[[Image, Batch], None] | None = None,
) -> list[float]:
    """The quality after each iteration, see `Learner.validate`; nothing if it was broken off.

    It may take as long as many steps, so who asks for a stop need not wait for its end; several
    processes come to that together.
    """
    batches = setup.validation_batches()
    if setup.group.world_size > 1:
        return setup.learner.validate(batches, look)
    psnr = setup.learner.validate(takewhile(lambda _: not stop_asked(), batches), look)
    return [] if stop_asked() else psnr


def _loop(setup: Setup, feed: Feed, written: Journal, stop_asked: Callable[[], int]) -> None:
    learner, neighbours = setup.learner, setup.learner.neighbours
    steps, watch = setup.recipe.training.steps, Stopwatch(learner.device)
    # Where other processes wait for its note, a step is noted before the next.
    late = LATE if learner.device.type == "cuda" and setup.group.world_size == 1 else 0
    running: deque[StepTaken] = deque()
    for step in count(written.step + 1):
        taken = _step(setup, feed, step, watch)
        if taken is None:
            break
        running.append(taken)

        settled = written.due(step) or stop_asked() or len(taken.stopped) == len(learner.modules)
        while len(running) > (0 if settled else late):
            note, seconds, waited = running.popleft().read(setup.first_module)
            newest = not running
            note.last = written.step + 1 == steps or setup.all_stopped(note)
            if newest and setup.validates(step, note.last):
                psnr = _validate(setup, stop_asked, written.look)
                written.owes = not psnr
                note.psnr = dict(enumerate(psnr, setup.first_iteration))

            note = neighbours.receive_note(note, stop_asked() if newest else 0)
            kept = written.add(note, seconds, waited)
            neighbours.send_note(note)
            written.keep(kept)
            if neighbours.ends(note):
                neighbours.close()
                return
    neighbours.close()


def _step(setup: Setup, feed: Feed, step: int, watch: Stopwatch) -> StepTaken | None:
    """Learn from the next batch, if there is one; nobody holds it while the one after is made."""
    learner = setup.learner
    if step == setup.progress.step:  # it was taken before the run stopped, and not validated
        return StepTaken({}, learner.stopped, float, 0.0)
    batch = next(feed, None)
    if batch is None:
        return None
    watch.start()
    if step > setup.progress.step + METERED:
        losses, memory = learner.step(batch, step - 1), 0
    else:
        losses, cost = learner.metered_step(batch, step - 1)
        memory = cost.memory
    return StepTaken(losses, learner.stopped, watch.stop(), feed.waited, memory)
