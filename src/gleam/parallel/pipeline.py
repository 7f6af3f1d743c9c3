"""The pipeline: modules live in several processes, only images and short notes go between them.

Module m on batch t needs module m − 1's output on batch t and nothing else, so processes work on
consecutive batches at the same time, and the weights become what they would in one process. The
image of a batch, in single precision, leaves before its module's backward pass; after the update a
note follows it, so whoever has read the notes of t batches has made t updates. Validation images
take the same way, in their place between two batches.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import repeat

import torch
from jaxtyping import Float
from torch import Tensor

from gleam.arrays import AnyTensor
from gleam.parallel.group import Group
from gleam.parallel.link import Inbox, Outbox
from gleam.parallel.neighbours import Note
from gleam.parallel.replicas import Replicas
from gleam.training.flow import Average
from gleam.training.states import State

IMAGES, NOTES = 0, 1
HEAD = 7  # numbers of a note before its tables: two of modules, one of iterations, in pairs


def packed(note: Note, length: int) -> Float[Tensor, "length"]:
    """A note as numbers, for the modules and iterations up to here."""
    kind, module = note.failure or ("", -1)
    head = [note.last, kind == "weight", module, note.memory]
    tables = (note.losses, note.psnr, note.stopped)
    body = [number for table in tables for pair in table.items() for number in pair]
    numbers = [*head, *(len(table) for table in tables), *body]
    tensor = torch.zeros(length, dtype=torch.float64)
    tensor[: len(numbers)] = torch.tensor(numbers, dtype=torch.float64)
    return tensor


def unpacked(numbers: Float[Tensor, "length"]) -> Note:
    """The inverse of `packed`."""
    last, weight, module, memory, *rest = numbers.tolist()
    sizes, body = rest[:3], iter(rest[3:])
    losses, psnr, stopped = (
        {int(next(body)): next(body) for _ in range(int(size))} for size in sizes
    )
    return Note(
        last=bool(last),
        failure=None if module < 0 else ("weight" if weight else "loss", int(module)),
        memory=int(memory),
        losses=losses,
        psnr=psnr,
        stopped={module: int(step) for module, step in stopped.items()},
    )


class Pipeline:
    """The other processes, before, after and beside one; see `Neighbours`.

    Args:
        group: of the process.
        shapes: begins anew to tell the shapes of all states that will travel, in order.
        notes: how many batches there are.
        numbers: of modules and iterations together.
    """

    def __init__(
        self,
        group: Group,
        shapes: Callable[[], Iterator[tuple[int, ...]]],
        notes: int,
        numbers: int,
    ) -> None:
        self.group, self.length = group, HEAD + 4 * numbers
        self.replicas = Replicas(group) if group.replicas > 1 else None
        image, note = torch.empty(0, device=group.comm_device), torch.empty(0, dtype=torch.float64)

        def images() -> Iterator[tuple[int, ...]]:
            return ((*shape, 2) for shape in shapes())  # real and imaginary parts

        def lengths() -> Iterator[tuple[int, ...]]:
            return repeat((self.length,), notes)

        up, down = group.upstream, group.downstream
        self.images_in = Inbox(up, IMAGES, image, images()) if up else None
        self.notes_in = Inbox(up, NOTES, note, lengths()) if up else None
        self.images_out = Outbox(down, IMAGES, image, images()) if down else None
        self.notes_out = Outbox(down, NOTES, note, lengths()) if down else None

    def receive(self, first: Callable[[], State]) -> State:
        """The state for the first module here; `first` makes it where no process is before."""
        if self.images_in is None:
            return first()
        return torch.view_as_complex(self.images_in.get().to(self.group.device))

    def send(self, state: State, wait: bool = False) -> None:
        """Send the last module's output to the next process, before anything is updated.

        Args:
            state: the output.
            wait: until it has left.
        """
        if self.images_out is not None:
            image = torch.view_as_real(state.detach().resolve_conj().contiguous())
            self.images_out.put(image.to(self.group.comm_device), wait)

    @property
    def average(self) -> Average | None:
        """The function that averages gradients over replicas; None where there is one."""
        return self.replicas.average if self.replicas else None

    def finish(self) -> None:
        """Wait for the averages on their way, and use them."""
        if self.replicas:
            self.replicas.finish()

    def all_reduce(self, numbers: AnyTensor) -> AnyTensor:
        """The sum over the replicas."""
        return self.group.all_reduce(numbers)

    def receive_note(self, note: Note, asked: int) -> Note:
        """The note of all processes up to this one; the first says whether the step is the last.

        Raises:
            Lost: the launcher, or a process before this one.
        """
        self.group.check_launcher()
        if asked:
            self.group.request_stop(asked)
        if self.notes_in is None:
            note.last = note.last or self.group.should_stop()
            return note
        before = unpacked(self.notes_in.get())
        return replace(
            before,
            memory=max(before.memory, note.memory),
            losses=before.losses | note.losses,
            psnr=before.psnr | note.psnr,
            stopped=before.stopped | note.stopped,
        )

    def send_note(self, note: Note) -> None:
        """Tell the next process; one that found a failure, or nothing to learn, has all of them
        stop.
        """
        if note.failure or note.done:
            self.group.request_stop()
        if self.notes_out is not None:
            self.notes_out.put(packed(note, self.length))

    def ends(self, note: Note) -> bool:
        """True at the last step; replicas without a pipeline see a failure all at once."""
        return note.last or (note.failure is not None and self.group.pipeline_size == 1)

    def close(self) -> None:
        """Leave nothing on its way."""
        for box in (self.images_out, self.notes_out, self.images_in, self.notes_in):
            if box is not None:
                box.close()
