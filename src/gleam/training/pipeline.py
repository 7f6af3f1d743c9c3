"""The pipeline: modules live in several processes, only images and short notes go between them.

Module m on batch t needs module m − 1's output on batch t and nothing else, so processes work on
consecutive batches at the same time, and the weights become what they would in one process. The
image of a batch, in single precision, leaves before its module's backward pass; after the update a
note follows it, so whoever has read the notes of t batches has made t updates. Validation images
take the same way, in their place between two batches.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import repeat

import torch
from torch import Tensor

from gleam.arrays import State
from gleam.training.group import Group
from gleam.training.link import Inbox, Outbox

IMAGES, NOTES = 0, 1
Failure = tuple[str, int]


@dataclass
class Note:
    """What is known of a batch once modules have learnt from it; each process adds its part.

    Attributes:
        last: the run ends with this batch.
        failure: what is not finite, "loss" or "weight", and of which module.
        memory: bytes of the process that took most.
        losses: by module.
        psnr: by iteration, in dB, where the batch is followed by validation.
    """

    last: bool = False
    failure: Failure | None = None
    memory: int = 0
    losses: dict[int, float] = field(default_factory=dict)
    psnr: dict[int, float] = field(default_factory=dict)

    def pack(self, length: int) -> Tensor:
        """As numbers, for the modules and iterations up to here."""
        kind, module = self.failure or ("", -1)
        head = [self.last, kind == "weight", module, self.memory]
        body = [*self.losses.values(), *self.psnr.values()]
        numbers = [*head, len(self.losses), len(self.psnr), *body]
        packed = torch.zeros(length, dtype=torch.float64)
        packed[: len(numbers)] = torch.tensor(numbers, dtype=torch.float64)
        return packed

    @classmethod
    def unpack(cls, packed: Tensor) -> "Note":
        """The inverse of `pack`."""
        last, weight, module, memory, losses, psnr, *body = packed.tolist()
        losses, psnr = int(losses), int(psnr)
        return cls(
            last=bool(last),
            failure=None if module < 0 else ("weight" if weight else "loss", int(module)),
            memory=int(memory),
            losses=dict(enumerate(body[:losses])),
            psnr=dict(enumerate(body[losses : losses + psnr])),
        )


class Pipeline:
    """A process's neighbours; without any, it starts from the first image and sends nothing.

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
        self.group, self.length = group, 6 + numbers
        image, note = torch.empty(0, device=group.wire), torch.empty(0, dtype=torch.float64)

        def images() -> Iterator[tuple[int, ...]]:
            return ((*shape, 2) for shape in shapes())  # real and imaginary parts

        def packed() -> Iterator[tuple[int, ...]]:
            return repeat((self.length,), notes)

        up, down = group.upstream, group.downstream
        self.images_in = Inbox(up, IMAGES, image, images()) if up else None
        self.notes_in = Inbox(up, NOTES, note, packed()) if up else None
        self.images_out = Outbox(down, IMAGES, image, images()) if down else None
        self.notes_out = Outbox(down, NOTES, note, packed()) if down else None

    def receive(self, first: Callable[[], State]) -> State:
        """What the process's first module starts from; `first` makes it at the pipeline's head."""
        if self.images_in is None:
            return first()
        return torch.view_as_complex(self.images_in.get().to(self.group.device))

    def send(self, state: State, wait: bool = False) -> None:
        """Pass on what the last module put out, before anything is updated.

        Args:
            state: the output.
            wait: until it has left.
        """
        if self.images_out is not None:
            image = torch.view_as_real(state.detach().resolve_conj().contiguous())
            self.images_out.put(image.to(self.group.wire), wait)

    def hear(self) -> Note | None:
        """What is known of the batch upstream; None at the pipeline's head."""
        return None if self.notes_in is None else Note.unpack(self.notes_in.get())

    def tell(self, note: Note) -> None:
        """Pass on what is known of the batch."""
        if self.notes_out is not None:
            self.notes_out.put(note.pack(self.length))

    def close(self) -> None:
        """Leave nothing on its way."""
        for box in (self.images_out, self.notes_out, self.images_in, self.notes_in):
            if box is not None:
                box.close()
