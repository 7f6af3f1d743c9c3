"""What runs a step's units keeps the contract of `Unit`, what records them that of `Recorder`."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from recorders import Again
from torch import Tensor
from toys import noise

from gleam.training.flow import Unit, directly
from gleam.training.graph import EAGER, CudaRecorder, Graphs, Recorder

Ready = Callable[[Tensor], tuple[Tensor, Unit]]


def check_unit(ready: Ready) -> None:
    """Whether units give what their work gives, in every step, however they are run."""
    weight = torch.ones(3)
    for step in range(EAGER + 3):
        given = noise(4, 3, seed=step, dtype=torch.float32)
        kept = given.clone()
        here, unit = ready(given)
        assert torch.equal(here, given), "works on something else"
        assert isinstance(unit, Unit)
        first = unit("first", lambda x=here: {"x": x * weight, "parts": [x.sum(), (x + 1, None)]})
        second = unit("second", lambda first=first: first["x"].square())
        assert torch.equal(first["x"], given * weight), "gives something else"
        parts = first["parts"]
        assert torch.equal(parts[0], given.sum()), "gives something else"
        assert torch.equal(parts[1][0], given + 1), "gives something else"
        assert parts[1][1] is None, "gives something else"
        assert torch.equal(second, (given * weight).square()), "mixes up its units"
        unit("third", lambda: weight.mul_(2))
        assert torch.equal(weight, torch.full((3,), 2.0 ** (step + 1))), "works not just once"
        assert torch.equal(given, kept), "changes what it is given"


def check_recorder(recorder: Recorder, device: str) -> None:
    """Whether work is done as often as it is replayed, on the numbers that are there by then."""
    assert isinstance(recorder, Recorder)
    numbers, total = torch.ones(5, device=device), torch.zeros(5, device=device)

    def work() -> None:
        total.add_(2 * numbers)

    def begin_anew() -> None:
        total.zero_()

    replay = recorder(work)
    assert total.tolist() == [0.0] * 5, "does what it is to record"
    for count in (1, 2):
        replay()
        assert total.tolist() == [2.0 * count] * 5, "does not do it each time"
    numbers.fill_(3)
    replay()
    assert total.tolist() == [10.0] * 5, "remembers numbers"
    other = recorder(begin_anew)
    replay()
    assert total.tolist() == [16.0] * 5, "does what was recorded later"
    other()
    assert total.tolist() == [0.0] * 5, "does not do what was recorded later"


def of_graphs(recorder: Recorder | None) -> Ready:
    graphs = Graphs(recorder)
    return lambda given: graphs.ready(given)


READY: dict[str, Callable[[], Ready]] = {
    "directly": lambda: lambda given: (given, directly),
    "without a recorder": lambda: of_graphs(None),
    "recorded": lambda: of_graphs(Again()),
}


@pytest.mark.parametrize("name", READY)
def test_contract_of_units(name: str) -> None:
    check_unit(READY[name]())


def test_contract_of_the_stand_in() -> None:
    check_recorder(Again(), "cpu")


@pytest.mark.cuda
def test_contract_of_graphs(device: torch.device) -> None:
    recorder = CudaRecorder(device) if device.type == "cuda" else Again()
    check_recorder(recorder, str(device))


def broken_unit(rule: str) -> Ready:
    found: dict[Any, Any] = {}

    def unit(name: Any, work: Callable[[], Any]) -> Any:
        if rule == "not just once":
            work()
        if rule == "gives something else":
            return found.setdefault(name, work())
        if rule == "mixes up":
            return found.setdefault("last", work()) if name == "second" else work()
        return work()

    def ready(given: Tensor) -> tuple[Tensor, Unit]:
        if rule == "changes":
            return given, lambda name, work: (work(), given.zero_() if name == "third" else 0)[0]
        return given.clone() * (2 if rule == "works on" else 1), unit

    return ready


@pytest.mark.parametrize(
    "rule", ["works on", "gives something else", "mixes up", "not just once", "changes"]
)
def test_contract_of_units_that_is_broken_is_noticed(rule: str) -> None:
    with pytest.raises(AssertionError, match=rule):
        check_unit(broken_unit(rule))


def broken_recorder(rule: str) -> Recorder:
    made: list[Callable[[], Any]] = []

    def record(work: Callable[[], None]) -> Callable[[], None]:
        made.append(work)
        if rule == "what it is to record":
            work()
        if rule == "each time":
            calls = iter([work])
            return lambda: next(calls, lambda: None)()
        if rule == "not do what was recorded later" and len(made) > 1:
            return lambda: None
        return lambda: made[-1]() if rule == "does what was recorded later" else work()

    return record


@pytest.mark.parametrize(
    "rule",
    [
        "what it is to record",
        "each time",
        "not do what was recorded later",
        "does what was recorded later",
    ],
)
def test_contract_of_recorders_that_is_broken_is_noticed(rule: str) -> None:
    with pytest.raises(AssertionError, match=rule):
        check_recorder(broken_recorder(rule), "cpu")
