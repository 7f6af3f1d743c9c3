"""A GPU's streams on a CPU: who does not wait for a copy sees what is not a number.

Work on the stream that computes is done at once. A copy that does not block is done when another
stream waits for the one it is on, and its goal holds NaN until then. As on a GPU, a conjugate view
is copied as it lies in memory.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gleam.training import homes, idle, offload
from gleam.training.states import is_differentiable

COPY, EMPTY = torch.ops.aten.copy_.default, torch.ops.aten.empty_like.default


class Stream:
    def __init__(self, device: object = None) -> None:
        self.late: list[Callable[[], object]] = []
        self.issued = 0  # pieces of work
        self.seen = 0  # of those of the stream that computes: they are done before what comes now

    def wait_stream(self, other: "Stream") -> None:
        self.seen = other.issued
        for work in other.late:
            work()
        other.late.clear()

    def synchronize(self) -> None:
        """The host waits."""
        for work in self.late:
            work()
        self.late.clear()


class Streams(TorchDispatchMode):
    """All that is computed inside is as if on a GPU with these streams."""

    def __init__(self) -> None:
        super().__init__()
        self.computing = self.current = Stream()
        self.aside, self.coming, self.going = Stream(), Stream(), Stream()
        self.held: list[Tensor] = []  # so that no other memory is taken for theirs
        self.pinned: set[int] = set()
        self.sent: set[int] = set()  # memory that went, by address
        # That they use it, too.
        self.told: dict[Stream, set[int]] = defaultdict(set)

    @contextmanager
    def on(self, stream: Stream) -> Iterator[None]:
        before, self.current = self.current, stream
        yield
        self.current = before

    @property
    def record(self) -> Callable[[Tensor, Stream], None]:
        """In place of a tensor's method."""

        def record_stream(tensor: Tensor, stream: Stream) -> None:
            self.held.append(tensor)
            self.told[stream].add(tensor.data_ptr())

        return record_stream

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        pinned = function is EMPTY and kwargs.pop("pin_memory", False)
        if function is COPY and args[2:] == (True,):
            self._copy(*args[:2])
            return args[0]
        self.current.issued += 1
        result = function(*args, **kwargs)
        if pinned:
            self.held.append(result)
            self.pinned.add(result.data_ptr())
        return result

    def _copy(self, goal: Tensor, source: Tensor) -> None:
        here = self.current
        goal, source = goal.detach(), source.detach()  # of the memory that they have now
        assert here is not self.computing, "the computation would wait for it"
        self.held += goal, source
        if goal.data_ptr() in self.pinned:
            self.sent.add(source.data_ptr())
            assert here.seen == self.computing.issued, "sent before it is computed"
        else:
            assert source.data_ptr() in self.pinned
        goal.fill_(torch.nan if is_differentiable(goal) else 1)
        here.late.append(partial(goal.copy_, source.conj() if source.is_conj() else source))


def install(monkeypatch: pytest.MonkeyPatch) -> Streams:
    """Have activations and idle modules travel on such streams, wherever they are computed."""
    made = Streams()
    for module in (offload, idle):
        monkeypatch.setattr(module, "on_gpu", lambda device: True)
    monkeypatch.setattr(homes, "on_device", lambda tensor: True)
    monkeypatch.setattr(offload, "_aside", lambda device: made.aside)
    monkeypatch.setattr(homes, "_coming", lambda device: made.coming)
    monkeypatch.setattr(homes, "_going", lambda device: made.going)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: made.current)
    monkeypatch.setattr(torch.cuda, "stream", made.on)
    monkeypatch.setattr(Tensor, "record_stream", made.record)
    return made
