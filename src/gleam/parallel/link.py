"""One way between two processes, for tensors in an order that both know beforehand.

So receives are posted before they are needed, and a slow network costs time only once. At most
`AHEAD` tensors wait to leave the sender, and `AHEAD` at the receiver to be used. Every receive that
was posted is answered: a sender that stops early sends blanks.
"""

from collections import deque
from collections.abc import Iterator
from functools import partial
from itertools import islice

import torch.distributed as dist
from torch import Tensor

from gleam.arrays import AnyTensor
from gleam.parallel.faults import with_peers
from gleam.parallel.group import Link

AHEAD = 2


class Inbox:
    """The receiving end of a link.

    Args:
        link: to the sender.
        tag: tells the ways between two processes apart.
        like: has the type and device of what travels.
        shapes: of all that will come.
    """

    def __init__(
        self, link: Link, tag: int, like: AnyTensor, shapes: Iterator[tuple[int, ...]]
    ) -> None:
        self.link, self.tag, self.like, self.shapes = link, tag, like, shapes
        self.coming: deque[tuple[Tensor, dist.Work]] = deque()
        self._post(AHEAD)

    def get(self) -> AnyTensor:
        """The next tensor.

        Raises:
            Lost: the sender.
        """
        tensor, work = self.coming.popleft()
        with_peers(work.wait, [self.link.peer])
        self._post(1)
        return tensor

    def close(self) -> None:
        """Take in what is still on its way."""
        while self.coming:
            with_peers(self.coming.popleft()[1].wait, [self.link.peer])

    def _post(self, count: int) -> None:
        peer, channel = self.link.peer, self.link.channel
        for shape in islice(self.shapes, count):
            blank = self.like.new_empty(shape)
            work = with_peers(partial(dist.irecv, blank, peer, channel, self.tag), [peer])
            assert work is not None
            self.coming.append((blank, work))


class Outbox:
    """The sending end of a link.

    Args:
        link: to the receiver.
        tag, like, shapes: as the receiver's.
    """

    def __init__(
        self, link: Link, tag: int, like: AnyTensor, shapes: Iterator[tuple[int, ...]]
    ) -> None:
        self.link, self.tag, self.like, self.shapes = link, tag, like, shapes
        self.leaving: deque[tuple[Tensor, dist.Work]] = deque()

    def put(self, tensor: AnyTensor, wait: bool = False) -> None:
        """Send one; it must not change before it has left.

        Args:
            tensor: to send.
            wait: until it has left.

        Raises:
            Lost: the receiver.
        """
        assert (tuple(tensor.shape), tensor.dtype) == (next(self.shapes), self.like.dtype)
        while len(self.leaving) >= AHEAD:
            self._wait()
        self._send(tensor)
        while wait and self.leaving:
            self._wait()

    def close(self) -> None:
        """Answer what the receiver waits for beyond the last one, and see everything off."""
        for shape in islice(self.shapes, AHEAD):
            self._send(self.like.new_zeros(shape))
        while self.leaving:
            self._wait()

    def _send(self, tensor: Tensor) -> None:
        peer, channel = self.link.peer, self.link.channel
        work = with_peers(partial(dist.isend, tensor, peer, channel, self.tag), [peer])
        assert work is not None
        self.leaving.append((tensor, work))

    def _wait(self) -> None:
        with_peers(self.leaving.popleft()[1].wait, [self.link.peer])
