"""Who a process is among the others, from its rank alone."""

from dataclasses import replace

import pytest
import torch
from torch.distributed import HashStore, ProcessGroup

from gleam.parallel.group import Group, Link


def group_of(rank: int, pipeline_size: int, replicas: int) -> Group:
    """As the launcher would number them, with links that lead nowhere."""
    place, channel = rank % pipeline_size, ProcessGroup(0, 1)
    return Group(
        rank,
        pipeline_size,
        replicas,
        torch.device("cpu"),
        upstream=Link(rank - 1, channel) if place > 0 else None,
        downstream=Link(rank + 1, channel) if place < pipeline_size - 1 else None,
    )


def test_ranks_go_through_one_pipeline_after_the_other() -> None:
    groups = [group_of(rank, 3, 2) for rank in range(6)]
    assert {group.world_size for group in groups} == {6}
    assert [group.pipeline_rank for group in groups] == [0, 1, 2, 0, 1, 2]
    assert [group.replica for group in groups] == [0, 0, 0, 1, 1, 1]
    assert [group.share for group in groups] == [(0, 2)] * 3 + [(1, 2)] * 3


@pytest.mark.parametrize(("pipeline_size", "replicas"), [(1, 1), (3, 1), (1, 3), (3, 2)])
def test_the_last_of_the_first_pipeline_alone_keeps_the_records(
    pipeline_size: int, replicas: int
) -> None:
    ranks = range(pipeline_size * replicas)
    keeping = [rank for rank in ranks if group_of(rank, pipeline_size, replicas).records]
    assert keeping == [pipeline_size - 1]


def test_alone_it_agrees_with_itself_and_waits_for_nobody() -> None:
    alone = Group(device=torch.device("cpu"))
    alone.agree({"recipe": 1})
    assert alone.broadcast(lambda: [1.5, 2.0], 2) == [1.5, 2.0]
    numbers = torch.tensor([3.0])
    assert alone.all_reduce(numbers) is numbers
    assert not alone.should_stop()
    alone.request_stop(15)
    assert not alone.should_stop()  # there is nobody to tell
    assert alone.stop_signal() == 0
    assert alone.maximum(2.5) == 2.5
    alone.barrier()


def test_a_request_to_stop_is_heard_with_its_signal() -> None:
    store = HashStore()
    one, other = (replace(group_of(rank, 1, 1), store=store) for rank in (0, 0))
    assert not one.should_stop()
    other.request_stop(15)
    assert one.should_stop()
    assert one.stop_signal() == 15
