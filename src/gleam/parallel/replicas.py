"""Replicas learn from different slices of a batch: gradients are averaged, module by module.

A module's average is on its way while the next module is computed, and the module is updated when
it has come.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.distributed as dist
from torch import Tensor

from gleam.parallel.group import Group

BUCKET = 25 * 2**20  # bytes that travel at once: few messages, and the first leaves early

Pending = tuple[list[tuple[list[Tensor], Tensor, dist.Work]], Callable[[], None]]


class Replicas:
    """The processes that hold the same modules.

    Args:
        group: of this one.
    """

    def __init__(self, group: Group) -> None:
        self.group = group
        self.pending: Pending | None = None

    def average(self, tensors: Sequence[Tensor], then: Callable[[], None]) -> None:
        """Begin to average tensors over the replicas, in place, and finish the average before.

        Args:
            tensors: the same in number, order and shape in every replica.
            then: what to do with the average.

        Raises:
            Lost: a replica.
        """
        buckets = [(bucket, *self._sum(bucket)) for bucket in _buckets(tensors)]
        self.finish()
        self.pending = buckets, then

    def finish(self) -> None:
        """Wait for the average that is on its way, if any, and use it."""
        if self.pending is None:
            return
        buckets, then = self.pending
        self.pending = None
        for bucket, total, work in buckets:
            self.group.within_replica_group(work.wait)
            parts = torch.split(total, [tensor.numel() for tensor in bucket])
            for tensor, part in zip(bucket, parts, strict=True):
                tensor.copy_(part.view_as(tensor)).div_(self.group.replicas)
        then()

    def _sum(self, bucket: Sequence[Tensor]) -> tuple[Tensor, dist.Work]:
        flat = torch.cat([tensor.reshape(-1) for tensor in bucket]).to(self.group.comm_device)
        work = self.group.within_replica_group(
            lambda: dist.all_reduce(flat, group=self.group.replica_group, async_op=True)
        )
        assert work is not None
        return flat, work


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    bucket: list[Tensor] = []
    for tensor in tensors:
        if bucket and sum(t.nbytes for t in bucket) + tensor.nbytes > BUCKET:
            yield bucket
            bucket = []
        bucket.append(tensor)
    yield bucket
