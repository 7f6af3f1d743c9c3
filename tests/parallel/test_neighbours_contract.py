"""Whoever trains without others keeps the contract of `Neighbours`, whichever class says so.

With others, tests/parallel/test_parallel.py compares with what one process learns.
"""

import math
from itertools import repeat

import pytest
import torch
from torch import Tensor
from torch.distributed import HashStore
from toys import noise

from gleam.parallel.group import Group
from gleam.parallel.neighbours import Alone, Neighbours, Note
from gleam.parallel.pipeline import Pipeline


def check_alone(neighbours: Neighbours) -> None:
    """Whether nothing comes from elsewhere, and the run ends when it should."""
    assert isinstance(neighbours, Neighbours)
    first, made = noise(1, 1, 1, 4, 3), []

    def make() -> Tensor:
        made.append(first)
        return first

    assert neighbours.average is None, "averages with nobody"
    assert neighbours.receive(make) is first, "starts from something else"
    assert len(made) == 1, "makes the first state more than once"
    sent = first.clone()
    neighbours.send(sent)
    neighbours.send(sent, wait=True)
    assert torch.equal(sent, first), "changes what it sends"
    neighbours.finish()
    numbers = torch.tensor([1.5, 2.0])
    assert torch.equal(neighbours.all_reduce(numbers.clone()), numbers), "adds what nobody has"
    note = Note(memory=7, losses={0: 0.5, 1: 0.25}, psnr={2: 30.0})
    kept = Note(memory=7, losses={0: 0.5, 1: 0.25}, psnr={2: 30.0})
    found = neighbours.receive_note(note, asked=0)
    assert found == kept, "knows otherwise than it was told"
    assert not neighbours.ends(found), "ends too early"
    neighbours.send_note(found)
    last = neighbours.receive_note(Note(last=True), asked=0)
    assert neighbours.ends(last), "goes on after the last step"
    failed = neighbours.receive_note(Note(failure=("loss", 1), losses={1: math.inf}), asked=0)
    assert failed.failure == ("loss", 1), "forgets a failure"
    assert neighbours.ends(failed), "goes on after a failure"
    asked = neighbours.receive_note(Note(), asked=15)
    assert neighbours.ends(asked), "goes on although it is asked to stop"
    neighbours.close()


def pipeline_of_one() -> Pipeline:
    group = Group(store=HashStore(), device=torch.device("cpu"))
    return Pipeline(group, lambda: repeat((1, 1, 1, 4, 3), 4), 4, 6)


@pytest.mark.parametrize("make", [Alone, pipeline_of_one])
def test_contract(make: type[Neighbours]) -> None:
    check_alone(make())


class Broken(Alone):
    """Breaks one rule."""

    def __init__(self, rule: str) -> None:
        self.rule = rule
        if rule == "averages":
            self.average = lambda gradients, then: None

    def receive(self, first):  # type: ignore[no-untyped-def]
        if self.rule == "more than once":
            first()
        return first().clone() if self.rule == "something else" else first()

    def send(self, state: Tensor, wait: bool = False) -> None:
        if self.rule == "changes":
            state.zero_()

    def all_reduce(self, numbers: Tensor) -> Tensor:
        return 2 * numbers if self.rule == "adds" else numbers

    def receive_note(self, note: Note, asked: int) -> Note:
        found = super().receive_note(note, 0 if self.rule == "is asked" else asked)
        if self.rule == "knows otherwise":
            found.memory += 1
        if self.rule == "forgets":
            found.failure = None
        return found

    def ends(self, note: Note) -> bool:
        if self.rule == "too early":
            return True
        if self.rule == "after a failure":
            return note.last
        return super().ends(note) and self.rule != "after the last step"


RULES = [
    "averages",
    "something else",
    "more than once",
    "changes",
    "adds",
    "knows otherwise",
    "too early",
    "after the last step",
    "forgets",
    "after a failure",
    "is asked",
]


@pytest.mark.parametrize("rule", RULES)
def test_contract_that_is_broken_is_noticed(rule: str) -> None:
    with pytest.raises(AssertionError, match=rule):
        check_alone(Broken(rule))
